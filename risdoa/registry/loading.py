"""Turning a source into records, or into rows that say why it has none."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pluggy

from risdoa.registry import hookspecs
from risdoa.registry.admission import Origin, admitted
from risdoa.registry.containment import Failure, Success, attempt
from risdoa.registry.costs import Meter
from risdoa.registry.hookspecs import HOOKS, PROJECT
from risdoa.registry.records import Plugin, Registered, Row
from risdoa.registry.sources import Source, Switches

MOST_RECORDS = 1000
"""More records than this from one hook are taken for an endless generator."""


@dataclass
class Loaded:
    """What some sources gave: the plugins that can be used, and a row for everything."""

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
            loaded.rows.append(Origin(source).row("blocked", reason))
    return loaded


def load(source: Source, loaded: Loaded, *, trace: bool) -> None:
    """Load one source and add what it gave, or why it gave nothing, to ``loaded``."""
    meter = Meter(source.distribution)
    outcome = attempt(lambda: _ask(source.load()))
    cost = meter.read()
    origin = Origin(source, cost)
    if trace:
        say(source, outcome, cost.seconds)
    if isinstance(outcome, Failure):
        loaded.rows.append(origin.row("broken", str(outcome)))
        return
    rows = [origin.row("broken", problem) for problem in outcome.value.problems]
    for kind, record in outcome.value.records:
        plugin, row = admitted(origin, kind, record, loaded.plugins)
        rows.append(row)
        if plugin is not None:
            loaded.plugins.append(plugin)
    loaded.rows += dict.fromkeys(rows)  # one mistake made many times is one row


def say(source: Source, outcome: Success[Any] | Failure, seconds: float) -> None:
    """Say on stderr what was loaded and how long it took."""
    verb = "failed to load" if isinstance(outcome, Failure) else "loaded"
    label = f"{source.distribution} {source.version or ''}".strip()
    sys.stderr.write(f"risdoa: {verb} {label} ({source.address}) in {seconds * 1e3:.1f} ms\n")


def _ask(plugin: object) -> Yield:
    """Call the hooks of one plugin, in a pluggy manager of its own."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    problems = [*_unknown_hooks(manager, plugin), *_unmarked_hooks(plugin)]
    records: list[tuple[str, object]] = []
    for kind, hook in HOOKS.items():
        caller = getattr(manager.hook, hook)
        answers = caller()
        if len(answers) < len(caller.get_hookimpls()):  # pluggy drops None
            raise TypeError(f"{hook} returned None; it must yield records or return a list")
        records += [(kind, record) for answer in answers for record in _finite(hook, answer)]
    if not records and not problems:
        problems = [_nothing(manager, plugin)]
    return Yield(records, problems)


def _nothing(manager: pluggy.PluginManager, plugin: object) -> str:
    """Say why a plugin has no record."""
    if manager.get_hookcallers(plugin):
        return "no record found: its hooks yield none"
    return f"no hook found: mark one of {', '.join(HOOKS.values())} with risdoa.hookimpl"


def _finite(hook: str, answer: Iterable[object]) -> list[object]:
    """Return the records of one answer as a list.

    Raises:
        TypeError: The answer cannot be iterated.
        ValueError: There is no end to it.
    """
    if isinstance(answer, Plugin | str | bytes | dict):
        kind = type(answer).__name__
        raise TypeError(f"{hook} returned one {kind}; it must yield records or return a list")
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
