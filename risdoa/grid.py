"""Search grids whose density follows from the resolution of the array itself."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import unit_vectors


@dataclass(frozen=True)
class Resolution:
    """The −3 dB half-widths of |a(p)ᴴa(p')|²: rad across x, rad across y, and 1/m in w = 1/r."""

    azimuth: float
    elevation: float
    inverse_range: float


def resolution(array: Array, region: Tensor) -> Resolution:
    """Return the half-widths of an array in a region; see :func:`half_width`.

    The phase slopes are k x and k y (for a three-dimensional array: along its longest axis), and
    k (|p|² - (p·d)²)/2 for w, for the direction d of the region that resolves it best. Scenes with
    arrays of their own count as the one whose elements are spread the most.
    """
    scenes = array.positions.reshape(-1, array.count, 3).to(torch.float64)
    scenes = scenes - scenes.mean(1, keepdim=True)
    points, k = scenes[scenes.square().sum((1, 2)).argmax()], array.wavenumber
    if array.is_planar:
        across = [half_width(k * points[:, 0]), half_width(k * points[:, 1])]
    else:
        longest = torch.linalg.eigh(points.mT @ points)[1][:, -1]
        across = [half_width(k * (points @ longest))] * 2
    ends = [
        torch.linspace(float(low), float(high), 5).to(torch.float64) for low, high in region[:2]
    ]
    directions = unit_vectors(torch.cartesian_prod(*ends, torch.ones(1, dtype=torch.float64)))
    depth = (points**2).sum(-1, keepdim=True) - (points @ directions.T) ** 2
    ranges = [half_width(k * column / 2) for column in depth.T]
    return Resolution(across[0], across[1], min(ranges))


def half_width(slopes: Tensor) -> float:
    """Return the smallest δ with |mean exp(jtδ)|² = 1/2 for phase slopes t, inf if all are equal.

    Shapes:
        slopes: (N,) in radians per unit of δ.
    """
    spread = float(slopes.std(correction=0))
    if spread < 1e-9 * max(1.0, float(slopes.abs().max())):
        return math.inf
    offsets = torch.linspace(0, 3, 601, dtype=torch.float64) / spread
    coarse = torch.nonzero(_response(offsets[::10], slopes) < 0.5)
    if not coarse.numel():
        return float(offsets[-1])
    last = 10 * int(coarse[0])
    offsets = offsets[last - 10 : last + 1]
    power = _response(offsets, slopes)
    index = int(torch.nonzero(power < 0.5)[0])
    fraction = (power[index - 1] - 0.5) / (power[index - 1] - power[index])
    return float(offsets[index - 1] + fraction * (offsets[index] - offsets[index - 1]))


def _response(offsets: Tensor, slopes: Tensor) -> Tensor:
    """Return |mean exp(jtδ)|² at offsets δ."""
    return torch.polar(torch.ones(()).double(), offsets[:, None] * slopes).mean(-1).abs() ** 2


@dataclass(frozen=True)
class Grid:
    """Points in (φ, θ, w) on three axes; flattened with the azimuth running fastest.

    Shapes:
        azimuth: (A,) rad. elevation: (E,) rad. inverse_range: (W,) 1/m.
        full_circle: whether the azimuths go round, evenly, so that the last is next to the first.
    """

    azimuth: Tensor
    elevation: Tensor
    inverse_range: Tensor
    full_circle: bool = field(default=False, kw_only=True)

    @property
    def axes(self) -> tuple[Tensor, Tensor, Tensor]:
        """The axes φ, θ and w, in the order of the coordinates."""
        return self.azimuth, self.elevation, self.inverse_range

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
        widest = [max((float(b - a) for a, b in pairwise(axis)), default=0.0) for axis in self.axes]
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
    full_circle = bool(region[0, 1] - region[0, 0] >= 2 * math.pi - 1e-9)
    if full_circle:
        azimuth = azimuth[: max(1, len(azimuth) - 1)]
        elevation = _off_the_poles(elevation, widths.elevation / density)
    return Grid(
        azimuth,
        _axis(elevation, widths.elevation / density, sine),
        _axis(torch.stack((low, high)), widths.inverse_range / density, False),
        full_circle=full_circle,
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
    """Return points from bound to bound, at most ``step`` apart (in the sine if ``sine``).

    None is out of bounds, not by rounding either: a scan that refines nothing returns them.
    """
    ends = torch.sin(bounds) if sine else bounds
    width = float(ends[1] - ends[0])
    if width <= 0 or math.isinf(step):
        return bounds.mean().reshape(1)
    count = 1 + math.ceil(width / step)
    axis = torch.linspace(float(ends[0]), float(ends[1]), count, dtype=torch.float64)
    axis = torch.asin(axis.clamp(-1, 1)) if sine else axis
    return axis.clamp(bounds[0], bounds[1])
