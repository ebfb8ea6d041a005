"""Addresses that lead nowhere, as far as can be told without importing anything."""

from __future__ import annotations

import inspect
import sys
from importlib.util import find_spec
from types import ModuleType

from risdoa.registry.records import Plugin


def dangling(record: Plugin) -> str | None:
    """Return what is wrong with the first wrong address of a record, or None."""
    for field in ("factory", "options", "space"):
        address = getattr(record, field)
        if address is not None:
            module, _, path = address.partition(":")
            wrong = _absent(module) or _misfit(module, path, field)
            if wrong is not None:
                return f"{field} {address!r}: {wrong}"
    return None


def _absent(module: str) -> str | None:
    """Say that a module is not there; what lies in a package that is not imported may be."""
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        if name not in sys.modules:
            return None if find_spec(name) else f"there is no module {name!r}"
    return None


def _misfit(module: str, path: str, field: str) -> str | None:
    """Say that an object of a module that is imported already is not there, or of a wrong type."""
    value: object = sys.modules.get(module)
    for attribute in path.split("."):
        if value is None or (isinstance(value, ModuleType) and "__getattr__" in vars(value)):
            return None
        value = inspect.getattr_static(value, attribute, _NOTHING)
        if value is _NOTHING:
            return f"{module!r} has no {path!r}"
    if field != "options":
        return None if callable(value) else f"{path!r} cannot be called"
    return None if is_option_model(value) else f"{path!r} is no pydantic model"


_NOTHING = object()


def is_option_model(value: object) -> bool:
    """Tell whether this is a pydantic model; it cannot be one while pydantic is not imported."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not isinstance(value, type):
        return False
    return issubclass(value, pydantic.BaseModel)
