"""The exact model: spherical waves, for any array."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.steering.base import PhaseSteering, along, direction_derivatives, squared_radius


class Spherical(PhaseSteering):
    """ψ = r - ρ with ρ = |p_n - r d|.

    Evaluated without cancellation as

        ψ = (2 s - |p|² w) / (1 + ρw),   ρw = √(1 - 2 w s + w² |p|²),   s = p·d,

    which is finite and exact from w = 0 (a plane wave) to the near field.
    """

    def lead(self, array: Array, search: Tensor) -> Tensor:
        """Return ψ; see :meth:`PhaseSteering.lead`."""
        direction, _, _ = direction_derivatives(search)
        projection, inverse = along(array, direction), search[..., 2].unsqueeze(-2)
        relative = _relative_distance(array, projection, inverse)
        return (2 * projection - squared_radius(array) * inverse) / (1 + relative)

    def lead_derivatives(self, array: Array, search: Tensor) -> Tensor:
        """Return ∂ψ, from ∂ψ/∂s = 1/(ρw) and ∂ψ/∂w = -(|p|² - ψ²)/(2 ρw)."""
        direction, by_azimuth, by_elevation = direction_derivatives(search)
        projection, inverse = along(array, direction), search[..., 2].unsqueeze(-2)
        relative = _relative_distance(array, projection, inverse)
        lead = (2 * projection - squared_radius(array) * inverse) / (1 + relative)
        bend = -(squared_radius(array) - lead**2) / (2 * relative)
        return torch.stack(
            (along(array, by_azimuth) / relative, along(array, by_elevation) / relative, bend),
            dim=-1,
        )


def _relative_distance(array: Array, projection: Tensor, inverse: Tensor) -> Tensor:
    """Return ρ/r = √(1 - 2 w s + w²|p|²), (…, N, K)."""
    return torch.sqrt(1 - 2 * inverse * projection + inverse**2 * squared_radius(array))
