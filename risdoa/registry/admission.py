"""Whether a record that a hook yielded can be used, and the row that says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from risdoa.registry.containment import Failure, attempt
from risdoa.registry.costs import Cost
from risdoa.registry.records import (
    API,
    ENDING,
    OLDEST_API,
    Plugin,
    Registered,
    Row,
    Status,
    checked,
)
from risdoa.registry.references import dangling
from risdoa.registry.sources import OWN, Source


@dataclass(frozen=True)
class Origin:
    """The source of some records, and what it took to ask it."""

    source: Source
    cost: Cost | None = None

    def row(
        self,
        status: Status,
        error: str | None = None,
        kind: str | None = None,
        name: str | None = None,
        notes: Iterable[str] = (),
    ) -> Row:
        """Return a row about something from this source."""
        source, cost = self.source, self.cost
        measured: tuple[str, ...] = ()
        if cost is not None and source.distribution != OWN:
            measured = cost.notes(source.distribution)
        seconds = None if cost is None else round(cost.seconds, 4)
        told = (*measured, *notes)
        return Row(kind, name, source.distribution, source.version, status, error, seconds, told)


def admitted(
    origin: Origin, kind: str, record: object, others: Iterable[Registered]
) -> tuple[Registered | None, Row]:
    """Return the plugin that a record describes, or None, and its row.

    Args:
        origin: Where the record comes from.
        kind: The kind of the hook that yielded it.
        record: Anything.
        others: The plugins before it.
    """
    outcome = attempt(lambda: checked(record))
    if isinstance(outcome, Failure):
        name = attempt(lambda: _name(record))
        named = None if isinstance(name, Failure) else name.value
        return None, origin.row("broken", str(outcome), kind, named)
    source = origin.source
    plugin = Registered(kind, outcome.value, source.distribution, source.version)
    rejection = _rejection(plugin, others)
    if rejection is not None:
        return None, origin.row(*rejection, kind, plugin.name)
    return plugin, origin.row("active", None, kind, plugin.name, _ending(plugin))


def _name(record: object) -> str | None:
    """Return the name of a record that is none too good."""
    return str(record.name) if isinstance(record, Plugin) else None


def _rejection(plugin: Registered, others: Iterable[Registered]) -> tuple[Status, str] | None:
    """Return the status and the reason of a well-typed record that cannot be used."""
    api = plugin.record.api
    if api < OLDEST_API:
        return "old-api", f"written for plugin API {api}; the oldest that works is {OLDEST_API}"
    if api > API:
        return "broken", f"needs plugin API {api}, this risdoa has {API}: upgrade risdoa"
    if any((plugin.kind, plugin.qualified) == (other.kind, other.qualified) for other in others):
        return "broken", f"{plugin.distribution} yields this {plugin.kind} twice; the first counts"
    outcome = attempt(lambda: dangling(plugin.record))
    wrong = str(outcome) if isinstance(outcome, Failure) else outcome.value
    return None if wrong is None else ("broken", wrong)


def _ending(plugin: Registered) -> tuple[str, ...]:
    """Return a note where the plugin's interface still works but will not for long."""
    api = plugin.record.api
    if api == API:
        return ()
    until = ENDING.get(api, "a later release")
    text = f"written for plugin API {api}, which ends with risdoa {until}; the present one is {API}"
    return (f"{plugin.qualified} is {text}",)
