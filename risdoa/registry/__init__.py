"""The plugin registry: hooks that yield typed records, and a manager that finds them.

Nothing here imports torch, numpy, scipy or a plugin's own code before it is asked for.
"""

from risdoa.registry.hookspecs import hookimpl
from risdoa.registry.manager import Registry
from risdoa.registry.records import KINDS, LISTED, Plugin, Registered, Row, options_of, unused

__all__ = [
    "KINDS",
    "LISTED",
    "Plugin",
    "Registered",
    "Registry",
    "Row",
    "hookimpl",
    "options_of",
    "unused",
]
