"""Search grids whose density follows from the resolution of the array itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import unit_vectors

HALF_WIDTH = 1.15
"""−3 dB half-width over the one of the parabola at the peak, |aᴴa'|² ≈ 1 - k² var(p) δ²."""


@dataclass(frozen=True)
class Resolution:
    """The −3 dB half-widths of |a(p)ᴴa(p')|²: rad across x, rad across y, and 1/m in w = 1/r."""

    azimuth: float
    elevation: float
    inverse_range: float


def resolution(array: Array, region: Tensor) -> Resolution:
    """Return the half-widths of an array in a region, from the spread of its elements.

    For small offsets |aᴴa'|² = 1 - k² var(p·δd) and 1 - k² var(|p|² - (p·d)²) δw²/4; the
    half-widths follow from the spread across the region's directions, the largest one counting.
    """
    points = array.positions.reshape(-1, array.count, 3).to(torch.float64)
    points = points - points.mean(1, keepdim=True)
    k = array.wavenumber
    spread = points.var(1, correction=0)
    if array.is_planar:
        across = spread[:, 0].max(), spread[:, 1].max()
    else:
        widest = torch.linalg.eigvalsh(points.mT @ points / array.count).max()
        across = widest, widest
    corners = torch.cartesian_prod(
        torch.linspace(float(region[0, 0]), float(region[0, 1]), 5, dtype=torch.float64),
        torch.linspace(float(region[1, 0]), float(region[1, 1]), 5, dtype=torch.float64),
        torch.ones(1, dtype=torch.float64),
    )
    depth = (points**2).sum(-1, keepdim=True) - (points @ unit_vectors(corners).T) ** 2
    bend = depth.var(1, correction=0).max() / 4
    widths = [
        HALF_WIDTH / (k * math.sqrt(2 * float(value))) if float(value) > 0 else math.inf
        for value in (*across, bend)
    ]
    return Resolution(*widths)


@dataclass(frozen=True)
class Grid:
    """Points in (φ, θ, w) on three axes; flattened with the azimuth running fastest.

    Shapes:
        azimuth: (A,) rad. elevation: (E,) rad. inverse_range: (W,) 1/m.
    """

    azimuth: Tensor
    elevation: Tensor
    inverse_range: Tensor

    @property
    def shape(self) -> tuple[int, int, int]:
        """The number of points along w, θ and φ."""
        return len(self.inverse_range), len(self.elevation), len(self.azimuth)

    def points(self) -> Tensor:
        """Return all points, (W·E·A, 3) in (φ, θ, w)."""
        w, e, a = torch.meshgrid(self.inverse_range, self.elevation, self.azimuth, indexing="ij")
        return torch.stack((a, e, w), dim=-1).reshape(-1, 3)

    def positions(self) -> Tensor:
        """Return all points as positions, (W·E·A, 3) in rad, rad, m."""
        points = self.points()
        return torch.cat((points[:, :2], points[:, 2:].reciprocal()), dim=-1)

    def steps(self) -> Tensor:
        """Return the widest spacing along φ, θ and w, (3,); 0 along an axis of one point."""
        axes = (self.azimuth, self.elevation, self.inverse_range)
        widest = [max((float(b - a) for a, b in pairwise(axis)), default=0.0) for axis in axes]
        return torch.tensor(widest, dtype=torch.float64)


def search_grid(array: Array, region: Tensor, density: float = 1.0) -> Grid:
    """Return a grid over a region with ``density`` points per −3 dB half-width.

    Angles are uniform in their sine for arrays in the x-y plane, whose resolution is uniform there,
    and uniform otherwise; ranges are uniform in 1/r. A fixed coordinate, and one that the array
    does not resolve, gets one point. On a full circle ±180° is there once, and no point lies on a
    pole, where all azimuths are one and none leads away.

    Shapes:
        region: (3, 2) rad, rad, m.
    """
    region = region.to(torch.float64).cpu()
    widths = resolution(array, region)
    in_front = bool((region[:2].abs() <= math.pi / 2 + 1e-9).all())
    sine = array.is_planar and in_front
    low, high = 1 / region[2, 1], 1 / region[2, 0]
    azimuth = _axis(region[0], widths.azimuth / density, sine)
    elevation = region[1]
    if bool(region[0, 1] - region[0, 0] >= 2 * math.pi - 1e-9):
        azimuth = azimuth[: max(1, len(azimuth) - 1)]
        elevation = _off_the_poles(elevation, widths.elevation / density)
    return Grid(
        azimuth,
        _axis(elevation, widths.elevation / density, sine),
        _axis(torch.stack((low, high)), widths.inverse_range / density, False),
    )


def _off_the_poles(bounds: Tensor, step: float) -> Tensor:
    """Return the bounds of the elevation, half a step inside where they are poles."""
    width = float(bounds[1] - bounds[0])
    if width <= 0 or math.isinf(step):
        return bounds
    half = width / math.ceil(width / step) / 2
    pole = math.pi / 2 - 1e-9
    low, high = float(bounds[0]), float(bounds[1])
    inside = (low + half * (low <= -pole), high - half * (high >= pole))
    return torch.tensor(inside, dtype=bounds.dtype)


def _axis(bounds: Tensor, step: float, sine: bool) -> Tensor:
    """Return points from bound to bound, at most ``step`` apart (in the sine if ``sine``)."""
    ends = torch.sin(bounds) if sine else bounds
    width = float(ends[1] - ends[0])
    if width <= 0 or math.isinf(step):
        return bounds.mean().reshape(1)
    axis = torch.linspace(float(ends[0]), float(ends[1]), 1 + math.ceil(width / step))
    axis = axis.to(torch.float64)
    return torch.asin(axis.clamp(-1, 1)) if sine else axis
