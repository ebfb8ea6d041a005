"""The checks as a pytest parametrisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from risdoa.registry import Registry
from risdoa.testing.checks import HOMES, Check, checks_for
from risdoa.testing.subject import Subject


@dataclass(frozen=True)
class Case:
    """A check bound to the subject it is for; calling it raises where the check fails."""

    check: Check
    subject: Subject

    def __call__(self) -> None:
        """Run the check."""
        self.check(self.subject)

    def __str__(self) -> str:
        """Return ``kind:name-check``."""
        return f"{self.subject.kind}:{self.subject.name}-{self.check.name}"


def cases(*subjects: Subject) -> list[Case]:
    """Return the checks for some subjects."""
    return [Case(each, subject) for subject in subjects for each in checks_for(subject)]


def subjects_of(module: object) -> list[Subject]:
    """Return every plugin that a module with hooks yields, installed or not, as subjects."""
    registry = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""}, extra=[module])
    distribution = getattr(module, "__name__", type(module).__name__).replace("_", "-")
    return [
        Subject.registered(registry, row.kind, f"{row.distribution}/{row.name}")
        for row in registry.rows()
        if row.kind in HOMES and row.distribution == distribution and row.status == "active"
    ]


def parametrize(*subjects: object) -> Callable[[Any], Any]:
    """Return a pytest decorator that gives a test the ``check`` of every plugin to call.

    Args:
        subjects: Modules with hooks, whose plugins are all checked, or single subjects.

    Example::

        import my_losses
        import risdoa.testing


        @risdoa.testing.parametrize(my_losses)
        def test_contract(check):
            check()
    """
    import pytest  # noqa: PLC0415 - only tests need it

    chosen = [
        each
        for subject in subjects
        for each in ([subject] if isinstance(subject, Subject) else subjects_of(subject))
    ]
    return pytest.mark.parametrize("check", cases(*chosen), ids=str)
