"""The small products that the projection losses are made of, with one backward pass for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from risdoa.covariance import Covariance, squared_norm
from risdoa.problem import Truth
from risdoa.subspace import orthonormal_basis


@dataclass(frozen=True)
class Projector:
    """P = A W onto the span of the true steering vectors, Hermitian: W = (AᴴA + εI)⁻¹Aᴴ.

    Shapes:
        columns: A (S, N, K). weights: W (S, K, N).
        left: I - WA = ε(AᴴA + εI)⁻¹, (S, K, K). within: AᴴA + 2εI, (S, K, K).
    """

    columns: Tensor
    weights: Tensor
    left: Tensor
    within: Tensor

    @classmethod
    def qr(cls, truth: Truth, like: Tensor) -> Projector:
        """Return QQᴴ from an orthonormal basis of A: ε = 0, idempotent to machine precision."""
        basis = orthonormal_basis(truth.steering_matrix().to(like), truth.mask)
        eye = torch.eye(basis.shape[-1], dtype=like.dtype, device=like.device)
        spare = torch.arange(basis.shape[-1], device=like.device) >= truth.mask.sum(-1, True)
        return cls(basis, basis.mH, spare.unsqueeze(-1) * eye, eye.expand(len(basis), -1, -1))

    @classmethod
    def seed(cls, truth: Truth, like: Tensor, epsilon: float) -> Projector:
        """Return A(AᴴA + εI)⁻¹Aᴴ, idempotent to max λε/(λ + ε)² over the eigenvalues of AᴴA.

        The K × K algebra is in double precision, where AᴴA is near a singular matrix.
        """
        steering = truth.steering_matrix().to(like)
        wide = steering.to(torch.complex128)
        gram = wide.mH @ wide
        load = epsilon * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
        inverse = torch.linalg.inv(gram + load)
        parts = (inverse @ wide.mH, epsilon * inverse, gram + 2 * load)
        return cls(steering, *(part.to(like) for part in parts))

    def complement(self, vectors: Tensor) -> Tensor:
        """Return P⊥V, (S, N, J)."""
        return torch.baddbmm(vectors, self.columns, self.weights @ vectors, alpha=-1)

    def fourth_power(self) -> Tensor:
        """Return tr P⊥⁴ = N - K + tr (I - WA)⁴, (S,)."""
        elements, width = self.columns.shape[-2:]
        return elements - width + squared_norm(self.left @ self.left)


@dataclass(frozen=True)
class Grams:
    """H = FᴴP⊥²F and G = FᴴF over tr R, a constant to the graph, and the load over it.

    For a loss that does not depend on the scale of R the division changes neither value nor
    gradient; it keeps fourth powers of small numbers away from underflow.

    Shapes:
        outside: H (S, J, J, 2), real and imaginary parts apart. whole: G likewise.
        load: (S,) or None. scale: 1/tr R, (S,).
    """

    outside: Tensor
    whole: Tensor
    load: Tensor | None
    scale: Tensor

    @classmethod
    def of(cls, covariance: Covariance, projector: Projector) -> Grams:
        """Return the products for R = FFᴴ + δI."""
        parts = (projector.columns, projector.weights, projector.left, projector.within)
        products = _Grams.apply(covariance.factor, *parts)  # type: ignore[no-untyped-call]
        outside, whole = (torch.view_as_real(each) for each in products)
        size = trace(whole.detach())
        if covariance.load is not None:
            size = size + covariance.elements * covariance.load.detach()
        scale = size.clamp_min(torch.finfo(size.dtype).tiny).reciprocal()
        each = scale[:, None, None, None]
        load = None if covariance.load is None else covariance.load * scale
        return cls(outside * each, whole * each, load, scale)

    def squared_norm(self, elements: int) -> Tensor:
        """Return ‖R‖² = ‖G‖² + 2δ tr G + δ²N, (S,), above 0."""
        norm = inner(self.whole, self.whole)
        if self.load is not None:
            norm = norm + 2 * self.load * trace(self.whole) + self.load**2 * elements
        return norm.clamp_min(torch.finfo(norm.dtype).tiny)


def inner(one: Tensor, other: Tensor) -> Tensor:
    """Return tr(XY) of Hermitian matrices, (S,), given as (S, J, J, 2)."""
    return (one * other).sum((-3, -2, -1))


def trace(matrix: Tensor) -> Tensor:
    """Return the trace of a Hermitian matrix, (S,), given as (S, J, J, 2)."""
    total: Tensor = matrix[..., 0].diagonal(dim1=-2, dim2=-1).sum(-1)
    return total


class _Grams(torch.autograd.Function):
    """FᴴP⊥²F and FᴴF by two products of N × J with J × J, one forward and one backward.

    With C = WF and E = P⊥F = F - AC: AᴴE = εC and WE = (I - WA)C, so that

        FᴴP⊥²F = EᴴE,    FᴴF = EᴴE + Cᴴ(AᴴA + 2εI)C,

    a sum in which nothing cancels. For gradients X and Y in the two, the one in F is
    P⊥²F(X + Xᴴ) + F(Y + Yᴴ), with P⊥²F = F - AZ and Z = C + (I - WA)C.
    """

    @staticmethod
    def forward(
        ctx: Any, factor: Tensor, columns: Tensor, weights: Tensor, left: Tensor, within: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return H and G, (S, J, J) each."""
        inside = weights @ factor
        rest = torch.baddbmm(factor, columns, inside, alpha=-1)
        outside = rest.mH @ rest
        ctx.save_for_backward(factor, columns, torch.baddbmm(inside, left, inside))
        return outside, torch.baddbmm(outside, inside.mH, within @ inside)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, in_outside: Tensor, in_whole: Tensor
    ) -> tuple[Tensor, None, None, None, None]:
        """Return the gradient in F, (S, N, J)."""
        factor, columns, twice = ctx.saved_tensors
        below = in_outside + in_outside.mH
        every = below + in_whole + in_whole.mH
        slope = factor @ every
        slope.baddbmm_(columns, twice @ below, alpha=-1)
        return slope, None, None, None, None
