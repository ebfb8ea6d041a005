"""Peaks of a spectrum one after the other, each with all that cannot be told apart from it."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import unit_vectors
from risdoa.grid import Grid, resolution
from risdoa.scan.peaks import NOWHERE, Peaks, local_maxima, placed

VALLEY = 0.5
"""Along a ridge in range two maxima are two peaks if the spectrum falls by 3 dB in between."""


class Scale:
    """Directions and inverse ranges in units of the −3 dB half-widths of an array."""

    def __init__(self, array: Array, region: Tensor) -> None:
        widths = resolution(array, region)
        across = widths.azimuth, widths.elevation
        self._units = (*across, torch.inf) if array.is_planar else (across[0],) * 3
        self.depth = widths.inverse_range

    def directions(self, search: Tensor) -> Tensor:
        """Return (u, v, ζ) in half-widths, those of a planar array along its axes, (…, 3)."""
        across: Tensor = unit_vectors(search) / torch.tensor(self._units).to(search)
        return across

    def close(self, one: Tensor, other: Tensor) -> Tensor:
        """Return whether places (…, 3) in (φ, θ, w) lie within a half-width of each other."""
        across = (self.directions(one) - self.directions(other)).square().sum(-1)
        close: Tensor = (across <= 1) & ((one[..., 2] - other[..., 2]).abs() <= self.depth)
        return close


class Apart:
    """A spectrum that gives away its peaks, the highest first.

    With a peak goes everything in its direction, within a half-width, that is no nearer or farther
    than a half-width in 1/r or lies on the same ridge: range shows in the curvature of a wave
    alone, and maxima along a ridge that never falls by 3 dB are one source.

    Shapes:
        spectrum: (S, P) in the order of the grid's points, > 0.
    """

    def __init__(self, spectrum: Tensor, grid: Grid, scale: Scale) -> None:
        self._grid, self._depth = grid, scale.depth
        self._volume = spectrum.unflatten(1, grid.shape)
        self._left = local_maxima(self._volume, grid.full_circle)
        rest = grid.shape[1] * grid.shape[2]
        points = grid.points().to(spectrum.device)
        self._directions = scale.directions(points[:rest]).to(torch.float32)
        self._inverse_range = points[::rest, 2].to(torch.float32)

    def take(self) -> tuple[Peaks, Tensor]:
        """Return the highest peak that is left, (S, 1) of it, and whether there is one, (S,)."""
        height, index = self._left.flatten(1).max(dim=-1, keepdim=True)
        found = placed(self._volume, self._grid, index)
        self._left = torch.where(self._same(index), NOWHERE, self._left)
        return found, height.squeeze(1) > NOWHERE

    def keep(self, scenes: Tensor) -> None:
        """Give away peaks of the chosen scenes alone from now on."""
        self._volume, self._left = self._volume[scenes], self._left[scenes]

    def _same(self, index: Tensor) -> Tensor:
        """Return what is not told apart from the peaks at grid points (S, 1), (S, W, E, A)."""
        depths, rows, columns = self._volume.shape[1:]
        place, direction = index // (rows * columns), index % (rows * columns)
        off = self._directions - self._directions[direction]
        beside = (off.square().sum(-1) <= 1).unflatten(1, (rows, columns)).unsqueeze(1)
        ridge = torch.where(beside, self._volume, 0).amax((2, 3))
        steps = torch.arange(depths, device=index.device)
        inside = ridge.new_tensor(torch.inf)
        beyond = torch.where(steps >= place, ridge, inside).cummin(1).values
        before = torch.where(steps <= place, ridge, inside).flip(1).cummin(1).values.flip(1)
        valley = torch.where(steps >= place, beyond, before)[..., None, None]
        away = (self._inverse_range - self._inverse_range[place]).abs() > self._depth
        same: Tensor = beside & ~(away[..., None, None] & (valley < VALLEY * self._volume))
        return same
