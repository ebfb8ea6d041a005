"""R_l⁻¹ between sources, their derivatives and the snapshots, by Woodbury's identity."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.likelihood.statistics import Grams


@dataclass(frozen=True)
class Whitened:
    """Products with R_l⁻¹, R_l = B_l P B_lᴴ + σ²I.

    With T = (σ²P⁻¹ + BᴴB)⁻¹ and W = σ²P⁻¹T it is R⁻¹ = σ⁻²(I - B T Bᴴ) and BᴴR⁻¹ = σ⁻² W Bᴴ, from
    which all follows without differences of large numbers. The columns F are ∂φ, ∂θ, ∂w of every
    source and then the b_k themselves, as the coordinates are ordered.

    Shapes:
        pairs: FᴴR⁻¹F (S, L or 1, 4K, 4K). rows: BᴴR⁻¹F (S, L or 1, K, 4K). twice: BᴴR⁻²F.
        moments: FᴴR⁻¹y (S, L, 4K). signals: T Bᴴy (S, L, K). shrink: W (S, L or 1, K, K).
        trace, trace_squared: tr R⁻¹, tr R⁻² (S, L or 1). energy, twice_energy: yᴴR⁻¹y,
        ‖R⁻¹y‖² (S, L). log_det: log|R| (S, L or 1). noise: σ² (S, 1).
    """

    pairs: Tensor
    rows: Tensor
    twice: Tensor
    moments: Tensor
    signals: Tensor
    shrink: Tensor
    trace: Tensor
    trace_squared: Tensor
    energy: Tensor
    twice_energy: Tensor
    log_det: Tensor
    noise: Tensor

    @property
    def repeats(self) -> int:
        """How many snapshots each of the matrices stands for."""
        return self.moments.shape[1] // self.pairs.shape[1]

    def twice_moments(self) -> tuple[Tensor, Tensor]:
        """Return FᴴR⁻²y and yᴴR⁻³y, (S, L, 4K) and (S, L)."""
        explained = (self.rows.mH @ self.signals.unsqueeze(-1)).squeeze(-1)
        moments = (self.moments - explained) / self.noise[..., None]
        of_sources = moments[..., -self.rows.shape[-2] :]
        thrice = self.twice_energy - (self.signals.conj() * of_sources).real.sum(-1)
        return moments, thrice / self.noise


def whitened(stats: Grams, powers: Tensor, noise: Tensor) -> Whitened:
    """Return the products of :class:`Whitened`.

    Shapes:
        powers: (S, K) > 0. noise: (S,) > 0, σ².
    """
    count, outputs, sigma = stats.sources, stats.outputs, noise[:, None]
    gram = stats.gram.roll((-count, -count), (-2, -1))
    products, moments = gram[..., -count:, :], stats.moments.roll(-count, -1)
    inner = products[..., -count:]
    load = _load(inner, powers, noise)
    lower, failed = torch.linalg.cholesky_ex(inner + torch.diag_embed(load.to(gram.dtype)))
    middle = torch.cholesky_inverse(lower)
    shrink = load.unsqueeze(-1) * middle
    rows = (shrink / sigma[..., None, None]) @ products
    seen = moments[..., -count:].unsqueeze(-1)
    signals = middle @ seen
    explained = (seen.conj() * signals).sum((-2, -1)).real
    loaded = (load * _squared(signals.squeeze(-1))).sum(-1)
    within = shrink.diagonal(dim1=-2, dim2=-1).sum(-1).real
    twice_within = (shrink * shrink.mT).sum((-2, -1)).real
    of_sources = 2 * lower.diagonal(dim1=-2, dim2=-1).real.log().sum(-1)
    return Whitened(
        pairs=(gram - products.mH @ (middle @ products)) / sigma[..., None, None],
        rows=rows,
        twice=(shrink / sigma[..., None, None]) @ rows,
        moments=(moments - (products.mH @ signals).squeeze(-1)) / sigma[..., None],
        signals=signals.squeeze(-1),
        shrink=shrink,
        trace=(outputs - count + within) / sigma,
        trace_squared=(outputs - count + twice_within) / sigma**2,
        energy=(stats.energy - explained) / sigma,
        twice_energy=(stats.energy - explained - loaded) / sigma**2,
        log_det=of_sources.masked_fill(failed > 0, torch.inf)
        + powers.log().sum(-1, keepdim=True)
        + (outputs - count) * sigma.log(),
        noise=sigma,
    )


def _load(inner: Tensor, powers: Tensor, noise: Tensor) -> Tensor:
    """Return σ²/p, no less than what makes BᴴB regular in its precision, (S, 1, K)."""
    mean = inner.diagonal(dim1=-2, dim2=-1).real.mean((1, 2))
    least = 8 * torch.finfo(inner.dtype).eps * mean
    return torch.maximum(noise[:, None] / powers, least[:, None]).unsqueeze(1)


def _squared(values: Tensor) -> Tensor:
    """Return |z|²."""
    return values.real.square() + values.imag.square()
