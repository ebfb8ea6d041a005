"""How good a covariance is: what a chain of backends finds behind it, on scenes held out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from risdoa.backends.base import Backend
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.evaluation.metrics import OUTLIER_DEG, Scores
from risdoa.models.base import Model
from risdoa.models.learned import LearnedModel, predicted, tempered
from risdoa.models.sample import Sample
from risdoa.pipeline import Chain
from risdoa.problem import Estimates, Problem, Truth
from risdoa.registry import Registry, options_of
from risdoa.scenarios.joining import joined, kind_of

FIELDS = ("capped_deg", "sources", "outliers")
"""Of a scene: the sum of min(ψ, 5°) over its sources, how many they are, and the outliers."""


@dataclass(frozen=True)
class Outputs:
    """What a network made of some scenes, and what no choice of β and α changes about them.

    Attributes:
        truth: The scenes, on the CPU.
        covariance: The network's own R.
        classical: The covariance that β blends in, where there is one.
    """

    truth: Truth
    covariance: Covariance
    classical: Covariance | None

    @property
    def finite(self) -> bool:
        """Whether R is finite in every scene."""
        return bool(torch.view_as_real(self.covariance.factor).isfinite().all())


class Given(Model):
    """A covariance that is known already."""

    def __init__(self, covariance: Covariance) -> None:
        self.covariance = covariance

    def __call__(self, problem: Problem) -> Covariance:
        """Return the covariance; see :meth:`Model.__call__`."""
        return self.covariance


def together(parts: Sequence[Truth]) -> list[Truth]:
    """Return scenes in as few problems as they can stand in: large ones are judged faster."""
    groups: dict[Hashable, list[Truth]] = {}
    for number, part in enumerate(parts):
        kind = kind_of(part.problem)
        groups.setdefault(("alone", number) if kind is None else kind, []).append(part)
    return [joined(group) for group in groups.values()]


@torch.no_grad()
def outputs(model: LearnedModel, truths: Sequence[Truth], *, blend: bool = False) -> list[Outputs]:
    """Return what a network makes of scenes; with ``blend`` the classical covariance besides."""
    model.eval()
    made = []
    for truth in truths:
        covariance = predicted(model, truth.problem, "cpu")
        here = truth.to("cpu", torch.complex64)
        sample = Sample()
        classical = sample(here.problem) if blend and sample.supports(here.problem) else None
        made.append(Outputs(here, covariance, classical))
    return made


def judged(
    made: Sequence[Outputs], backends: Sequence[Backend], beta: float = 1.0, shrinkage: float = 0.0
) -> Tensor:
    """Return ``FIELDS`` of every scene, (S, 3), for the chain behind the tempered covariance."""
    fields = []
    for each in made:
        covariance = tempered(each.covariance, each.classical, beta, shrinkage)
        chain = Chain(Given(covariance), backends)
        fields.append(_fields(each.truth, chain(each.truth.problem)))
    return torch.cat(fields)


def _fields(truth: Truth, estimates: Estimates) -> Tensor:
    scores = Scores.of(truth, estimates)
    capped = torch.where(scores.inlier, scores.angle, OUTLIER_DEG).double()
    mask = scores.mask
    sums = (capped * mask, mask, mask & ~scores.inlier)
    return torch.stack([each.double().sum(-1) for each in sums], -1)


def capped_angle(fields: Tensor) -> float:
    """Return the mean of min(ψ, 5°) over all sources [deg]; a source not found counts 5°."""
    return float(fields[:, 0].sum() / fields[:, 1].sum())


def outlier_rate(fields: Tensor) -> float:
    """Return the share of the sources that are outliers."""
    return float(fields[:, 2].sum() / fields[:, 1].sum())


def backends_of(
    registry: Registry, names: Sequence[str], settings: Mapping[str, Mapping[str, Any]]
) -> list[Backend]:
    """Return backends with their options."""
    return [
        cast("Backend", registry.create("backend", name, **options_of(settings, "backend", name)))
        for name in names
    ]


def check_judges(truths: Sequence[Truth]) -> None:
    """Refuse scenes that cannot judge.

    Raises:
        InputError: if they do not say how many sources there are.
    """
    if any(truth.problem.sources is None for truth in truths):
        raise InputError(
            "a search needs scenes that tell the number of sources",
            "use another scenario, or a mixture without unknown-sources",
        )
