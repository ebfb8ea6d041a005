"""What a wrong steering model costs: bias and spread of the estimates, beside √CRB."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from risdoa import bounds
from risdoa.conventions import RAD_PER_DEG, cartesian
from risdoa.evaluation.comparison import Setup
from risdoa.evaluation.limits import named, with_steering
from risdoa.problem import Truth
from risdoa.steering.base import Steering


@dataclass(frozen=True)
class Mismatch:
    """Bias and spread under a wrong model, and the deterministic √CRB under the right one.

    Shapes:
        mask: (S, K) bool. bias, spread, sqrt_crb: (S, K, 5), in the units of
        :data:`risdoa.bounds.LEVELS`; the last one of the bias is the distance in space.
    """

    mask: Tensor
    bias: Tensor
    spread: Tensor
    sqrt_crb: Tensor

    @classmethod
    def of(cls, truth: Truth, told: Steering) -> Self:
        """Return what ``told`` costs where the truth's own model makes the data."""
        found = bounds.misspecified(truth, told)
        places, ends = truth.positions.double(), found.positions
        apart = (cartesian(ends) - cartesian(places)).norm(dim=-1, keepdim=True)
        inverse = 1 / ends[..., 2:] - 1 / places[..., 2:]
        bias = torch.cat(
            (found.bias[..., :2] / RAD_PER_DEG, found.bias[..., 2:], inverse, apart), -1
        )
        best = bounds.deterministic(truth)
        return cls(truth.mask, bias, _each(ends, found.covariance), _each(places, best))

    def rms(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the RMS over sources of bias, spread and √CRB, and bias over √CRB, (S, 5) each."""
        present = self.mask.unsqueeze(-1)
        count = self.mask.sum(-1, keepdim=True)

        def mean(values: Tensor) -> Tensor:
            kept = torch.where(present, values, torch.zeros_like(values))
            return (kept.square().sum(1) / count).sqrt()

        bias, spread, best = mean(self.bias), mean(self.spread), mean(self.sqrt_crb)
        return bias, spread, best, bias / best

    def records(self) -> list[dict[str, object]]:
        """Return the scenes, each with the signed figures of its sources, for JSON."""
        return [
            {
                "sources": [
                    {name: named(getattr(self, name)[scene, source].tolist()) for name in FIGURES}
                    for source in torch.nonzero(self.mask[scene]).flatten().tolist()
                ]
            }
            for scene in range(len(self.mask))
        ]


FIGURES = tuple(field.name for field in fields(Mismatch) if field.name != "mask")
ROWS = ("bias", "spread", "sqrt_crb", "bias_over_sqrt_crb")


def medians(setup: Setup, told: Steering, snr_db: float, sources: int) -> Tensor:
    """Return the medians over the scenes of one point of :meth:`Mismatch.rms`, (4, 5)."""
    parts = []
    for _, drawn in setup.chunks(snr_db, sources):
        parts.append(
            torch.stack(Mismatch.of(with_steering(drawn, setup.data_steering), told).rms())
        )
    found: Tensor = torch.cat(parts, dim=1).median(dim=1).values
    return found


def _each(positions: Tensor, covariance: Tensor) -> Tensor:
    """Return the levels of every source by itself, (S, K, 5)."""
    alone = bounds.levels(
        positions.reshape(-1, 1, 3),
        torch.ones(positions.shape[:2].numel(), 1, dtype=torch.bool),
        covariance.reshape(-1, 1, 3, 3),
    )
    apart: Tensor = alone.unflatten(0, positions.shape[:2])
    return apart
