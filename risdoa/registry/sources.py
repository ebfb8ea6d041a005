"""Where plugins come from: risdoa's own module and the entry points of installed distributions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module, metadata

from risdoa import __version__
from risdoa.errors import PluginLoadError
from risdoa.registry.containment import Failure, attempt

GROUP = "risdoa"
"""The entry points that are modules with hooks."""

COMMANDS = "risdoa.commands"
"""The entry points that are commands: name = "module:click_command"."""

OWN = "risdoa"


@dataclass(frozen=True)
class Source:
    """One entry point, not imported yet: a module or object with hooks, or a command."""

    distribution: str
    version: str | None
    address: str
    load: Callable[[], object]
    name: str = ""
    group: str = GROUP


@dataclass(frozen=True)
class Switches:
    """What the environment says about plugins."""

    allow: frozenset[str] | None = None
    block: frozenset[str] = frozenset()
    strict: bool = False
    trace: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Switches:
        """Read ``RISDOA_PLUGINS_ALLOW``, ``_BLOCK``, ``_STRICT`` and ``_TRACE``.

        An empty ``RISDOA_PLUGINS_ALLOW`` allows no third party.
        """
        allow = environ.get("RISDOA_PLUGINS_ALLOW")
        return cls(
            allow=None if allow is None else _names(allow),
            block=_names(environ.get("RISDOA_PLUGINS_BLOCK", "")),
            strict=environ.get("RISDOA_PLUGINS_STRICT", "") not in {"", "0"},
            trace=environ.get("RISDOA_PLUGINS_TRACE", "") not in {"", "0"},
        )

    def blocks(self, distribution: str) -> str | None:
        """Return why ``distribution`` may not be loaded, or None where it may."""
        name = canonical(distribution)
        if name in self.block:
            return "named in RISDOA_PLUGINS_BLOCK"
        if self.allow is not None and name not in self.allow:
            return "not named in RISDOA_PLUGINS_ALLOW"
        return None


def canonical(distribution: str) -> str:
    """Return the spelling of a distribution's name that compares equal (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution.strip()).lower()


def builtin() -> Source:
    """Return risdoa's own plugins."""
    module = "risdoa.registry.builtins"
    return Source(OWN, __version__, module, lambda: import_module(module))


def uninstalled(plugin: object) -> Source:
    """Return a module, or another object with hooks, as a distribution named after itself."""
    name = str(getattr(plugin, "__name__", type(plugin).__name__))
    return Source(name.replace("_", "-"), None, name, lambda: plugin)


def third_party() -> Iterator[Source]:
    """Yield the plugins and commands of other distributions, in the order of their names.

    A distribution whose metadata are damaged is a source that fails to load.
    """
    found: dict[str, list[Source]] = {}
    for distribution in metadata.distributions():
        sources = _sources(distribution)
        if sources:
            found.setdefault(canonical(sources[0].distribution), sources)
    found.pop(OWN, None)
    for name in sorted(found):
        yield from found[name]


def _sources(distribution: metadata.Distribution) -> list[Source]:
    """Return the plugins of one distribution, reading no more of it than is needed."""
    text = attempt(lambda: distribution.read_text("entry_points.txt") or "")
    groups = (f"[{GROUP}]", f"[{COMMANDS}]")
    if isinstance(text, Failure) or not any(group in text.value for group in groups):
        return []
    sources = attempt(lambda: _entry_points(distribution))
    return [_damaged(distribution, sources)] if isinstance(sources, Failure) else sources.value


def _entry_points(distribution: metadata.Distribution) -> list[Source]:
    """Return one source for each entry point of the two groups."""
    fields = {field: distribution.metadata[field] for field in distribution.metadata}
    name = fields.get("Name") or _stem(distribution)
    version = fields.get("Version")
    return [
        Source(name, version, point.value, point.load, point.name, point.group)
        for point in distribution.entry_points
        if point.group in {GROUP, COMMANDS}
    ]


def _damaged(distribution: metadata.Distribution, failure: Failure) -> Source:
    """Return a source that fails to load with the error met in its metadata."""

    def load() -> object:
        raise PluginLoadError(f"damaged metadata: {failure}")

    return Source(_stem(distribution), None, "", load)


def _stem(distribution: metadata.Distribution) -> str:
    """Return the name in a distribution's folder, where its metadata do not tell."""
    folder = getattr(distribution, "_path", None)
    return str(getattr(folder, "name", "unknown")).split("-")[0]


def _names(text: str) -> frozenset[str]:
    """Split a comma-separated list of distributions."""
    return frozenset(canonical(part) for part in text.split(",") if part.strip())
