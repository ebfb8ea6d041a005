"""How far off estimates are: errors, outliers, efficiency against a bound.

Definitions: ψ is the great-circle angle between the true and the estimated direction. An *outlier*
is a source with ψ > 5° or without an estimate. *Counted* sources are the inliers that stand at
least 3√CRB from every edge of the region (truncation biases the others); efficiency is
√(mean e²)/√(mean CRB) over the counted sources. A source is *resolved* where it is no outlier and
its estimate is told apart from every other source, a scene where all its sources are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from scipy.stats import binomtest
from torch import Tensor

from risdoa.bounds import position_error
from risdoa.conventions import COORDINATES, RAD_PER_DEG, cartesian, great_circle, short_way
from risdoa.evaluation.assignment import MISSING, assigned, half_widths
from risdoa.evaluation.resolution import told_apart
from risdoa.problem import Estimates, Truth

OUTLIER_DEG = 5.0
EDGE_SIGMAS = 3.0
CONFIDENCE = 0.95

ERRORS = (*COORDINATES, "inverse_range", "position")
UNITS = ("deg", "deg", "m", "1/m", "m")


@dataclass(frozen=True)
class Reference:
    """What errors are held against: which sources there are, and what the bound says.

    Shapes:
        mask: (S, K) bool. variances: (S, K, 5) CRB of azimuth, elevation [deg²], range [m²] and
        inverse range [1/m²], and the squared position error bound [m²]. interior: (S, K) bool, at
        least 3√CRB from every edge of the region. ranges: (S, K) m.
    """

    mask: Tensor
    variances: Tensor
    interior: Tensor
    ranges: Tensor

    @classmethod
    def of(cls, truth: Truth, bound: Tensor) -> Self:
        """Return the reference for a truth and a bound (S, K, 3, 3) in rad, rad, m."""
        variances = bound.diagonal(dim1=-2, dim2=-1)
        inverse = variances[..., 2:] / truth.positions[..., 2:] ** 4
        space = position_error(truth.positions, bound).square().unsqueeze(-1)
        scale = torch.tensor([RAD_PER_DEG**-2, RAD_PER_DEG**-2, 1, 1, 1], dtype=variances.dtype)
        scaled = torch.cat((variances, inverse, space), dim=-1) * scale
        return cls(truth.mask, scaled, _interior(truth, variances), truth.positions[..., 2])

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return the reference of several chunks of scenes."""
        return cls(**_joined(parts))


@dataclass(frozen=True)
class Scores:
    """The errors of one method, source by source.

    Shapes:
        mask: (S, K) bool, the true sources. found: (S, K) bool, those with an estimate.
        angle: (S, K) deg, ψ. errors: (S, K, 5) deg, deg, m, 1/m, and the distance in space in m.
        Both NaN where not found. resolved: (S, K) bool.
    """

    mask: Tensor
    found: Tensor
    angle: Tensor
    errors: Tensor
    resolved: Tensor

    @classmethod
    def of(cls, truth: Truth, estimates: Estimates) -> Self:
        """Assign estimates to sources and return the errors."""
        places, index = truth.positions, assigned(truth, estimates)
        found = index != MISSING
        matched = torch.take_along_dim(
            estimates.positions.to(places.dtype), index.clamp_min(0).unsqueeze(-1), dim=1
        )
        nan = torch.full_like(places[..., 0], math.nan)
        angle = torch.where(found, great_circle(places, matched) / RAD_PER_DEG, nan)
        errors = torch.where(found.unsqueeze(-1), _errors(places, matched), nan.unsqueeze(-1))
        apart = told_apart(places, truth.mask, matched, half_widths(truth.problem.array)[0])
        return cls(truth.mask, found, angle, errors, found & (angle <= OUTLIER_DEG) & apart)

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Return the scores of several chunks of scenes."""
        return cls(**_joined(parts))

    def only(self, chosen: Tensor) -> Self:
        """Return the scores of some sources (S, K) alone."""
        mask, found, resolved = (each & chosen for each in (self.mask, self.found, self.resolved))
        return replace(self, mask=mask, found=found, resolved=resolved)

    @property
    def inlier(self) -> Tensor:
        """Which sources were found within 5°, (S, K) bool."""
        return self.found & (self.angle <= OUTLIER_DEG)


@dataclass(frozen=True)
class Rate:
    """How many of how many, and the share with Wilson's 95 % interval."""

    hits: int
    total: int
    share: float
    low: float
    high: float

    @classmethod
    def of(cls, hits: Tensor) -> Self:
        """Return the rate of what is true among some, (n,) bool."""
        count, total = int(hits.sum()), hits.numel()
        return cls(count, total, count / total, *rate_interval(count, total))


