"""A bound in the units of a table: degrees, metres, and the position error bound."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.conventions import RAD_PER_DEG, unit_vectors

LEVELS = (
    ("azimuth", "deg"),
    ("elevation", "deg"),
    ("range", "m"),
    ("inverse_range", "1/m"),
    ("position", "m"),
)
"""What :func:`levels` returns, in this order, with units."""


def levels(positions: Tensor, mask: Tensor, covariance: Tensor) -> Tensor:
    """Return the RMS over the sources of every scene of what a bound says.

    √CRB of azimuth and elevation [deg], of range [m], of inverse range [1/m], and the position
    error bound [m].

    Shapes:
        positions: (S, K, 3) rad, rad, m. mask: (S, K) bool. covariance: (S, K, 3, 3) in rad, rad,
        m. Returns (S, 5).
    """
    variances = covariance.diagonal(dim1=-2, dim2=-1)
    inverse = variances[..., 2:] / positions[..., 2:] ** 4
    spread = position_error(positions, covariance).square().unsqueeze(-1)
    scale = variances.new_tensor([RAD_PER_DEG**-2, RAD_PER_DEG**-2, 1, 1, 1])
    every = torch.cat((variances, inverse, spread), dim=-1) * scale
    kept = torch.where(mask.unsqueeze(-1), every, torch.zeros_like(every))
    mean: Tensor = kept.sum(1) / mask.sum(-1, keepdim=True)
    return mean.sqrt()


def position_error(positions: Tensor, covariance: Tensor) -> Tensor:
    """Return the position error bound √tr(J C Jᵀ), J = ∂(ru, rv, rζ)/∂(φ, θ, r).

    The columns of J are orthogonal, of lengths r cos θ, r and 1, so that
    tr(J C Jᵀ) = r² cos²θ var(φ) + r² var(θ) + var(r).

    Shapes:
        positions: (…, 3) rad, rad, m. covariance: (…, 3, 3). Returns (…) m.
    """
    distance = positions[..., 2]
    across = distance * torch.linalg.vector_norm(unit_vectors(positions)[..., ::2], dim=-1)
    lengths = torch.stack((across, distance, torch.ones_like(distance)), dim=-1)
    variances = covariance.diagonal(dim1=-2, dim2=-1)
    total: Tensor = (lengths.square() * variances).sum(-1)
    return total.sqrt()
