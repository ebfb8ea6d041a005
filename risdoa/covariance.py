"""Covariances in factored form, R = F Fᴴ + δI."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from risdoa.errors import InputError


@dataclass(frozen=True)
class Covariance:
    """R = F Fᴴ + δI, Hermitian and positive semidefinite by construction.

    Norms, inner products and eigenvectors come from products of factors (J × J or N × J); the dense
    N × N matrix is made only by :meth:`dense`.

    Shapes:
        factor: (…, N, J) complex.
        load: (…) real δ >= 0, or None for 0.
    """

    factor: Tensor
    load: Tensor | None = None

    def __post_init__(self) -> None:
        """Check the shape of the factor."""
        if self.factor.ndim < 2 or not self.factor.is_complex():
            raise InputError(
                f"a covariance factor must be complex (…, N, J), got {tuple(self.factor.shape)} "
                f"{self.factor.dtype}"
            )

    @property
    def elements(self) -> int:
        """The number of elements N."""
        return self.factor.shape[-2]

    @property
    def width(self) -> int:
        """The width J of the factor, which bounds the rank of R - δI."""
        return self.factor.shape[-1]

    def load_or_zero(self) -> Tensor:
        """Return δ, 0 where there is none, (…)."""
        if self.load is not None:
            return self.load
        return self.factor.real.new_zeros(self.factor.shape[:-2])

    def gram(self) -> Tensor:
        """Return FᴴF, (…, J, J)."""
        return self.factor.mH @ self.factor

    def energy(self) -> Tensor:
        """Return ‖F‖² = tr(FFᴴ), (…)."""
        return squared_norm(self.factor)

    def trace(self) -> Tensor:
        """Return tr R = ‖F‖² + Nδ, (…)."""
        return self.energy() + self.elements * self.load_or_zero()

    def squared_norm(self) -> Tensor:
        """Return ‖R‖² = ‖FᴴF‖² + 2δ‖F‖² + δ²N, (…)."""
        load = self.load_or_zero()
        return (
            squared_norm(self._small_product()) + 2 * load * self.energy() + load**2 * self.elements
        )

    def _small_product(self) -> Tensor:
        """Return FᴴF or FFᴴ, whichever is smaller; both have the norm of FFᴴ."""
        narrow = self.width <= self.elements
        return self.gram() if narrow else self.factor @ self.factor.mH

    def inner(self, other: Covariance) -> Tensor:
        """Return tr(R S) = ‖F_RᴴF_S‖² + δ_R‖F_S‖² + δ_S‖F_R‖² + Nδ_Rδ_S, (…)."""
        mine, theirs = self.load_or_zero(), other.load_or_zero()
        return (
            squared_norm(self.factor.mH @ other.factor)
            + mine * other.energy()
            + theirs * self.energy()
            + self.elements * mine * theirs
        )

    def apply(self, vectors: Tensor) -> Tensor:
        """Return R X for X (…, N, P)."""
        shift = self.load_or_zero()[..., None, None] * vectors
        return self.factor @ (self.factor.mH @ vectors) + shift

    def signal_subspace(self, sources: int) -> Tensor:
        """Return the eigenvectors of the ``sources`` largest eigenvalues.

        Computed from the Gram matrix of the factor in double precision, then orthonormalised.

        Shapes:
            Returns (…, N, sources) complex128 with orthonormal columns.

        Raises:
            InputError: if the factor has fewer columns than sources are asked for.
        """
        if not 1 <= sources <= min(self.width, self.elements):
            raise InputError(
                f"a covariance of width {self.width} over {self.elements} elements has no "
                f"signal subspace of dimension {sources}",
                "ask for fewer sources, or use more snapshots",
            )
        factor = self.factor.to(torch.complex128)
        if self.width > self.elements:
            wide: Tensor = torch.linalg.eigh(factor @ factor.mH)[1][..., -sources:]
            return wide
        vectors = torch.linalg.eigh(factor.mH @ factor)[1][..., -sources:]
        basis: Tensor = torch.linalg.qr(factor @ vectors)[0]
        return basis

    def scaled(self, factor: Tensor) -> Covariance:
        """Return c·R for real c >= 0 of shape (…)."""
        load = None if self.load is None else self.load * factor
        return Covariance(self.factor * factor.sqrt()[..., None, None], load)

    def normalised(self) -> Covariance:
        """Return R scaled to tr R = N; a zero covariance stays zero."""
        mean = self.trace() / self.elements
        return self.scaled(mean.clamp_min(torch.finfo(mean.dtype).tiny).reciprocal())

    def unit_trace(self) -> Covariance:
        """Return R/tr R; a zero covariance stays zero.

        In two steps, the first without gradient: 1/tr² of a small R has no place in float32.
        """
        trace = self.trace().detach()
        near = self.scaled(trace.clamp_min(torch.finfo(trace.dtype).tiny).reciprocal())
        left = near.trace()
        return near.scaled(torch.where(left > 0, left, torch.ones_like(left)).reciprocal())

    def shrunk(self, alpha: float) -> Covariance:
        """Return (1 - α)R + α tr(R)/N · I."""
        load = (1 - alpha) * self.load_or_zero() + alpha * self.trace() / self.elements
        return Covariance(self.factor * (1 - alpha) ** 0.5, load)

    def blended(self, other: Covariance, beta: float) -> Covariance:
        """Return β R/tr(R)·N + (1 - β) S/tr(S)·N."""
        mine, theirs = self.normalised(), other.normalised()
        factor = torch.cat(
            (mine.factor * beta**0.5, theirs.factor.to(mine.factor.dtype) * (1 - beta) ** 0.5), -1
        )
        return Covariance(factor, beta * mine.load_or_zero() + (1 - beta) * theirs.load_or_zero())

    def dense(self) -> Tensor:
        """Return R as (…, N, N), on explicit request only."""
        eye = torch.eye(self.elements, dtype=self.factor.dtype, device=self.factor.device)
        return self.factor @ self.factor.mH + self.load_or_zero()[..., None, None] * eye

    def select(self, scenes: Tensor) -> Covariance:
        """Return the covariances of the chosen scenes."""
        return Covariance(self.factor[scenes], None if self.load is None else self.load[scenes])

    def to(self, dtype: torch.dtype) -> Covariance:
        """Return the covariance in another complex precision."""
        load = None if self.load is None else self.load.to(dtype.to_real())
        return Covariance(self.factor.to(dtype), load)

    def detach(self) -> Covariance:
        """Return the covariance cut from the graph that made it."""
        load = None if self.load is None else self.load.detach()
        return replace(self, factor=self.factor.detach(), load=load)


def squared_norm(matrix: Tensor) -> Tensor:
    """Return the squared Frobenius norm over the last two axes, with a gradient finite at 0."""
    parts = torch.view_as_real(matrix) if matrix.is_complex() else matrix.unsqueeze(-1)
    return (parts**2).sum((-3, -2, -1))