@dataclass(frozen=True)
class Deviation:
    """The error in one coordinate; None where there was nothing to average.

    Attributes:
        coordinate: azimuth, elevation, range, inverse_range or position: how far off in space.
        unit: deg, m or 1/m.
        rmse: over every source that was found.
        rmse_inliers: over the inliers.
        rmse_resolved: over the resolved sources.
        rmse_counted: over the counted sources, the numerator of the efficiency.
        median, percentile_90: of the absolute error over every source that was found.
        sqrt_crb: over the counted sources, the denominator of the efficiency.
        efficiency: their ratio; 1 meets the bound.
    """

    coordinate: str
    unit: str
    rmse: float | None
    rmse_inliers: float | None
    rmse_resolved: float | None
    rmse_counted: float | None
    median: float | None
    percentile_90: float | None
    sqrt_crb: float | None
    efficiency: float | None


@dataclass(frozen=True)
class Summary:
    """The figures of one method on one set of scenes; rates are shares of the sources."""

    trials: int
    sources: int
    missing: int
    outliers: int
    counted: int
    outlier_rate: float
    outlier_low: float
    outlier_high: float
    scene_outlier_rate: float
    resolved: Rate
    resolved_scenes: Rate
    deviations: tuple[Deviation, ...]

    def efficiencies(self) -> tuple[float | None, float | None, float | None]:
        """Return the efficiency in azimuth, elevation and range, the last pooled in 1/r.

        The deviation of r grows as r², so that a mean over 0.5 to 10 m would be that of the few
        farthest sources; 1/r is resolved alike everywhere.
        """
        azimuth, elevation, _, inverse_range, _ = (each.efficiency for each in self.deviations)
        return azimuth, elevation, inverse_range


def summarise(scores: Scores, reference: Reference) -> Summary:
    """Return the figures of one method."""
    inlier = scores.inlier
    outlier = scores.mask & ~inlier
    counted = inlier & reference.interior
    total, outliers = int(scores.mask.sum()), int(outlier.sum())
    low, high = rate_interval(outliers, total)
    return Summary(
        trials=scores.mask.shape[0],
        sources=total,
        missing=int((scores.mask & ~scores.found).sum()),
        outliers=outliers,
        counted=int(counted.sum()),
        outlier_rate=outliers / total,
        outlier_low=low,
        outlier_high=high,
        scene_outlier_rate=float(outlier.any(-1).double().mean()),
        resolved=Rate.of(scores.resolved[scores.mask]),
        resolved_scenes=Rate.of((scores.resolved | ~scores.mask).all(-1)),
        deviations=tuple(
            _deviation(axis, scores, reference.variances[..., axis], inlier, counted)
            for axis in range(len(ERRORS))
        ),
    )


def rate_interval(hits: int, total: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a rate."""
    interval = binomtest(hits, total).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def _deviation(
    axis: int, scores: Scores, variance: Tensor, inlier: Tensor, counted: Tensor
) -> Deviation:
    """Return the error in one coordinate."""
    error = scores.errors[..., axis]
    spread, bound = _rms(error[counted]), _rms(variance[counted].sqrt())
    return Deviation(
        coordinate=ERRORS[axis],
        unit=UNITS[axis],
        rmse=_rms(error[scores.found]),
        rmse_inliers=_rms(error[inlier]),
        rmse_resolved=_rms(error[scores.resolved]),
        rmse_counted=spread,
        median=_quantile(error[scores.found], 0.5),
        percentile_90=_quantile(error[scores.found], 0.9),
        sqrt_crb=bound,
        efficiency=spread / bound if spread is not None and bound else None,
    )


def _errors(truth: Tensor, estimates: Tensor) -> Tensor:
    """Return estimate - truth in deg, deg, m and 1/m, and their distance in m, (S, K, 5).

    Azimuths go the short way round.
    """
    difference = estimates - truth
    turn = short_way(difference[..., 0])
    inverse = estimates[..., 2].reciprocal() - truth[..., 2].reciprocal()
    angles = turn / RAD_PER_DEG, difference[..., 1] / RAD_PER_DEG
    apart = torch.linalg.vector_norm(cartesian(estimates) - cartesian(truth), dim=-1)
    return torch.stack((*angles, difference[..., 2], inverse, apart), dim=-1)


def _interior(truth: Truth, variances: Tensor) -> Tensor:
    """Return which sources stand at least 3√CRB from every edge; a full circle has no edge."""
    region = truth.problem.region.to(variances.dtype)
    places = truth.positions
    room = torch.minimum(places - region[:, 0], region[:, 1] - places)
    closed = truth.problem.free.clone()
    closed[0] &= bool(region[0, 1] - region[0, 0] < 2 * math.pi - 1e-9)
    return truth.mask & ((room >= EDGE_SIGMAS * variances.sqrt()) | ~closed).all(-1)


def _quantile(values: Tensor, share: float) -> float | None:
    """Return a quantile of |x|, or None for nothing."""
    return float(values.abs().quantile(share)) if values.numel() else None


def _rms(values: Tensor) -> float | None:
    """Return √(mean x²), or None for nothing."""
    return float(values.square().mean().sqrt()) if values.numel() else None


def _joined(parts: Sequence[Reference] | Sequence[Scores]) -> dict[str, Tensor]:
    """Return the fields of the parts, put together along the scenes."""
    names = [field.name for field in fields(parts[0])]
    return {name: torch.cat([getattr(part, name) for part in parts]) for name in names}
