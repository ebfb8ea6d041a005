"""The loss that differentiates an eigendecomposition, as it was and with a safe gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

import risdoa


class LegacyEvd(risdoa.Loss):
    """‖U_nᴴA‖²/K, U_n the N - K eigenvectors of R with the smallest eigenvalues.

    A holds the true steering vectors. The gradient goes through ``torch.linalg.eigh``, whose
    backward pass has factors 1/(λ_i - λ_j) for *all* pairs: where eigenvalues are equal, as those
    of a low-rank covariance are, it is not finite. That is what this loss is here to show.
    Complexity: O(N³) a scene.
    """

    def __call__(self, covariance: risdoa.Covariance, truth: risdoa.Truth) -> Tensor:
        """Return the loss of every scene, (S,).

        Raises:
            LinAlgError: if the eigendecomposition does not converge.
        """
        with torch.autocast(covariance.factor.device.type, enabled=False):
            dense, steering, sources = _parts(covariance, truth)
            vectors = torch.linalg.eigh(dense).eigenvectors
            return _energy(vectors, steering, _is_noise(dense, sources)) / sources.clamp_min(1)


class LegacyEvdSafe(risdoa.Loss):
    """‖U_nᴴA‖²/K as ``legacy-evd``, differentiated as a function of the signal projector.

    With P_s = U_sU_sᴴ it is (‖A‖² - tr(AᴴP_sA))/K, and for G = ∂L/∂P_s = -AAᴴ/K

        ∂L/∂R = M + Mᴴ,    M = U_s[(U_sᴴ G U_n) ∘ Φ]U_nᴴ,    Φ_ij = 1/(λ_i - λ_j),

    i in the signal and j in the noise: gaps within either play no part. Gaps below the rounding of
    the eigendecomposition, γ = N ε λ_1, count as (g² + γ²)/g, so that the gradient is finite where
    signal and noise meet. Complexity: O(N³) a scene.
    """

    def __call__(self, covariance: risdoa.Covariance, truth: risdoa.Truth) -> Tensor:
        """Return the loss of every scene, (S,).

        Raises:
            LinAlgError: if the eigendecomposition does not converge.
        """
        with torch.autocast(covariance.factor.device.type, enabled=False):
            parts = _parts(covariance, truth)
            value: Tensor = _NoiseEnergy.apply(*parts)  # type: ignore[no-untyped-call]
            return value / parts[2].clamp_min(1)


class _NoiseEnergy(torch.autograd.Function):
    """‖U_nᴴA‖² with the gradient of the signal projector."""

    @staticmethod
    def forward(ctx: Any, dense: Tensor, steering: Tensor, sources: Tensor) -> Tensor:
        """Return the energy of A in the noise subspace, (S,)."""
        values, vectors = torch.linalg.eigh(dense)
        noise = _is_noise(dense, sources)
        ctx.save_for_backward(values, vectors, vectors.mH @ steering, noise)
        return _energy(vectors, steering, noise)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        """Return M + Mᴴ, (S, N, N)."""
        values, vectors, seen, noise = ctx.saved_tensors
        gap = values.unsqueeze(-1) - values.unsqueeze(-2)
        count, rounding = values.shape[-1], torch.finfo(values.dtype).eps
        least = (count * rounding * values[..., -1:, None].abs()) ** 2 + gap**2
        inverse = gap / torch.where(least > 0, least, 1.0)
        pairs = ~noise.unsqueeze(-1) & noise.unsqueeze(-2)
        inner = -(seen @ seen.mH) * torch.where(pairs, inverse, 0.0)
        half = vectors @ inner @ vectors.mH
        return slope[:, None, None] * (half + half.mH), None, None


def _parts(covariance: risdoa.Covariance, truth: risdoa.Truth) -> tuple[Tensor, Tensor, Tensor]:
    """Return R (S, N, N), A (S, N, K) and the number of sources (S,)."""
    dense = covariance.dense()
    return dense, truth.steering_matrix().to(dense), truth.mask.sum(-1)


def _is_noise(dense: Tensor, sources: Tensor) -> Tensor:
    """Return which of the eigenvalues, in ascending order, are noise, (S, N) bool."""
    count = dense.shape[-1]
    return torch.arange(count, device=dense.device) < (count - sources).unsqueeze(-1)


def _energy(vectors: Tensor, steering: Tensor, noise: Tensor) -> Tensor:
    """Return ‖U_nᴴA‖², (S,)."""
    inside = vectors.mH @ steering
    energy = (inside.real**2 + inside.imag**2).sum(-1)
    return torch.where(noise, energy, torch.zeros_like(energy)).sum(-1)
