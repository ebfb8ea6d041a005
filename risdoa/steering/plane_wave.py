"""The far-field model: plane waves, for any array."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.steering.base import PhaseSteering, along, direction_derivatives


class PlaneWave(PhaseSteering):
    """ψ = x u + y v + z ζ: the range plays no part."""

    def lead(self, array: Array, search: Tensor) -> Tensor:
        """Return ψ; see :meth:`PhaseSteering.lead`."""
        direction, _, _ = direction_derivatives(search)
        return along(array, direction)

    def lead_derivatives(self, array: Array, search: Tensor) -> Tensor:
        """Return ∂ψ = (p·∂d/∂φ, p·∂d/∂θ, 0)."""
        _, by_azimuth, by_elevation = direction_derivatives(search)
        slope = along(array, by_azimuth)
        return torch.stack((slope, along(array, by_elevation), torch.zeros_like(slope)), dim=-1)

    def lines(self, array: Array) -> tuple[Array, Array] | None:
        """Return the lines that the array is the product of; see :meth:`Steering.lines`."""
        return array.lines()
