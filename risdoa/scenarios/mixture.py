"""Scenes of several scenarios, as a configuration says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from risdoa.errors import InputError
from risdoa.problem import Problem, Truth
from risdoa.registry import Registry
from risdoa.scenarios.base import Scenario
from risdoa.scenarios.joining import joined, kind_of

MEMBERS = (
    "canonical=0.4",
    "static=0.1",
    "few-snapshots=0.1",
    "unknown-sources=0.1",
    "spherical-data=0.1",
    "miscalibrated=0.2",
)

_HINT = "write mixture.members=NAME=WEIGHT,NAME=WEIGHT, as in canonical=0.7,static=0.3"


class Mixture(Scenario):
    """Scenes of other scenarios, each with its weight.

    Scenes of one problem share the array, the region, the sensing, the numbers of snapshots and
    outputs, which snapshots share a signal, and whether the number of sources is told. Members that
    agree in all of that form a group, such as canonical, spherical-data and miscalibrated. Every
    call of :meth:`sample` draws a group by its weight, and for each scene a member of it: what
    cannot stand in one batch comes in different ones.

    Args:
        members: ``NAME=WEIGHT``, or ``NAME`` for a weight of 1.
        options: Options of the members, by name.

    Raises:
        InputError: for weights that cannot be, or members told different steering models.
    """

    def __init__(
        self,
        members: tuple[str, ...] = MEMBERS,
        options: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        weights = _weights(members)
        chosen = options or {}
        for name in chosen.keys() - weights.keys():
            raise InputError(f"options for {name!r}, which is no member of the mixture", _HINT)
        registry = Registry.discover()
        made: dict[str, Scenario] = {
            name: registry.create("scenario", name, **chosen.get(name, {})) for name in weights
        }
        told = {scenario.estimation_model for scenario in made.values()}
        if len(told) > 1:
            raise InputError(
                f"the members of a mixture share an estimation model, got {', '.join(told)}"
            )
        self.estimation_model = told.pop()
        self.data_model = " + ".join(dict.fromkeys(each.data_model for each in made.values()))
        self._label = " + ".join(dict.fromkeys(each.data_label for each in made.values()))
        self.groups = _groups([(weights[name], scenario) for name, scenario in made.items()])

    @property
    def data_label(self) -> str:
        """What tables call the data; see :class:`Scenario`."""
        return self._label

    def sample(
        self,
        count: int,
        generator: torch.Generator,
        *,
        sources: int | None = None,
        snr_db: float | None = None,
    ) -> tuple[Problem, Truth]:
        """Return scenes of the members of one group, in random order; see :meth:`Scenario.sample`.

        The signals are left out where the members of a group make their data in different ways.
        """
        if count < 1:
            raise InputError(f"a sample needs at least one scene, got {count}")
        totals = [sum(weight for weight, _ in group) for group in self.groups]
        group = self.groups[int(_drawn(totals, 1, generator))]
        chosen = _drawn([weight for weight, _ in group], count, generator)
        counts = torch.bincount(chosen, minlength=len(group)).tolist()
        parts = [
            scenario.sample(each, generator, sources=sources, snr_db=snr_db)[1]
            for (_, scenario), each in zip(group, counts, strict=True)
            if each
        ]
        # the parts stand one behind the other; back to the order in which members were drawn
        truth = joined(parts).select(chosen.argsort(stable=True).argsort())
        return truth.problem, truth


def _weights(members: Sequence[str]) -> dict[str, float]:
    """Return weights by name from ``NAME=WEIGHT`` texts."""
    weights: dict[str, float] = {}
    for text in members:
        name, equals, number = (part.strip() for part in text.partition("="))
        try:
            weight = float(number) if equals else 1.0
        except ValueError:
            weight = math.nan
        if not name or name in {"mixture", "risdoa/mixture"} or name in weights:
            raise InputError(f"{text!r} is no member, or one that is there twice", _HINT)
        if not (math.isfinite(weight) and weight > 0):
            raise InputError(f"the weight of {name} must be a number above 0, got {text!r}", _HINT)
        weights[name] = weight
    if not weights:
        raise InputError("a mixture needs at least one member", _HINT)
    return weights


Group = list[tuple[float, Scenario]]


def _groups(members: Group) -> list[Group]:
    """Return the members in groups whose scenes can stand in one problem, told by one scene."""
    groups: dict[object, Group] = {}
    for weight, scenario in members:
        problem, _ = scenario.sample(1, torch.Generator().manual_seed(0))
        kind = kind_of(problem)
        groups.setdefault(id(scenario) if kind is None else kind, []).append((weight, scenario))
    return list(groups.values())


def _drawn(weights: list[float], count: int, generator: torch.Generator) -> Tensor:
    """Return which of the weights were drawn, (count,) int64, on the generator's device."""
    shares = torch.tensor(weights, dtype=torch.float64, device=generator.device)
    return torch.multinomial(shares, count, replacement=True, generator=generator)
