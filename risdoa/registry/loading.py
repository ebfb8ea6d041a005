"""Turning a source into records, or into rows that say why it has none."""

from __future__ import annotations

import difflib
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import pluggy

from risdoa.registry import hookspecs
from risdoa.registry.containment import Failure, Success, attempt
from risdoa.registry.hookspecs import HOOKS, PROJECT
from risdoa.registry.records import API, OLDEST_API, Plugin, Registered, Row, Status, checked
from risdoa.registry.sources import Source, Switches

MOST_RECORDS = 1000
"""More records than this from one hook are taken for an endless generator."""


@dataclass
class Loaded:
    """What some sources gave: plugins that can be used, and rows for what cannot."""

    plugins: list[Registered] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def join(self, other: Loaded) -> None:
        """Add what other sources gave."""
        self.plugins += other.plugins
        self.rows += other.rows


@dataclass(frozen=True)
class Yield:
    """What a plugin's hooks yielded, with their kinds, and what is wrong with its other hooks."""

    records: list[tuple[str, object]]
    problems: list[str]


def load_all(sources: Iterable[Source], switches: Switches) -> Loaded:
    """Load every source that the switches allow, each on its own."""
    loaded = Loaded()
    blocked: set[str] = set()
    for source in sources:
        reason = switches.blocks(source.distribution)
        if reason is None:
            load(source, loaded, trace=switches.trace)
        elif source.distribution not in blocked:
            blocked.add(source.distribution)
            loaded.rows.append(_row(source, "blocked", reason))
    return loaded


def load(source: Source, loaded: Loaded, *, trace: bool) -> None:
    """Load one source and add what it gave, or why it gave nothing, to ``loaded``."""
    begun = time.perf_counter()
    outcome = attempt(lambda: _ask(source.load()))
    if isinstance(outcome, Failure):
        loaded.rows.append(_row(source, "broken", str(outcome)))
    else:
        for problem in outcome.value.problems:
            loaded.rows.append(_row(source, "broken", problem))
        for kind, record in outcome.value.records:
            _admit(source, kind, record, loaded)
    if trace:
        _trace(source, outcome, time.perf_counter() - begun)


def _ask(plugin: object) -> Yield:
    """Call the hooks of one plugin, in a pluggy manager of its own."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    problems = [*_unknown_hooks(manager, plugin), *_unmarked_hooks(plugin)]
    records = [
        (kind, record)
        for kind, hook in HOOKS.items()
        for answer in getattr(manager.hook, hook)()
        for record in _finite(hook, answer)
    ]
    if not manager.get_hookcallers(plugin) and not problems:
        problems = [f"no hook found: mark one of {', '.join(HOOKS.values())} with risdoa.hookimpl"]
    return Yield(records, problems)


def _finite(hook: str, answer: Iterable[object]) -> list[object]:
    """Return the records of one answer as a list.

    Raises:
        TypeError: The answer cannot be iterated.
        ValueError: There is no end to it.
    """
    if isinstance(answer, Plugin):
        raise TypeError(f"{hook} returned one Plugin; it must yield them or return a list")
    records = list(islice(answer, MOST_RECORDS + 1))
    if len(records) > MOST_RECORDS:
        raise ValueError(f"{hook} yields more than {MOST_RECORDS} records")
    return records


def _unknown_hooks(manager: pluggy.PluginManager, plugin: object) -> Iterator[str]:
    """Yield a complaint about each marked function that is no hook of ours."""
    for caller in manager.get_hookcallers(plugin) or []:
        optional = all(each.optionalhook for each in caller.get_hookimpls())
        if not caller.has_spec() and not optional:
            yield f"unknown hook {caller.name!r}{_suggestion(caller.name)}"


def _unmarked_hooks(plugin: object) -> Iterator[str]:
    """Yield a complaint about each function that has a hook's name and lacks its mark."""
    for hook in HOOKS.values():
        function = getattr(plugin, hook, None)
        if callable(function) and not hasattr(function, f"{PROJECT}_impl"):
            yield f"{hook!r} is not marked with risdoa.hookimpl"


def _suggestion(name: str) -> str:
    """Return a question that names the nearest hook, if one is near."""
    near = difflib.get_close_matches(name, HOOKS.values(), n=1)
    return (
        f"; did you mean {near[0]!r}?" if near else f"; the hooks are {', '.join(HOOKS.values())}"
    )


def _admit(source: Source, kind: str, record: object, loaded: Loaded) -> None:
    """Add one record to the plugins, or a row that says why it is not one."""
    outcome = attempt(lambda: checked(record))
    if isinstance(outcome, Failure):
        name = str(record.name) if isinstance(record, Plugin) else None
        loaded.rows.append(_row(source, "broken", str(outcome), kind, name))
        return
    plugin = Registered(kind, outcome.value, source.distribution, source.version)
    rejection = _rejection(plugin, loaded)
    if rejection is None:
        loaded.plugins.append(plugin)
    else:
        loaded.rows.append(_row(source, *rejection, kind, plugin.name))


def _rejection(plugin: Registered, loaded: Loaded) -> tuple[Status, str] | None:
    """Return the status and the reason of a well-typed record that cannot be used."""
    api = plugin.record.api
    if api < OLDEST_API:
        return "old-api", f"written for plugin API {api}; the oldest that works is {OLDEST_API}"
    if api > API:
        return "broken", f"needs plugin API {api}, this risdoa has {API}: upgrade risdoa"
    if any(
        (plugin.kind, plugin.qualified) == (other.kind, other.qualified) for other in loaded.plugins
    ):
        return "broken", f"{plugin.distribution} yields this {plugin.kind} twice; the first counts"
    return None


def _row(
    source: Source, status: Status, error: str, kind: str | None = None, name: str | None = None
) -> Row:
    """Return the row of something that cannot be used."""
    return Row(kind, name, source.distribution, source.version, status, error)


def _trace(source: Source, outcome: Success[Yield] | Failure, seconds: float) -> None:
    """Say on stderr what was loaded and how long it took."""
    verb = "failed to load" if isinstance(outcome, Failure) else "loaded"
    label = f"{source.distribution} {source.version or ''}".strip()
    sys.stderr.write(f"risdoa: {verb} {label} ({source.address}) in {seconds * 1e3:.1f} ms\n")
