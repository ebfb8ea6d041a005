"""The small products that the projection losses are made of, with one backward pass for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from risdoa.covariance import Covariance
from risdoa.problem import Truth
from risdoa.subspace import orthonormal_basis, seed_weights


@dataclass(frozen=True)
class Projector:
    """P = A W onto the span of the true steering vectors, Hermitian.

    Shapes:
        columns: A (S, N, K). weights: W (S, K, N).
    """

    columns: Tensor
    weights: Tensor

    @classmethod
    def qr(cls, truth: Truth, like: Tensor) -> Projector:
        """Return QQᴴ from an orthonormal basis of A, idempotent to machine precision."""
        basis = orthonormal_basis(truth.steering_matrix().to(like), truth.mask)
        return cls(basis, basis.mH)

    @classmethod
    def seed(cls, truth: Truth, like: Tensor, epsilon: float) -> Projector:
        """Return A(AᴴA + εI)⁻¹Aᴴ, idempotent to max λε/(λ + ε)² over the eigenvalues of AᴴA."""
        steering = truth.steering_matrix().to(like)
        return cls(steering, seed_weights(steering, epsilon).to(like))

    def complement(self, vectors: Tensor) -> Tensor:
        """Return P⊥V, (S, N, J)."""
        return vectors - self.columns @ (self.weights @ vectors)

    def fourth_power(self) -> Tensor:
        """Return tr P⊥⁴ = N - K + tr (I - WA)⁴, (S,)."""
        elements, width = self.columns.shape[-2:]
        inside = self.weights.to(torch.complex128) @ self.columns.to(torch.complex128)
        left = torch.eye(width, dtype=inside.dtype, device=inside.device) - inside
        return (elements - width + trace(left @ left @ left @ left)).to(self.columns.real.dtype)


@dataclass(frozen=True)
class Grams:
    """H = FᴴP⊥²F and G = FᴴF over tr R, a constant to the graph, and the load over it.

    For a loss that does not depend on the scale of R the division changes neither value nor
    gradient; it keeps fourth powers of small numbers away from underflow.

    Shapes:
        outside: (S, J, J). whole: (S, J, J). load: (S,) or None. scale: 1/tr R, (S,).
    """

    outside: Tensor
    whole: Tensor
    load: Tensor | None
    scale: Tensor

    @classmethod
    def of(cls, covariance: Covariance, projector: Projector) -> Grams:
        """Return the products for R = FFᴴ + δI."""
        parts = covariance.factor, projector.columns, projector.weights
        outside, whole = _Grams.apply(*parts)  # type: ignore[no-untyped-call]
        size = trace(whole.detach())
        if covariance.load is not None:
            size = size + covariance.elements * covariance.load.detach()
        scale = size.clamp_min(torch.finfo(size.dtype).tiny).reciprocal()
        each = scale[:, None, None]
        load = None if covariance.load is None else covariance.load * scale
        return cls(outside * each, whole * each, load, scale)

    def squared_norm(self, elements: int) -> Tensor:
        """Return ‖R‖² = ‖G‖² + 2δ tr G + δ²N, (S,), above 0."""
        norm = inner(self.whole, self.whole)
        if self.load is not None:
            norm = norm + 2 * self.load * trace(self.whole) + self.load**2 * elements
        return norm.clamp_min(torch.finfo(norm.dtype).tiny)


def inner(one: Tensor, other: Tensor) -> Tensor:
    """Return tr(XY) of Hermitian matrices, (S,)."""
    product = torch.view_as_real(one) * torch.view_as_real(other)
    return product.sum((-3, -2, -1))


def trace(matrix: Tensor) -> Tensor:
    """Return the trace of a Hermitian matrix, (S,) real."""
    total: Tensor = matrix.diagonal(dim1=-2, dim2=-1).real.sum(-1)
    return total


class _Grams(torch.autograd.Function):
    """FᴴP⊥²F and FᴴF from two products of the size N J², one forward and one backward.

    With E = F - PF: FᴴF = EᴴE + Eᴴ(PF) + (PF)ᴴE + (PF)ᴴ(PF), of which all but the first are of
    rank K; a sum, so that nothing cancels. For gradients X and Y in H and G that in F is
    P⊥²F(X + Xᴴ) + F(Y + Yᴴ) = F(X + Xᴴ + Y + Yᴴ) - AZ(X + Xᴴ) with P⊥²F = F - AZ.
    """

    @staticmethod
    def forward(
        ctx: Any, factor: Tensor, columns: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return H and G, (S, J, J) each."""
        inside = weights @ factor
        rest = torch.baddbmm(factor, columns, inside, alpha=-1)
        outside = rest.mH @ rest
        mixed = (columns.mH @ rest).mH @ inside
        within = inside.mH @ (columns.mH @ columns @ inside)
        ctx.save_for_backward(factor, columns, inside + weights @ rest)
        return outside, outside + mixed + mixed.mH + within

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, in_outside: Tensor, in_whole: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient in F, (S, N, J)."""
        factor, columns, twice = ctx.saved_tensors
        below = in_outside + in_outside.mH
        every = below + in_whole + in_whole.mH
        slope = torch.baddbmm(factor @ every, columns, twice @ below, alpha=-1)
        return slope, None, None
