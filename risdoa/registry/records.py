"""What a plugin says about itself, and what the registry says about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Literal, TypeVar

API = 1
"""The plugin interface that this risdoa speaks; it grows with every change that breaks plugins."""

OLDEST_API = 1
"""The oldest plugin interface that still works."""

ENDING: Mapping[int, str] = {}
"""The release that drops each interface from ``OLDEST_API`` up to ``API`` - 1.

It is two minor releases, and at least a year, after the release that brought the successor.
"""

KINDS = ("steering", "loss", "model", "backend", "scenario", "reader")
"""The kinds of plugins that hooks yield."""

LISTED = (*KINDS, "command")
"""The kinds of plugins that there are; commands have an entry-point group of their own."""

V = TypeVar("V")

Status = Literal["active", "blocked", "broken", "old-api"]

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ADDRESS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class Plugin:
    """One plugin, described without importing it; the hook that yields it names its kind.

    Attributes:
        name: Lower-case words joined by hyphens; what the command line calls it.
        factory: ``"package.module:Class"``, imported on use and called with the options.
        summary: One sentence for lists and help pages.
        options: ``"package.module:Model"``, a pydantic model of the options; by default they
            are read off the signature of the factory.
        traits: What the plugin can do or needs, such as ``"separable"``.
        space: ``"package.module:function"``, a search space: a function that takes an Optuna trial
            and returns options.
        example: A command that uses the plugin.
        references: Where the method comes from.
        api: The plugin interface that the plugin was written for.
    """

    name: str
    factory: str
    summary: str
    options: str | None = None
    traits: tuple[str, ...] = ()
    space: str | None = None
    example: str = ""
    references: tuple[str, ...] = ()
    api: int = 1


@dataclass(frozen=True)
class Registered:
    """A plugin that can be used, and the distribution that it comes from."""

    kind: str
    record: Plugin
    distribution: str
    version: str | None

    @property
    def name(self) -> str:
        """The bare name."""
        return self.record.name

    @property
    def qualified(self) -> str:
        """``distribution/name``, which is never ambiguous."""
        return f"{self.distribution}/{self.record.name}"


@dataclass(frozen=True)
class Row:
    """A line of ``risdoa plugins list``; kind and name are None where nothing could be loaded.

    Attributes:
        error: Why it cannot be used, None where it can.
        seconds: What it took to list its distribution's records, None where nothing was imported.
        notes: What the user should know although it works.
    """

    kind: str | None
    name: str | None
    distribution: str
    version: str | None
    status: Status
    error: str | None = None
    seconds: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Its name as far as it has one."""
        return self.distribution if self.name is None else f"{self.distribution}/{self.name}"


def is_name(text: object) -> bool:
    """Tell whether a plugin may be called so: lower-case words joined by hyphens."""
    return _matches(_NAME, text)


def is_address(text: object) -> bool:
    """Tell whether this is spelt ``"package.module:Name"``."""
    return _matches(_ADDRESS, text)


def checked(record: object) -> Plugin:
    """Return ``record`` as a plain, well-typed ``Plugin``.

    Raises:
        TypeError: It is no ``Plugin``, or a field has the wrong type.
        ValueError: A name or an address is not spelt as it must be.
    """
    if not isinstance(record, Plugin):
        raise TypeError(f"a hook yields risdoa.Plugin records, not {type(record).__name__}")
    values = {field.name: getattr(record, field.name) for field in fields(Plugin)}
    for field in ("traits", "references"):
        values[field] = _texts(field, values[field])
    for field in ("summary", "example"):
        _require(isinstance(values[field], str), field, "a string", values[field])
    api = values["api"]
    _require(isinstance(api, int) and not isinstance(api, bool), "api", "a whole number", api)
    _require(is_name(values["name"]), "name", "words-like-this", values["name"])
    for field in ("factory", "options", "space"):
        optional = field != "factory" and values[field] is None
        correct = optional or is_address(values[field])
        _require(correct, field, "'package.module:Name'", values[field])
    return Plugin(**values)


def _texts(field: str, value: object) -> tuple[str, ...]:
    """Return a field of several strings as a tuple."""
    several = isinstance(value, Iterable) and not isinstance(value, str)
    _require(several, field, "a tuple of strings", value)
    texts = tuple(value) if isinstance(value, Iterable) else ()
    _require(all(isinstance(text, str) for text in texts), field, "a tuple of strings", value)
    return texts


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    """Tell whether ``value`` is a string of this pattern."""
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _require(correct: bool, field: str, expected: str, value: object) -> None:
    """Raise a ``ValueError`` that says what the field must be and what it is."""
    if not correct:
        raise ValueError(f"Plugin.{field} must be {expected}, not {value!r}")


def options_of(settings: Mapping[str, Mapping[str, V]], kind: str, name: str) -> dict[str, V]:
    """Return the options set for a plugin.

    They stand under its bare or its qualified name, or, where plugins of several kinds share a
    name, under ``kind:name``.
    """
    bare = name.rpartition("/")[2]
    keys = (bare, name, f"{kind}:{bare}", f"{kind}:{name}")
    return {option: value for key in keys for option, value in settings.get(key, {}).items()}


def unused(settings: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the keys of settings that belong to none of the plugins called ``names``."""
    used = list(names)
    known = {*used, *(name.rpartition("/")[2] for name in used)}
    return [key for key in settings if _named(key) not in known]


def _named(key: str) -> str:
    """Return the plugin that a key of settings names, with or without its kind."""
    kind, _, name = key.partition(":")
    return name if kind in KINDS else key
