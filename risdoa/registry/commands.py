"""Commands that other distributions add to ``risdoa``, known by their metadata alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from risdoa.registry.admission import Origin
from risdoa.registry.builtins import COMMANDS
from risdoa.registry.records import Row, is_address, is_name
from risdoa.registry.sources import Source, Switches, canonical


@dataclass
class Commands:
    """The commands of some entry points; none of them is imported here.

    A built-in command cannot be replaced, and two distributions with one name are told apart as
    ``distribution/name``.
    """

    usable: list[Source] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @classmethod
    def of(cls, sources: Iterable[Source], switches: Switches) -> Commands:
        """Sort out which commands can be used."""
        commands = cls()
        for source in sources:
            commands._admit(source, switches)
        return commands

    def names(self) -> dict[str, Source]:
        """Return the usable commands by the names that :meth:`find` knows."""
        bare = [source.name for source in self.usable]
        return {
            source.name if bare.count(source.name) == 1 else qualified(source): source
            for source in self.usable
        }

    def find(self, name: str) -> list[Source]:
        """Return the commands that a bare or a qualified name may mean."""
        distribution, _, bare = name.rpartition("/")
        return [
            source
            for source in self.usable
            if source.name == bare
            and canonical(distribution) in {"", canonical(source.distribution)}
        ]

    def _admit(self, source: Source, switches: Switches) -> None:
        origin = Origin(source)
        reason = switches.blocks(source.distribution)
        error = _error(source) or self._repeated(source)
        if reason is not None:
            self.rows.append(origin.row("blocked", reason, "command", source.name))
        elif error is not None:
            self.rows.append(origin.row("broken", error, "command", source.name))
        else:
            self.usable.append(source)
            self.rows.append(origin.row("active", None, "command", source.name))

    def _repeated(self, source: Source) -> str | None:
        """Return an error for the second command of one name in one distribution."""
        if any(qualified(source) == qualified(other) for other in self.usable):
            return f"{source.distribution} has this command twice; the first counts"
        return None


def qualified(source: Source) -> str:
    """Return ``distribution/name``, which is never ambiguous."""
    return f"{source.distribution}/{source.name}"


def _error(source: Source) -> str | None:
    """Return what is wrong with the entry point of a command."""
    if source.name in COMMANDS:
        return f"{source.name!r} is a built-in command and cannot be replaced; choose another name"
    if not is_name(source.name):
        return f"a command is called words-like-this, not {source.name!r}"
    if not is_address(source.address):
        return f"a command is given as 'module:command', not {source.address!r}"
    return None
