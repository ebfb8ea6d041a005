"""Writing a distribution with a plugin to start from: ``risdoa plugins new``.

The folders in ``templates/`` are whole distributions; only their names are changed on the way.
"""

from risdoa.scaffold.writing import KINDS, write

__all__ = ["KINDS", "write"]
