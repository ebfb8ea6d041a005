"""Waves that are right, and waves that are wrong in a known way.

The reference does not go through any steering model: exp(-jk|p - p_n|), written down once more.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import invert_range
from risdoa.frozen import changed
from risdoa.steering.base import Steering


class Converging(Steering):
    """A steering model at w < 0: what it says of w is what the model says of -w.

    A wave with a negative 1/r converges. No source makes one, but conjugated data look like it:
    a*(d, w) = a(-d, -w) for every exact or second-order model.
    """

    def __init__(self, model: Steering) -> None:
        self._model = model

    def __call__(self, array: Array, positions: Tensor) -> Tensor:
        """Return the steering vectors at (φ, θ, -r); see :meth:`Steering.__call__`."""
        return self._model(array, _mirrored_range(positions))

    def derivatives(self, array: Array, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return a and its derivatives in (φ, θ, w); see :meth:`Steering.derivatives`."""
        steering, slopes = self._model.derivatives(array, _mirrored_range(positions))
        return steering, torch.cat((slopes[..., :2], -slopes[..., 2:]), dim=-1)

    def lines(self, array: Array) -> tuple[Array, Array] | None:
        """Return the lines of the model itself; see :meth:`Steering.lines`."""
        return self._model.lines(array)


class Turned(Steering):
    """A steering model with a global phase: exp(jα)·a, which no estimate may depend on."""

    def __init__(self, model: Steering, phase: float) -> None:
        self._model = model
        self._factor = torch.polar(*torch.tensor([1.0, phase], dtype=torch.float64).split(1))

    def __call__(self, array: Array, positions: Tensor) -> Tensor:
        """Return exp(jα) times the steering vectors; see :meth:`Steering.__call__`."""
        steering = self._model(array, positions)
        return steering * self._factor.to(steering)

    def derivatives(self, array: Array, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return exp(jα) times both; see :meth:`Steering.derivatives`."""
        steering, slopes = self._model.derivatives(array, positions)
        return steering * self._factor.to(steering), slopes * self._factor.to(slopes)


def reference(array: Array, positions: Tensor) -> Tensor:
    """Return exp(-jk(|p - p_n| - |p|))/√N, straight from the definition.

    Shapes:
        positions: (S, K, 3) rad, rad, m. Returns (S, N, K) complex128.
    """
    azimuth, elevation, r = positions.to(torch.float64).unbind(-1)
    x = r * torch.sin(azimuth) * torch.cos(elevation)
    y = r * torch.sin(elevation)
    z = r * torch.cos(azimuth) * torch.cos(elevation)
    sources = torch.stack((x, y, z), dim=-1).unsqueeze(-3)
    elements = array.positions.to(torch.float64).unsqueeze(-2)
    path = torch.linalg.vector_norm(sources - elements, dim=-1) - r.unsqueeze(-2)
    phase = -array.wavenumber * path
    return torch.polar(torch.ones_like(phase), phase) / math.sqrt(array.count)


def moved(array: Array, shift: Tensor, scale: float = 1.0) -> Array:
    """Return the array, scaled about the origin and then shifted by (3,) m."""
    return changed(array, positions=array.positions * scale + shift)


def reordered(array: Array, order: Tensor) -> Array:
    """Return the array with its elements in another order, (N,) int."""
    return changed(array, positions=array.positions[..., order, :])


def exchanged(array: Array) -> Array:
    """Return the array with x and y exchanged."""
    return changed(array, positions=array.positions[..., [1, 0, 2]])


def transposed_order(array: Array) -> Tensor | None:
    """Return the order of a lattice's elements with y running fastest, None if it is no lattice."""
    lines = array.lines()
    if lines is None or min(lines[0].count, lines[1].count) < 2:
        return None
    grid = torch.arange(array.count).view(lines[1].count, lines[0].count)
    order: Tensor = grid.T.flatten()
    return order


def _mirrored_range(positions: Tensor) -> Tensor:
    """Return (φ, θ, -r)."""
    search = invert_range(positions)
    return invert_range(torch.cat((search[..., :2], -search[..., 2:]), dim=-1))
