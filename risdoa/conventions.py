"""Coordinates, units and signs: the one place where they are decided.

The array lies in the x-y plane around the origin, broadside along +z. A source at azimuth φ,
elevation θ and range r stands at r·(u, v, ζ) with

    u = sin φ cos θ,    v = sin θ,    ζ = cos φ cos θ.

Inside the library positions are (φ, θ, r) in radians and metres. Files, tables and the command line
use degrees and metres, and the name carries the unit (``azimuth_deg``, ``range_m``). Searches run
in (φ, θ, w) with w = 1/r, in which the range resolution of an array is uniform.

Fields follow exp(-jkρ): the phase falls with the distance ρ travelled.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

COORDINATES = ("azimuth", "elevation", "range")
SNR_DEFINITION = "mean |noise-free output|^2 / noise variance, per output, all sources together"
RAD_PER_DEG = math.pi / 180.0


def direction_cosines(azimuth: Tensor, elevation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return (u, v, ζ) = (sin φ cos θ, sin θ, cos φ cos θ).

    Shapes:
        azimuth, elevation: (…) rad. Returns three tensors (…), dimensionless.
    """
    cos_elevation = torch.cos(elevation)
    return (
        torch.sin(azimuth) * cos_elevation,
        torch.sin(elevation),
        torch.cos(azimuth) * cos_elevation,
    )


def short_way(turn: Tensor) -> Tensor:
    """Return the turns by the same angles that go the short way round, in [-π, π) rad."""
    return torch.remainder(turn + math.pi, math.tau) - math.pi


def unit_vectors(positions: Tensor) -> Tensor:
    """Return the directions (u, v, ζ) of positions.

    Shapes:
        positions: (…, 3) rad, rad, m (only the angles are read). Returns (…, 3).
    """
    return torch.stack(direction_cosines(positions[..., 0], positions[..., 1]), dim=-1)


def cartesian(positions: Tensor) -> Tensor:
    """Return r·(u, v, ζ).

    Shapes:
        positions: (…, 3) rad, rad, m. Returns (…, 3) m.
    """
    return unit_vectors(positions) * positions[..., 2:]


def from_cartesian(points: Tensor) -> Tensor:
    """Return (φ, θ, r) of Cartesian points; the inverse of :func:`cartesian`.

    Shapes:
        points: (…, 3) m. Returns (…, 3) rad, rad, m.
    """
    x, y, z = points.unbind(-1)
    azimuth = torch.atan2(x, z)
    elevation = torch.atan2(y, torch.hypot(x, z))
    return torch.stack((azimuth, elevation, torch.linalg.vector_norm(points, dim=-1)), dim=-1)


def invert_range(positions: Tensor) -> Tensor:
    """Exchange (φ, θ, r) and (φ, θ, w = 1/r); its own inverse, r = inf being w = 0.

    Shapes:
        positions: (…, 3). Returns (…, 3).
    """
    return torch.cat((positions[..., :2], positions[..., 2:].reciprocal()), dim=-1)


def folded(positions: Tensor) -> Tensor:
    """Return the same places with azimuths within ±π and elevations within ±π/2.

    A search may run on over the seam of a full circle, or over a pole and down on the other side;
    places that did not are left as they are.

    Shapes:
        positions: (…, 3) in (φ, θ, anything). Returns (…, 3).
    """
    u, v, depth = direction_cosines(positions[..., 0], positions[..., 1])
    angles = torch.stack((torch.atan2(u, depth), torch.atan2(v, torch.hypot(u, depth))), dim=-1)
    limits = positions.new_tensor([math.pi, math.pi / 2])
    outside = (positions[..., :2].abs() > limits).any(-1, keepdim=True)
    return torch.cat((torch.where(outside, angles, positions[..., :2]), positions[..., 2:]), -1)


def to_degrees(positions: Tensor) -> Tensor:
    """Turn (…, 3) [rad, rad, m] into [deg, deg, m]."""
    return torch.cat((positions[..., :2] / RAD_PER_DEG, positions[..., 2:]), dim=-1)


def to_radians(positions_deg_m: Tensor) -> Tensor:
    """Turn (…, 3) [deg, deg, m] into [rad, rad, m]."""
    return torch.cat((positions_deg_m[..., :2] * RAD_PER_DEG, positions_deg_m[..., 2:]), dim=-1)


def great_circle(first: Tensor, second: Tensor) -> Tensor:
    """Return the angle ψ between two directions, accurate near 0 and near π.

    ψ = 2 atan2(|d₁ - d₂|, |d₁ + d₂|) for unit vectors d₁ and d₂ (Kahan, 2006).

    Shapes:
        first, second: (…, 3) rad, rad, m, broadcast. Returns (…) rad.
    """
    d1, d2 = unit_vectors(first), unit_vectors(second)
    return 2.0 * torch.atan2(
        torch.linalg.vector_norm(d1 - d2, dim=-1), torch.linalg.vector_norm(d1 + d2, dim=-1)
    )
