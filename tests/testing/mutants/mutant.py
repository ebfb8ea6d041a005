"""A faulty plugin, and what must find it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from risdoa.testing import Subject


@dataclass(frozen=True)
class Mutant:
    """A plugin with one fault.

    Attributes:
        name: Words joined by hyphens.
        kind: The kind of plugin.
        factory: What makes it, without arguments.
        killers: The checks that must be among those that fail.
        traits: What it says that it can do.
        fault: What is wrong with it, in one line.
    """

    name: str
    kind: str
    factory: Callable[[], Any]
    killers: tuple[str, ...]
    traits: tuple[str, ...] = ()
    fault: str = ""

    def subject(self) -> Subject:
        """Return the mutant as what is checked."""
        return Subject.of(self.kind, self.factory, self.traits, self.name)
