"""The stochastic likelihood: s_l ~ CN(0, diag(p)), R_l = B_l P B_lᴴ + σ²I."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from risdoa.likelihood.evaluation import Evaluation, by_source, spread
from risdoa.likelihood.statistics import Bends, Grams
from risdoa.likelihood.whitened import Whitened, whitened


def stochastic(
    stats: Grams, powers: Tensor, noise: Tensor, bends: Bends | None = None
) -> Evaluation:
    """Return the negative log-likelihood Σ_l log|R_l| + y_lᴴR_l⁻¹y_l with its Fisher information.

    Gradient and information by Slepian–Bangs, F_ij = Σ_l tr(R_l⁻¹ ∂_iR_l R_l⁻¹ ∂_jR_l). With
    ``bends`` also the true Hessian.

    Shapes:
        powers: (S, K) > 0. noise: (S,) > 0, σ².
        Coordinates are (φ, θ, w) source by source, then log p_1 … log p_K, then log σ²: Q = 4K + 1.
    """
    white = whitened(stats, powers, noise)
    cost = (white.log_det + white.energy).sum(-1)
    slopes = _Slopes.of(white, powers)
    gradient, information = slopes.gradient(), slopes.information()
    found = Evaluation(cost, gradient, information)
    if bends is None:
        return found
    return replace(found, hessian=slopes.hessian(bends, gradient) - information)


@dataclass(frozen=True)
class _Slopes:
    """The derivatives of R_l by position or log power, c (f bᴴ + b fᴴ), and by log σ², σ²I.

    b is the vector of the source, f its derivative (c = p) or b itself (c = p/2).

    Shapes:
        owner: (4K,) the source of every coordinate. scale: c (S, 4K). rows: b_iᴴR⁻¹f_j (S, L or 1,
        4K, 4K), b_i that of the source of coordinate i. own: b_iᴴR⁻¹b_j.
    """

    white: Whitened
    powers: Tensor
    owner: Tensor
    scale: Tensor
    rows: Tensor
    own: Tensor

    @classmethod
    def of(cls, white: Whitened, powers: Tensor) -> _Slopes:
        """Return the derivatives by all positions and powers."""
        count = powers.shape[1]
        source = torch.arange(count, device=powers.device)
        owner = torch.cat((spread(source), source))
        scale = torch.cat((spread(powers), powers / 2), dim=-1)
        rows = white.rows.index_select(-2, owner)
        return cls(white, powers, owner, scale, rows, rows[..., -count:].index_select(-1, owner))

    @property
    def _moments(self) -> Tensor:
        """b_iᴴR⁻¹y of the source of every coordinate, (S, L, 4K)."""
        count = self.powers.shape[1]
        return self.white.moments[..., -count:].index_select(-1, self.owner)

    def gradient(self) -> Tensor:
        """Return Σ_l tr(R⁻¹∂R) - yᴴR⁻¹∂R R⁻¹y, (S, Q)."""
        white = self.white
        trace = self.rows.diagonal(dim1=-2, dim2=-1).real.sum(1)
        slope = white.repeats * trace - (self._moments.conj() * white.moments).real.sum(1)
        noise = white.repeats * white.trace.sum(1) - white.twice_energy.sum(1)
        return torch.cat((2 * self.scale * slope, white.noise * noise.unsqueeze(-1)), dim=-1)

    def information(self) -> Tensor:
        """Return Σ_l tr(R⁻¹ ∂_iR R⁻¹ ∂_jR), (S, Q, Q)."""
        white = self.white
        pairs = (self.rows * self.rows.mT + self.own * white.pairs.conj()).real.sum(1)
        twice = white.twice.index_select(-2, self.owner).diagonal(dim1=-2, dim2=-1)
        corner = white.trace_squared.sum(1)
        return white.repeats * self._matrix(pairs, twice.real.sum(1), corner)

    def hessian(self, bends: Bends, gradient: Tensor) -> Tensor:
        """Return the second derivatives and the information, their sum (S, Q, Q).

        That is Σ_l 2 Re yᴴR⁻¹ ∂_iR R⁻¹ ∂_jR R⁻¹y + tr(R⁻¹∂_ijR) - yᴴR⁻¹ ∂_ijR R⁻¹y. A derivative by
        the log power of the source or by the log noise power, once more, is the first derivative.
        """
        count = 3 * self.powers.shape[1]
        total = self._squares()
        total[:, :count, :count] += self._bent(bends)
        pulled = gradient[:, :count, None] * self._same(self.owner[count:])
        total[:, :count, count:-1] += pulled
        total[:, count:-1, :count] += pulled.mT
        total.diagonal(dim1=-2, dim2=-1)[:, count:] += gradient[:, count:]
        return total

    def _same(self, others: Tensor) -> Tensor:
        """Return where the coordinates of positions belong to the same source as others."""
        positions = self.owner[: 3 * self.powers.shape[1], None]
        return positions == others

    def _squares(self) -> Tensor:
        """Return Σ_l 2 Re yᴴR⁻¹ ∂_iR R⁻¹ ∂_jR R⁻¹y, (S, Q, Q)."""
        white, here, there = self.white, self._moments, self.white.moments
        crossed = _between(there, self.rows, here)
        pairs = _between(here, white.pairs, here) + _between(there, self.own, there)
        twice, thrice = white.twice_moments()
        sources = twice[..., -self.powers.shape[1] :].index_select(-1, self.owner)
        mixed = (here.conj() * twice + there.conj() * sources).real.sum(1)
        return self._matrix(pairs + crossed + crossed.mT, mixed, 2 * thrice.sum(1))

    def _bent(self, bends: Bends) -> Tensor:
        """Return Σ_l tr(R⁻¹∂_ijR) - yᴴR⁻¹ ∂_ijR R⁻¹y for positions i, j, (S, 3K, 3K)."""
        white, count = self.white, self.powers.shape[1]
        noise = white.noise[..., None, None]
        seen = (white.shrink.unsqueeze(-1) * bends.cross.transpose(-3, -2)).sum(-2)
        explained = (bends.cross.conj() * white.signals[..., None, None]).sum(2)
        fit = white.moments[..., -count:, None].conj() * (bends.moments - explained)
        second = white.repeats * seen.real.sum(1, keepdim=True) - fit.real.sum(1, keepdim=True)
        slopes = white.moments[..., : 3 * count]
        squares = white.repeats * white.pairs[..., : 3 * count, : 3 * count].real.sum(1)
        squares = squares - (slopes.unsqueeze(-1).conj() * slopes.unsqueeze(-2)).real.sum(1)
        bent = by_source((second / noise).sum(1)) + squares * self._same(self.owner[: 3 * count])
        return 2 * self.scale[:, : 3 * count, None] * bent

    def _matrix(self, pairs: Tensor, mixed: Tensor, corner: Tensor) -> Tensor:
        """Return a symmetric matrix over all coordinates: of f and f, of f and noise, of noise."""
        scale, noise = self.scale, self.white.noise
        inner = 2 * pairs * scale.unsqueeze(-1) * scale.unsqueeze(-2)
        side = (2 * mixed * scale * noise).unsqueeze(-1)
        bottom = torch.cat((side.mT, (corner.unsqueeze(-1) * noise**2).unsqueeze(-1)), dim=-1)
        return torch.cat((torch.cat((inner, side), dim=-1), bottom), dim=-2)


def _between(left: Tensor, matrix: Tensor, right: Tensor) -> Tensor:
    """Return Re Σ_l u_i* X_ij v_j, (S, 4K, 4K)."""
    product: Tensor = left.conj().unsqueeze(-1) * matrix * right.unsqueeze(-2)
    return product.real.sum(1)
