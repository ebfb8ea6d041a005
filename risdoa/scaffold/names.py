"""The names of a new distribution, and which cannot be."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from importlib.util import find_spec

from risdoa.errors import InputError
from risdoa.registry import Registry
from risdoa.registry.sources import canonical, third_party

LONGEST = 32
"""Letters in a name; the lines of the templates have room for so many."""

FOLDERS = frozenset({"src", "tests"})
"""Folders that mean something else in a distribution."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_FORM = "words of lower-case letters and digits joined by hyphens, beginning with a letter"


@dataclass(frozen=True)
class Names:
    """What a plugin is called: on the command line and by pip, by ``import``, and its class."""

    plugin: str

    @property
    def package(self) -> str:
        """``my-loss`` is imported as ``my_loss``."""
        return self.plugin.replace("-", "_")

    @property
    def cls(self) -> str:
        """The class of ``my-loss`` is ``MyLoss``."""
        return "".join(word[0].upper() + word[1:] for word in self.plugin.split("-"))


def checked(name: str, kind: str) -> Names:
    """Return the names of a plugin, if nothing else has them.

    Raises:
        InputError: The name is no name for a distribution and a package, or is taken.
    """
    if not _NAME.fullmatch(name):
        near = canonical(name)
        hint = f"did you mean {near!r}?" if _NAME.fullmatch(near) else "as in my-plugin"
        raise InputError(f"a plugin's name must be {_FORM}, got {name!r}", hint)
    if len(name) > LONGEST:
        message = f"a plugin's name must have at most {LONGEST} letters, got {len(name)}"
        raise InputError(message, "choose a shorter one; the summary can say more")
    names = Names(name)
    taken = _taken(names, kind)
    if taken:
        raise InputError(f"{name!r} cannot be the name of a new plugin: {taken}", "choose another")
    return names


def _taken(names: Names, kind: str) -> str:
    """Say what already has the name, nothing if it is free."""
    if names.plugin in Registry.discover({"RISDOA_PLUGINS_ALLOW": ""}).names(kind):
        return f"the bare name is the {kind} that is built in"
    if keyword.iskeyword(names.package):
        return f"{names.package} is a word of Python, which no package can be called"
    if names.package in FOLDERS:
        return f"the folder {names.package} has another meaning"
    found = find_spec(names.package)
    if found is None or found.origin is None or _is_plugin(names.plugin):
        return ""
    return f"there is a module {names.package} ({found.origin}), which it would hide"


def _is_plugin(name: str) -> bool:
    """Whether a distribution with plugins has the name; installing the new one replaces it."""
    return name in {canonical(source.distribution) for source in third_party()}
