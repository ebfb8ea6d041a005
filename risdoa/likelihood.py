"""The likelihood of the measurements, from small Gram matrices.

With V_l = G_l [A, ∂A] of a scene (M × 4K: the K observed steering vectors and their derivatives in
φ, θ and w of every source), everything that estimation and bounds need is in

    Γ_l = V_lᴴ V_l  (4K × 4K),   z_l = V_lᴴ y_l  (4K),   e_l = ‖y_l‖²,

so that neither N nor M appears behind this module. Columns are ordered b_1 … b_K, then source by
source ∂φ, ∂θ, ∂w.

Two likelihoods: the *conditional* one, in which the signals are unknown constants (shared within
blocks of snapshots), and the *stochastic* one, s_l ~ CN(0, diag(p)), R_l = B_l P B_lᴴ + σ²I.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.conventions import invert_range
from risdoa.problem import Problem
from risdoa.snapshots import sum_blocks


@dataclass(frozen=True)
class Grams:
    """The statistics of a problem at given positions.

    Shapes:
        gram: (S, L or 1, 4K, 4K). moments: (S, L, 4K). energy: (S, L).
        blocks: (L,) block of every snapshot, 0 … B-1. outputs: M. sources: K.
    """

    gram: Tensor
    moments: Tensor
    energy: Tensor
    blocks: Tensor
    outputs: int
    sources: int

    @property
    def snapshots(self) -> int:
        """The number of snapshots L."""
        return self.energy.shape[-1]


def observed(problem: Problem, search: Tensor) -> Tensor:
    """Return V_l = G_l [A, ∂A], in the precision of the snapshots.

    Shapes:
        search: (S·C, K, 3) rad, rad, 1/m, C sets of sources a scene, one scene after the other.
        Returns (S·C, L or 1, M, 4K) complex.
    """
    count = search.shape[1]
    places = search.to(torch.float64).reshape(problem.scenes, -1, 3)
    steering, slopes = problem.steering.derivatives(problem.array, invert_range(places))
    steering, slopes = steering.unflatten(-1, (-1, count)), slopes.unflatten(-2, (-1, count))
    columns = torch.cat((steering, slopes.flatten(-2)), dim=-1)
    seen = problem.snapshots.sensing.observe(columns.flatten(-2).to(problem.snapshots.values.dtype))
    apart: Tensor = seen.unflatten(-1, columns.shape[-2:]).movedim(-2, 1)
    return apart.flatten(0, 1)


def grams(problem: Problem, search: Tensor, values: Tensor | None = None) -> Grams:
    """Return the statistics at positions (φ, θ, w), in the precision of the snapshots.

    ``values`` (S, L, M) replace the problem's snapshots, as a bound does with noise-free ones.
    Single precision is enough for a search; a last descent and a bound take double.

    Shapes:
        search: (S·C, K, 3), C sets of sources a scene, one scene after the other.
    """
    snapshots = problem.snapshots
    values = snapshots.values if values is None else values.to(snapshots.values.dtype)
    energy = (values.real**2 + values.imag**2).sum(-1)
    columns = observed(problem, search)
    sets = len(search) // problem.scenes
    adjoint = columns.mH
    moments = adjoint @ values.repeat_interleave(sets, dim=0).unsqueeze(-1)
    return Grams(
        gram=adjoint @ columns,
        moments=moments.squeeze(-1),
        energy=energy.repeat_interleave(sets, dim=0),
        blocks=snapshots.block_index,
        outputs=snapshots.outputs,
        sources=search.shape[1],
    )


def block_sums(stats: Grams) -> Grams:
    """Return the statistics of the stacked snapshots of every block: sums over the block.

    Γ of stacked matrices is the sum of the Γ_l; likewise z and e. L becomes the number of blocks.
    """
    count = int(stats.blocks.max()) + 1
    if count == stats.snapshots:
        return stats
    expanded = stats.gram.expand(-1, stats.snapshots, -1, -1)

    return Grams(
        sum_blocks(expanded, stats.blocks, count),
        sum_blocks(stats.moments, stats.blocks, count),
        sum_blocks(stats.energy, stats.blocks, count),
        torch.arange(count, device=stats.blocks.device),
        stats.outputs * stats.snapshots // count,
        stats.sources,
    )


@dataclass(frozen=True)
class Evaluation:
    """A cost to minimise with its gradient and a positive semidefinite curvature.

    Shapes:
        cost: (S,). gradient: (S, Q). curvature: (S, Q, Q).
    """

    cost: Tensor
    gradient: Tensor
    curvature: Tensor

    def to(self, dtype: torch.dtype) -> Evaluation:
        """Return it in another real precision."""
        return Evaluation(self.cost.to(dtype), self.gradient.to(dtype), self.curvature.to(dtype))


def _regularised(gram: Tensor) -> Tensor:
    """Return a K × K Gram matrix with a load at rounding level, so that it can be inverted."""
    scale = gram.diagonal(dim1=-2, dim2=-1).real.mean(-1)[..., None, None]
    eye = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    precision = torch.finfo(gram.dtype)
    return gram + (500 * precision.eps * scale + precision.tiny) * eye


def _spread(weights: Tensor) -> Tensor:
    """Return weights of sources (…, K) repeated for their three coordinates (…, 3K)."""
    return weights.repeat_interleave(3, dim=-1)


def conditional(stats: Grams) -> Evaluation:
    """Return the concentrated conditional cost Σ_b ‖Π_b⊥ y_b‖² with its Gauss–Newton model.

    With ŝ = B⁺y, J = Π⊥ D diag(ŝ): gradient -2 Re(Jᴴy), curvature 2 Re(JᴴJ), summed over blocks
    (Golub & Pereyra, 1973, with Kaufman's simplification).

    Shapes:
        Coordinates are (φ, θ, w) source by source: Q = 3K.
    """
    stats = block_sums(stats)
    count = stats.sources
    signals_gram = _regularised(stats.gram[..., :count, :count])
    cross = stats.gram[..., :count, count:]
    slopes_gram = stats.gram[..., count:, count:]
    signals = torch.linalg.solve(signals_gram, stats.moments[..., :count].unsqueeze(-1))
    explained = (stats.moments[..., :count].conj() * signals.squeeze(-1)).sum(-1).real
    weights = _spread(signals.squeeze(-1))
    residual = stats.moments[..., count:] - (cross.mH @ signals).squeeze(-1)
    gradient = -2 * (weights.conj() * residual).real.sum(1)
    projected = slopes_gram - cross.mH @ torch.linalg.solve(signals_gram, cross)
    curvature = 2 * (weights.conj().unsqueeze(-1) * projected * weights.unsqueeze(-2)).real.sum(1)
    return Evaluation((stats.energy - explained).sum(-1), gradient, curvature)


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
    weights = _spread(signals[:, first])
    information: Tensor = 2 * (
        weights.conj().unsqueeze(-1) * projected * weights.unsqueeze(-2)
    ).real.sum(1)
    return information


def _first_of_block(blocks: Tensor) -> Tensor:
    """Return the index of the first snapshot of every block."""
    count = int(blocks.max()) + 1
    index = torch.arange(blocks.numel(), device=blocks.device)
    first = torch.full((count,), blocks.numel(), device=blocks.device)
    return first.scatter_reduce(0, blocks, index, "amin")


def stochastic(stats: Grams, powers: Tensor, noise: Tensor) -> Evaluation:
    """Return the negative log-likelihood Σ_l log|R_l| + y_lᴴR_l⁻¹y_l with its Fisher information.

    Gradient and information by Slepian–Bangs, F_ij = Σ_l tr(R_l⁻¹ ∂_iR_l R_l⁻¹ ∂_jR_l), with all
    products from Woodbury's identity: R⁻¹ = σ⁻²(I - B T Bᴴ), T = (σ²P⁻¹ + BᴴB)⁻¹.

    Shapes:
        powers: (S, K) > 0. noise: (S,) > 0, σ².
        Coordinates are (φ, θ, w) source by source, then log p_1 … log p_K, then log σ²: Q = 4K + 1.
    """
    whitened = _whiten(stats, powers, noise)
    gradient, information = _slepian_bangs(whitened, stats, powers, noise)
    return Evaluation(whitened.cost, gradient, information)


@dataclass(frozen=True)
class _Whitened:
    """R_l⁻¹ in the coordinates of V_l.

    Shapes:
        once: V ᴴR⁻¹V (S, L, 4K, 4K). twice: VᴴR⁻²V. moments: VᴴR⁻¹y (S, L, 4K).
        trace, trace_squared: tr R⁻¹, tr R⁻² (S, L). twice_energy: ‖R⁻¹y‖² (S, L). cost: (S,).
    """

    once: Tensor
    twice: Tensor
    moments: Tensor
    trace: Tensor
    trace_squared: Tensor
    twice_energy: Tensor
    cost: Tensor


def _whiten(stats: Grams, powers: Tensor, noise: Tensor) -> _Whitened:
    count, outputs = stats.sources, stats.outputs
    sigma = noise[:, None]
    gram = stats.gram
    inner = gram[..., :count, :count]
    least = 8 * torch.finfo(gram.dtype).eps * inner.diagonal(dim1=-2, dim2=-1).real.mean((1, 2))
    load = torch.maximum(noise[:, None] / powers, least[:, None])
    load = torch.diag_embed(load.to(gram.dtype)).unsqueeze(1)
    left = gram[..., :, :count]
    signal_moments = stats.moments[..., :count].unsqueeze(-1)
    middle = torch.linalg.inv(inner + load)
    gain = left @ middle  # VᴴB T
    once = gram - gain @ left.mH
    shrink = middle @ inner
    twice = gram - 2 * gain @ left.mH + gain @ inner @ gain.mH
    solved = middle @ signal_moments
    moments = stats.moments - (left @ solved).squeeze(-1)
    quadratic = stats.energy - (signal_moments.conj() * solved).sum((-2, -1)).real
    twice_energy = (
        quadratic
        - (signal_moments.conj() * solved).sum((-2, -1)).real
        + (solved.conj() * (inner @ solved)).sum((-2, -1)).real
    )
    diagonal = shrink.diagonal(dim1=-2, dim2=-1).sum(-1).real
    squared = (shrink @ shrink).diagonal(dim1=-2, dim2=-1).sum(-1).real
    log_det = torch.linalg.slogdet(inner + load)[1] + (
        powers.log().sum(-1)[:, None] + (outputs - count) * sigma.log()
    )
    per_snapshot = log_det.expand_as(quadratic) + quadratic / sigma
    return _Whitened(
        once / sigma[..., None, None],
        twice / sigma[..., None, None] ** 2,
        moments / sigma[..., None],
        (outputs - diagonal) / sigma,
        (outputs - 2 * diagonal + squared) / sigma**2,
        twice_energy / sigma**2,
        per_snapshot.sum(-1),
    )


def _slepian_bangs(
    white: _Whitened, stats: Grams, powers: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """Return gradient (S, Q) and Fisher information (S, Q, Q).

    Every ∂_iR of a position or power is c (f bᴴ + b fᴴ), with b the vector of its source and f the
    derivative (c = p) or b itself (c = p/2); ∂R/∂log σ² = σ²I.
    """
    count, length = stats.sources, stats.snapshots
    device = powers.device
    source = torch.arange(count, device=device)
    owner = torch.cat((source.repeat_interleave(3), source))
    vector = torch.cat((torch.arange(count, 4 * count, device=device), source))
    scale = torch.cat((_spread(powers), powers / 2), dim=-1)
    g = white.once
    repeats = length // g.shape[1]
    trace = 2 * g[..., owner, vector].real  # tr(R⁻¹(f bᴴ + b fᴴ)) = 2 Re bᴴR⁻¹f
    fit = 2 * (white.moments[..., owner].conj() * white.moments[..., vector]).real
    slope = scale * (repeats * trace.sum(1) - fit.sum(1))
    noise_slope = noise * (repeats * white.trace.sum(1) - white.twice_energy.sum(1))
    bb, bf = g[..., owner[:, None], owner], g[..., owner[:, None], vector]
    ff = g[..., vector[:, None], vector]
    pairs = 2 * (bf * bf.transpose(-1, -2) + bb * ff.transpose(-1, -2)).real
    information = repeats * pairs.sum(1) * scale[:, :, None] * scale[:, None, :]
    mixed = 2 * white.twice[..., owner, vector].real
    mixed = repeats * mixed.sum(1) * scale * noise[:, None]
    corner = repeats * white.trace_squared.sum(1) * noise**2
    top = torch.cat((information, mixed.unsqueeze(-1)), dim=-1)
    bottom = torch.cat((mixed, corner.unsqueeze(-1)), dim=-1).unsqueeze(-2)
    gradient = torch.cat((slope, noise_slope.unsqueeze(-1)), dim=-1)
    return gradient, torch.cat((top, bottom), dim=-2)
