"""GOSPA: one distance between the sources that are there and those that were found.

For sets X of sources and Y of estimates, with the distance d² = ψ²/ψ₀² + Δw²/w₀² of the assignment
(in half-widths of the array) and a cut-off c,

    GOSPA² = min over partial assignments γ of Σ_γ d² + c²/2 (|X| - |γ|) + c²/2 (|Y| - |γ|):

the squared errors of localisation, and c²/2 for every missed source and every false estimate. It is
a metric on finite sets. Source: Rahmathullah, García-Fernández & Svensson (2017), α = 2, p = 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from risdoa.evaluation.assignment import MISSING, cheapest, costs, half_widths, usable
from risdoa.problem import Estimates, Truth

CUTOFF = 2.0
"""c in half-widths: an estimate a full −3 dB width from a source has not found it."""


@dataclass(frozen=True)
class Gospa:
    """The squared distance of every scene, in its three parts.

    Shapes:
        localisation: (S,) Σ d² over the assigned pairs, in squared half-widths.
        missed, false: (S,) int64, sources without an estimate and estimates without a source.
    """

    localisation: Tensor
    missed: Tensor
    false: Tensor
    cutoff: float = CUTOFF

    @classmethod
    def of(cls, truth: Truth, estimates: Estimates) -> Self:
        """Return the distance between a truth and estimates, in half-widths of its array."""
        found = estimates.positions.to(truth.positions.dtype)
        table = costs(truth.positions, found, half_widths(truth.problem.array))
        return cls.between(table, truth.mask, usable(found, estimates.valid))

    @classmethod
    def between(cls, table: Tensor, mask: Tensor, valid: Tensor, cutoff: float = CUTOFF) -> Self:
        """Return the distance between two sets whose members are d² apart.

        A pair that is c or more apart costs as much as a missed source and a false estimate, and
        counts as these.

        Shapes:
            table: (S, K, J) d². mask: (S, K), valid: (S, J) bool, the members of the sets.
        """
        index = cheapest(table.clamp_max(cutoff**2), mask, valid)
        chosen = torch.take_along_dim(table, index.clamp_min(0).unsqueeze(-1), dim=-1).squeeze(-1)
        paired = (index != MISSING) & (chosen < cutoff**2)
        near, pairs = torch.where(paired, chosen, torch.zeros_like(chosen)), paired.sum(-1)
        return cls(near.sum(-1), mask.sum(-1) - pairs, valid.sum(-1) - pairs, cutoff)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return the distances of several chunks of scenes."""

        def joined(name: str) -> Tensor:
            return torch.cat([getattr(part, name) for part in parts])

        near, missed, false = map(joined, ("localisation", "missed", "false"))
        return cls(near, missed, false, parts[0].cutoff)

    @property
    def distance(self) -> Tensor:
        """GOSPA of every scene, (S,)."""
        wrong = (self.missed + self.false).to(self.localisation.dtype)
        return (self.localisation + self.cutoff**2 / 2 * wrong).sqrt()

    def figures(self) -> dict[str, float]:
        """Return GOSPA over the scenes: the root of the mean square, and the parts of that square.

        ``right_number`` is the share of the scenes with as many estimates as sources.
        """
        each = self.cutoff**2 / 2
        missed, false = (float(part.double().mean()) for part in (self.missed, self.false))
        return {
            "cutoff": self.cutoff,
            "gospa": float(self.distance.square().mean().sqrt()),
            "localisation": float(self.localisation.mean()),
            "missed": each * missed,
            "false": each * false,
            "missed_per_scene": missed,
            "false_per_scene": false,
            "right_number": float((self.missed == self.false).double().mean()),
        }
