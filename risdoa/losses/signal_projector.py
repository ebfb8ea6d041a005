"""The projector onto the signal subspace of a covariance, differentiated through signal-noise gaps.

For the projector P_s onto the K leading eigenvectors of R and G = ∂L/∂P_s,

    ∂L/∂R = M + Mᴴ,    M = U_s[(U_sᴴ G U_n) ∘ Φ]U_nᴴ,    Φ_ij = 1/(λ_i - λ_j),

i in the signal and j in the noise: gaps within the signal, or within the noise, play no part. The
same holds for T = Σ_i v_i v_iᴴ/λ_i over the K leading eigenpairs of FᴴF, with which P_s = F T Fᴴ.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from risdoa.covariance import Covariance

GAP = 1e-6
"""A gap g counts as (g² + γ²)/g with γ this share of the largest eigenvalue: where signal and noise
meet, the subspace is not defined, and a slope without end would say nothing."""

EMPTY = 1e-12
"""Eigenvalues below this share of the largest are 0: R has no such direction."""


def overlap(covariance: Covariance, basis: Tensor, sources: Tensor) -> Tensor:
    """Return QᴴP_sQ; directions of the signal subspace that R lacks, being of lower rank, are 0.

    Shapes:
        basis: Q (S, N, K). sources: (S,) int, the dimension of the signal subspace.
        Returns (S, K, K).
    """
    scaled = covariance.unit_trace()
    seen = scaled.factor.mH @ basis
    inverse: Tensor = _SignalInverse.apply(scaled.gram(), sources)  # type: ignore[no-untyped-call]
    return seen.mH @ inverse @ seen


class _SignalInverse(torch.autograd.Function):
    """T = Σ v_i v_iᴴ/λ_i over the leading eigenpairs of a Gram matrix.

    A function h of eigenvalues, whose derivative has the divided differences of h: -1/(λ_i λ_j)
    within the signal, 1/(λ_i (λ_i - λ_j)) between signal and noise, 0 within the noise.
    """

    @staticmethod
    def forward(ctx: Any, gram: Tensor, sources: Tensor) -> Tensor:
        """Return T, (S, J, J)."""
        values, vectors = torch.linalg.eigh(gram)
        width = values.shape[-1]
        rank = torch.arange(width - 1, -1, -1, device=values.device)
        largest = values[..., -1:]
        there = values > EMPTY * largest.clamp_min(torch.finfo(values.dtype).tiny)
        signal = (rank < sources.unsqueeze(-1)) & there
        inverse = torch.where(signal, values, 1.0).reciprocal() * signal
        ctx.save_for_backward(values, vectors, signal, inverse)
        total: Tensor = (vectors * inverse.unsqueeze(-2)) @ vectors.mH
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        """Return the gradient in the Gram matrix, (S, J, J)."""
        values, vectors, signal, inverse = ctx.saved_tensors
        row, column = signal.unsqueeze(-1), signal.unsqueeze(-2)
        gap = values.unsqueeze(-1) - values.unsqueeze(-2)
        wide = (GAP * values[..., -1:, None]) ** 2 + gap**2
        smooth = gap / torch.where(wide > 0, wide, 1.0)
        within = -inverse.unsqueeze(-1) * inverse.unsqueeze(-2)
        between = inverse.unsqueeze(-1) * smooth * (row & ~column)
        weights = within + between + between.mT
        inner = vectors.mH @ slope @ vectors
        return vectors @ (weights * inner) @ vectors.mH, None
