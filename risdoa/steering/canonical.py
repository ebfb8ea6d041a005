"""The seed's near-field model: exact in the angles, quadratic in the aperture, separable."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.errors import InputError
from risdoa.steering.base import PhaseSteering, along, direction_derivatives, squared_radius


class Canonical(PhaseSteering):
    """ψ = x u + y v - (x² + y²) w / 2, for arrays in the x-y plane.

    The cross term (x u + y v)² w / 2 of the Fresnel expansion is dropped, so that the model factors
    into a_x(u, w) ⊗ a_y(v, w). Source: the design note that risdoa started from.
    """

    def check(self, array: Array) -> None:
        """Refuse arrays that leave the x-y plane."""
        if not array.is_planar:
            raise InputError(
                "the canonical steering model holds only for arrays in the x-y plane (z = 0)",
                "use --steering spherical for a three-dimensional array",
            )

    def lead(self, array: Array, search: Tensor) -> Tensor:
        """Return ψ; see :meth:`PhaseSteering.lead`."""
        direction, _, _ = direction_derivatives(search)
        curvature = search[..., 2].unsqueeze(-2) / 2
        return along(array, direction) - squared_radius(array) * curvature

    def lead_derivatives(self, array: Array, search: Tensor) -> Tensor:
        """Return ∂ψ = (p·∂d/∂φ, p·∂d/∂θ, -(x² + y²)/2)."""
        _, by_azimuth, by_elevation = direction_derivatives(search)
        slope = along(array, by_azimuth)
        bend = (-squared_radius(array) / 2).expand_as(slope)
        return torch.stack((slope, along(array, by_elevation), bend), dim=-1)

    def lines(self, array: Array) -> tuple[Array, Array] | None:
        """Return the lines that the array is the product of; see :meth:`Steering.lines`."""
        return array.lines()
