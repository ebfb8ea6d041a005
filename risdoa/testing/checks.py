"""Checks: named functions, each for one kind of plugin, selected by traits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from risdoa.errors import UnknownNameError
from risdoa.registry.containment import Failure, attempt
from risdoa.testing.failures import ContractError, input_of
from risdoa.testing.subject import Subject
from risdoa.threads import torch_threads

HOMES = {
    "steering": (
        "risdoa.testing.steering",
        "risdoa.testing.steering_waves",
        "risdoa.testing.steering_derivatives",
    ),
    "loss": (
        "risdoa.testing.losses",
        "risdoa.testing.loss_minimum",
        "risdoa.testing.loss_gradients",
    ),
    "model": ("risdoa.testing.models", "risdoa.testing.model_learning"),
    "backend": (
        "risdoa.testing.backends",
        "risdoa.testing.backend_scenes",
        "risdoa.testing.backend_accuracy",
    ),
    "scenario": ("risdoa.testing.scenarios",),
    "reader": ("risdoa.testing.readers",),
}
"""The modules that hold the checks of each kind."""


@dataclass(frozen=True)
class Check:
    """A statement about every plugin of a kind, or about those with some traits.

    Attributes:
        name: Words joined by hyphens.
        kind: The kind of plugin that it is for.
        summary: The statement.
        function: Raises a :class:`ContractError`, or anything, where it does not hold.
        traits: The check is for subjects that have all of these.
        unless: The check is not for subjects that have one of these.
    """

    name: str
    kind: str
    summary: str
    function: Callable[[Subject], None]
    traits: frozenset[str]
    unless: frozenset[str]

    def applies(self, subject: Subject) -> bool:
        """Whether the check is for this subject."""
        fits = self.traits <= subject.traits and not self.unless & subject.traits
        return subject.kind == self.kind and fits

    def __call__(self, subject: Subject) -> None:
        """Raise where the subject does not hold to the statement."""
        self.function(subject)


@dataclass(frozen=True)
class Outcome:
    """What a check found; expected, came and case are empty where it passed."""

    check: str
    status: Literal["passed", "failed"]
    summary: str
    seconds: float
    expected: str = ""
    came: str = ""
    case: str = ""


Function = Callable[[Subject], None]


def check(
    kind: str, *, traits: Iterable[str] = (), unless: Iterable[str] = ()
) -> Callable[[Function], Check]:
    """Make a function a check, called after it; the summary is the docstring's first line."""

    def make(function: Function) -> Check:
        summary = (function.__doc__ or "").strip().splitlines()[0]
        name = function.__name__.replace("_", "-")
        return Check(name, kind, summary, function, frozenset(traits), frozenset(unless))

    return make


def checks_of(kind: str) -> tuple[Check, ...]:
    """Return every check for a kind of plugin, in the order of the source.

    Raises:
        UnknownNameError: There are no checks for such a kind.
    """
    if kind not in HOMES:
        raise UnknownNameError(
            f"there are no checks for a {kind!r}", f"the kinds with checks are {', '.join(HOMES)}"
        )
    modules = [import_module(home) for home in HOMES[kind]]
    values = [value for module in modules for value in vars(module).values()]
    return tuple(value for value in values if isinstance(value, Check) and value.kind == kind)


def checks_for(subject: Subject) -> tuple[Check, ...]:
    """Return the checks that the kind and the traits of a subject select."""
    return tuple(each for each in checks_of(subject.kind) if each.applies(subject))


def run_checks(subject: Subject) -> Iterator[Outcome]:
    """Yield the outcome of every check for a subject; whatever is raised is a failure."""
    for each in checks_for(subject):
        yield run_check(each, subject)


def run_check(each: Check, subject: Subject) -> Outcome:
    """Return the outcome of one check."""
    begun = time.perf_counter()
    with torch_threads(1):  # on small problems several wait for each other, most on busy cores
        result = attempt(lambda: each(subject))
    seconds = time.perf_counter() - begun
    if not isinstance(result, Failure):
        return Outcome(each.name, "passed", each.summary, seconds)
    error = result.error
    case = input_of(error)
    expected, came = "no error", str(result)
    if isinstance(error, ContractError):
        expected, came = error.expected, error.came
    return Outcome(each.name, "failed", each.summary, seconds, expected, came, case)
