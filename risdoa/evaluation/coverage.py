"""How often the error ellipsoids that estimates carry cover the truth.

A source is covered at the level α where eᵀC⁻¹e ≤ χ²_d(α): e its error in (φ, θ, w = 1/r), C the
error covariance that the estimate carries, in the same coordinates, d the number of those that are
free. Counted are the sources of the efficiency: inliers, at least 3√CRB from every edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.stats import chi2
from torch import Tensor

from risdoa.backends.base import Backend
from risdoa.conventions import COORDINATES, RAD_PER_DEG
from risdoa.errors import InputError
from risdoa.evaluation.assignment import assigned
from risdoa.evaluation.comparison import Progress, Setup
from risdoa.evaluation.limits import bound_of, with_steering
from risdoa.evaluation.metrics import Reference, Scores, rate_interval
from risdoa.problem import Estimates, Truth

AXES = (*COORDINATES[:2], "inverse_range")
AXES_OF_ERRORS = (0, 1, 3)
"""Where azimuth, elevation and inverse range stand among the errors of scores."""


@dataclass(frozen=True)
class CoverageCell:
    """One number of sources and one SNR.

    Attributes:
        counted: Inliers at least 3√CRB from every edge of the region.
        covered: Those whose ellipsoid covers the truth.
        covered_alone: Those whose interval covers it in azimuth, elevation and 1/r, each alone.
    """

    sources: int
    snr_db: float
    scenes: int
    level: float
    counted: int
    covered: int
    covered_alone: tuple[int, ...]

    def row(self) -> dict[str, object]:
        """Return one row of ``risdoa.coverage/1``; rates are null where none is counted."""
        some = self.counted > 0
        low, high = rate_interval(self.covered, self.counted) if some else (None, None)
        alone = [count / self.counted if some else None for count in self.covered_alone]
        return {
            "sources": self.sources,
            "snr_db": self.snr_db,
            "scenes": self.scenes,
            "counted": self.counted,
            "coverage": self.covered / self.counted if some else None,
            "coverage_low": low,
            "coverage_high": high,
            "coverage_alone": dict(zip(AXES, alone, strict=True)),
        }


def coverage(
    setup: Setup, backend: Backend, level: float, progress: Progress | None = None
) -> list[CoverageCell]:
    """Return how often the error bars of a backend cover the truth, point by point.

    Raises:
        InputError: The backend gives no error bars.
    """
    cells, done = [], 0
    points = [(count, snr_db) for count in setup.sources for snr_db in setup.snr_db]
    for count, snr_db in points:
        tally = torch.zeros(2 + len(AXES), dtype=torch.int64)
        for problem, truth in setup.chunks(snr_db, count):
            told = with_steering(truth, setup.data_steering)
            interior = Reference.of(told, bound_of(told, setup.bound)[1]).interior
            tally += _tally(truth, interior, backend(problem, None, None), level)
            done += problem.scenes
            if progress is not None:
                progress(done, setup.trials * len(points))
        counted, covered, *alone = tally.tolist()
        cells.append(
            CoverageCell(count, snr_db, setup.trials, level, counted, covered, tuple(alone))
        )
    return cells


def _tally(truth: Truth, interior: Tensor, estimates: Estimates, level: float) -> Tensor:
    """Return how many sources count, are covered jointly, and along each axis, (5,)."""
    scores, free = Scores.of(truth, estimates), truth.problem.free
    counted = scores.inlier & interior
    errors = scores.errors[..., AXES_OF_ERRORS][counted]
    spread = _covariances(truth, estimates)[counted]
    squares = errors[:, free] * torch.linalg.solve(spread[:, free][:, :, free], errors[:, free])
    joint = squares.sum(-1) <= chi2(int(free.sum())).ppf(level)
    alone = errors.square() <= chi2(1).ppf(level) * spread.diagonal(dim1=-2, dim2=-1)
    return torch.cat((counted.sum().view(1), joint.sum().view(1), alone.sum(0)))


def _covariances(truth: Truth, estimates: Estimates) -> Tensor:
    """Return the error covariance of every source's estimate, in deg, deg and 1/m, (S, K, 3, 3).

    In 1/r by var(w) = var(r)/r⁴ at the estimate, where the backend took it from.
    """
    if estimates.error_covariance is None:
        raise InputError(
            "coverage needs a backend whose estimates have error bars",
            "`risdoa plugins list --kind backend` names them: trait error-bars",
        )
    index = assigned(truth, estimates).clamp_min(0)
    chosen = torch.take_along_dim(estimates.error_covariance, index[..., None, None], 1)
    ranges = torch.take_along_dim(estimates.positions[..., 2], index, 1)
    scale = torch.full((*ranges.shape, 3), 1 / RAD_PER_DEG, dtype=chosen.dtype)
    scale[..., 2] = -1 / ranges**2
    scaled: Tensor = chosen * scale.unsqueeze(-1) * scale.unsqueeze(-2)
    return scaled
