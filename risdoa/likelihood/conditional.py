"""The conditional likelihood: signals are unknown constants, shared within blocks."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from risdoa.likelihood.evaluation import Evaluation, by_source, spread
from risdoa.likelihood.statistics import Bends, Grams, block_sums


def _regularised(gram: Tensor) -> Tensor:
    """Return a K × K Gram matrix with a load at rounding level, so that it can be inverted."""
    scale = gram.diagonal(dim1=-2, dim2=-1).real.mean(-1)[..., None, None]
    eye = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    precision = torch.finfo(gram.dtype)
    return gram + (500 * precision.eps * scale + precision.tiny) * eye


def conditional(stats: Grams, bends: Bends | None = None) -> Evaluation:
    """Return the concentrated conditional cost Σ_b ‖Π_b⊥ y_b‖² with its Gauss–Newton model.

    With ŝ = B⁺y, J = Π⊥ D diag(ŝ): gradient -2 Re(Jᴴy), curvature 2 Re(JᴴJ), summed over blocks
    (Golub & Pereyra, 1973, with Kaufman's simplification). With ``bends`` also the true Hessian.

    Shapes:
        Coordinates are (φ, θ, w) source by source: Q = 3K.
    """
    bends = None if bends is None else bends.block_sums(stats.blocks)
    stats = block_sums(stats)
    count = stats.sources
    signals_gram = _regularised(stats.gram[..., :count, :count])
    cross = stats.gram[..., :count, count:]
    slopes_gram = stats.gram[..., count:, count:]
    signals = torch.linalg.solve(signals_gram, stats.moments[..., :count].unsqueeze(-1))
    explained = (stats.moments[..., :count].conj() * signals.squeeze(-1)).sum(-1).real
    weights = spread(signals.squeeze(-1))
    residual = stats.moments[..., count:] - (cross.mH @ signals).squeeze(-1)
    gradient = -2 * (weights.conj() * residual).real.sum(1)
    projected = slopes_gram - cross.mH @ torch.linalg.solve(signals_gram, cross)
    curvature = _weighted(projected, weights)
    found = Evaluation((stats.energy - explained).sum(-1), gradient, curvature)
    if bends is None:
        return found
    mixed = cross * weights.unsqueeze(-2) - _of_owners(residual, count)
    inner = mixed.mH @ torch.linalg.solve(signals_gram, mixed)
    bend = _weighted(slopes_gram, weights) - 2 * inner.real.sum(1)
    return replace(found, hessian=bend - by_source(_pull(bends, signals.squeeze(-1))))


def _weighted(gram: Tensor, weights: Tensor) -> Tensor:
    """Return 2 Σ_b Re(diag(ŝ)ᴴ X_b diag(ŝ)), (S, 3K, 3K)."""
    weighted: Tensor = weights.conj().unsqueeze(-1) * gram * weights.unsqueeze(-2)
    return 2 * weighted.real.sum(1)


def _of_owners(values: Tensor, count: int) -> Tensor:
    """Return values of the coordinates (S, B, 3K) in the rows of their sources, (S, B, K, 3K)."""
    eye = torch.eye(count, dtype=values.dtype, device=values.device)
    return spread(eye) * values.unsqueeze(-2)


def _pull(bends: Bends, signals: Tensor) -> Tensor:
    """Return 2 Re Σ_b ŝ*(∂²b)ᴴ(y - Bŝ), by how much residuals bend the cost, (S, K, 6)."""
    seen = (bends.cross.conj() * signals[..., None, None]).sum(2)
    pull: Tensor = signals.conj().unsqueeze(-1) * (bends.moments - seen)
    return 2 * pull.real.sum(1)


def deterministic_information(stats: Grams, signals: Tensor) -> Tensor:
    """Return σ² times the Fisher information of the positions with unknown constant signals.

    F = (2/σ²) Σ_b Re(S_bᴴ (DᴴD - DᴴB(BᴴB)⁻¹BᴴD) S_b), S = diag(s) ⊗ I₃ (Stoica & Nehorai, 1989).

    Shapes:
        signals: (S, L, K), equal within blocks. Returns (S, 3K, 3K) for (φ, θ, w).
    """
    first = _first_of_block(stats.blocks)
    stats = block_sums(stats)
    count = stats.sources
    cross = stats.gram[..., :count, count:]
    inverse = torch.linalg.solve(_regularised(stats.gram[..., :count, :count]), cross)
    projected = stats.gram[..., count:, count:] - cross.mH @ inverse
    return _weighted(projected, spread(signals[:, first]))


def _first_of_block(blocks: Tensor) -> Tensor:
    """Return the index of the first snapshot of every block."""
    count = int(blocks.max()) + 1
    index = torch.arange(blocks.numel(), device=blocks.device)
    first = torch.full((count,), blocks.numel(), device=blocks.device)
    return first.scatter_reduce(0, blocks, index, "amin")
