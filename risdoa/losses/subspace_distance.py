"""Distances between the signal subspace of a covariance and the span of the true steering vectors.

Both come from the principal angles θ_k between them, sin²θ_k being the eigenvalues of I - QᴴP_sQ,
with Q an orthonormal basis of the true steering vectors and P_s the projector onto the K leading
eigenvectors of R. Sums of functions of eigenvalues need no gaps between those; the gradient of P_s
itself has factors 1/(λ_i - λ_j) with i in the signal and j in the noise alone, see
:func:`risdoa.losses.signal_projector.overlap`.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from risdoa.covariance import Covariance
from risdoa.losses.base import Loss
from risdoa.losses.signal_projector import overlap
from risdoa.problem import Truth
from risdoa.subspace import orthonormal_basis

SHORT = 1e-3
"""Below this sin²θ a series replaces arcsin², to 2e-14 relative to it."""

EDGE = 1e-6
"""sin²θ is taken times 1 - EDGE: the slope of arcsin² has no end at a right angle."""


class SubspaceDistance(Loss):
    """Σ_k d(sin²θ_k)/K over the principal angles; subclasses say what d is."""

    @abstractmethod
    def of_angles(self, squares: Tensor) -> Tensor:
        """Return d(sin²θ) of every angle.

        Shapes:
            squares: (S, K), within rounding of 0 to 1. Returns (S, K).
        """

    def __call__(self, covariance: Covariance, truth: Truth) -> Tensor:
        """Return the loss of every scene; see :meth:`Loss.__call__`."""
        with torch.autocast(covariance.factor.device.type, enabled=False):
            scaled = covariance.to(torch.complex128)
            sources = truth.mask.sum(-1)
            basis = orthonormal_basis(truth.steering_matrix().to(scaled.factor), truth.mask)
            shared = overlap(scaled, basis, sources)
            there = torch.arange(basis.shape[-1], device=basis.device) < sources.unsqueeze(-1)
            squares = torch.linalg.eigvalsh(torch.diag_embed(there.to(shared)) - shared)
            total = self.of_angles(squares).sum(-1) / sources.clamp_min(1)
            return total.to(covariance.factor.real.dtype)


class Chordal(SubspaceDistance):
    """Σ sin²θ_k/K = ‖P_s - QQᴴ‖²/2K, the squared chordal distance between the subspaces.

    Complexity: O(N J (J + K) + J³) a scene, forward and backward.
    """

    def of_angles(self, squares: Tensor) -> Tensor:
        """Return sin²θ."""
        return squares


class Geodesic(SubspaceDistance):
    """Σ θ_k²/K, the squared length of the shortest path between the subspaces.

    arcsin² is smooth in sin²θ where θ = 0, at the optimum, and has the slope 1 there.
    Complexity: O(N J (J + K) + J³) a scene, forward and backward.
    """

    def of_angles(self, squares: Tensor) -> Tensor:
        """Return θ² = arcsin²(√s): s + s²/3 + 8s³/45 + 4s⁴/35 where s is small."""
        squares = squares * (1 - EDGE)
        short = squares < SHORT
        series = squares * (1 + squares * (1 / 3 + squares * (8 / 45 + squares * 4 / 35)))
        angle = torch.asin(torch.where(short, 0.5, squares).clamp_max(1).sqrt())
        return torch.where(short, series, angle**2)
