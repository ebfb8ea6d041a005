"""What the bounds say of a scenario, as medians over its scenes, or of every scene of a file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from risdoa import bounds
from risdoa.bounds import Known
from risdoa.evaluation.comparison import BoundKind, Setup
from risdoa.problem import Truth
from risdoa.steering.base import Steering

QUARTILES = (0.25, 0.5, 0.75)

UNSEEN = 1e5
"""A bound above this, in degrees or metres, says that the data do not see the coordinate."""


@dataclass(frozen=True)
class Limit:
    """The bounds at one SNR and number of sources.

    Shapes:
        bound: which one, ``stochastic`` or ``deterministic``. scenes: how many there were.
        quartiles: (3, 5), over scenes, of the scene's RMS over sources; see
            :func:`risdoa.bounds.levels`.
    """

    snr_db: float
    sources: int
    scenes: int
    bound: str
    quartiles: Tensor

    def row(self) -> dict[str, object]:
        """Return one row of ``risdoa.bound/1``."""
        lower, median, upper = self.quartiles.tolist()
        return {
            "snr_db": self.snr_db,
            "sources": self.sources,
            "scenes": self.scenes,
            "bound": self.bound,
            "median": named(median),
            "lower_quartile": named(lower),
            "upper_quartile": named(upper),
        }


def named(values: Sequence[float]) -> dict[str, float | None]:
    """Return what :func:`risdoa.bounds.levels` gives, by names that carry the unit."""
    return {
        f"{name}_{unit.replace('1/', 'per_')}": finite(value)
        for (name, unit), value in zip(bounds.LEVELS, values, strict=True)
    }


def finite(value: float) -> float | None:
    """Return None for what the data do not see."""
    return value if value < UNSEEN else None


def bound_of(truth: Truth, kind: BoundKind, known: Collection[Known] = ()) -> tuple[str, Tensor]:
    """Return the name of a bound and the bound; *auto* as in a comparison."""
    name = kind
    if kind == "auto":
        name = "stochastic" if truth.problem.snapshots.fresh else "deterministic"
    bound = bounds.stochastic if name == "stochastic" else bounds.deterministic
    return name, bound(truth, known)


def with_steering(truth: Truth, steering: Steering | None) -> Truth:
    """Return a truth whose problem has another steering model; None leaves it."""
    if steering is None:
        return truth
    return replace(truth, problem=replace(truth.problem, steering=steering))


def limit(setup: Setup, snr_db: float, sources: int, known: Collection[Known] = ()) -> Limit:
    """Return the bounds over the scenes of one point, those that a comparison would draw."""
    name, parts = "", []
    for _, drawn in setup.chunks(snr_db, sources):
        truth = with_steering(drawn, setup.data_steering)
        name, bound = bound_of(truth, setup.bound, known)
        parts.append(bounds.levels(truth.positions, truth.mask, bound))
    every = torch.cat(parts)
    quartiles = every.quantile(every.new_tensor(QUARTILES), dim=0)
    return Limit(snr_db, sources, len(every), name, quartiles)
