"""What an estimator needs of the data at given positions: small Gram matrices."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.conventions import invert_range
from risdoa.problem import Problem
from risdoa.snapshots import sum_blocks

BEND_STEP = 1e-6
"""Of differences of slopes, in rad and 1/m: truncation k·|p|·STEP ~ 1e-5, rounding 1e-9."""


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
    return _statistics(problem, search, observed(problem, search), values)


def _statistics(
    problem: Problem, search: Tensor, columns: Tensor, values: Tensor | None = None
) -> Grams:
    """Return the statistics of columns V_l (S·C, L or 1, M, 4K)."""
    snapshots = problem.snapshots
    values = snapshots.values if values is None else values.to(snapshots.values.dtype)
    energy = (values.real**2 + values.imag**2).sum(-1)
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
class Bends:
    """What second derivatives G_l ∂²A share with the sources and with the snapshots.

    The pairs of coordinates of a source are φφ, φθ, φw, θθ, θw, ww.

    Shapes:
        cross: (S, L or 1, K, K, 6), b_jᴴ of every source j with ∂²b of source k. moments: (S, L, K,
        6), (∂²b)ᴴy.
    """

    cross: Tensor
    moments: Tensor

    def block_sums(self, blocks: Tensor) -> Bends:
        """Return the sums over the snapshots of every block; see :func:`block_sums`."""
        count = int(blocks.max()) + 1
        if count == len(blocks):
            return self
        cross = self.cross.expand(-1, len(blocks), -1, -1, -1)
        return Bends(sum_blocks(cross, blocks, count), sum_blocks(self.moments, blocks, count))


def bent_grams(problem: Problem, search: Tensor) -> tuple[Grams, Bends]:
    """Return the statistics at positions, as :func:`grams` does, and those of second derivatives.

    These are never observed: sources and snapshots are projected back to the elements instead,
    K + 1 fields in place of 6K columns.

    Shapes:
        search: (S·C, K, 3), C sets of sources a scene, one scene after the other.
    """
    columns = observed(problem, search)
    count, sets = search.shape[1], len(search) // problem.scenes
    second = _second_derivatives(problem, search).to(columns.dtype).flatten(-2)
    sources = _projected_back(problem, columns[..., :count], sets)
    snapshots = _projected_back(problem, problem.snapshots.values.unsqueeze(-1), 1)
    cross = sources.conj().flatten(1, 2) @ second
    cross = cross.unflatten(1, sources.shape[1:3]).transpose(1, 2)
    moments = snapshots.squeeze(1).repeat_interleave(sets, dim=0) @ second.conj()
    bends = Bends(cross.unflatten(-1, (count, 6)), moments.unflatten(-1, (count, 6)))
    return _statistics(problem, search, columns), bends


def _projected_back(problem: Problem, outputs: Tensor, sets: int) -> Tensor:
    """Return G_lᴴ v of outputs v (S·C, L or 1, M, X) as (S·C, X, L or 1, N)."""
    together = outputs.unflatten(0, (-1, sets)).movedim(-1, 1).flatten(1, 2)
    sensing = problem.snapshots.sensing
    fields = torch.stack([sensing.adjoint(one) for one in together.unbind(1)], dim=1)
    apart: Tensor = fields.unflatten(1, (-1, sets)).transpose(1, 2).flatten(0, 1)
    return apart


def _second_derivatives(problem: Problem, search: Tensor) -> Tensor:
    """Return ∂²A of every source in pairs of its coordinates, (S·C, N, K, 6).

    By differences of the first derivatives; only one of ∂φ∂θ and ∂θ∂φ is formed.
    """
    count, scenes = search.shape[1], problem.scenes
    moves = BEND_STEP * torch.eye(3, dtype=torch.float64, device=search.device)
    moved = torch.cat((search.unsqueeze(1), search.unsqueeze(1) + moves[:, None]), dim=1)
    places = invert_range(moved.to(torch.float64).reshape(scenes, -1, 3))
    slopes = problem.steering.derivatives(problem.array, places)[1]
    slopes = slopes.unflatten(-2, (-1, 4, count)).movedim(-4, 1).flatten(0, 1)
    second = (slopes[:, :, 1:] - slopes[:, :, :1]) / BEND_STEP
    first, other = torch.triu_indices(3, 3, device=search.device)
    pairs: Tensor = second[:, :, first, :, other]
    return pairs.permute(1, 2, 3, 0)
