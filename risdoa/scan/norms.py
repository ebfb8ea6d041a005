"""What a unit source at every grid point brings to the outputs: Σ_l ‖G_l a‖²."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from risdoa.grid import Grid
from risdoa.problem import Problem
from risdoa.scan.lags import bytes_of_lags, lags_are_fewer, norms_by_lags
from risdoa.scan.polynomial import lattice
from risdoa.scan.table import SeparableTable, SteeringTable
from risdoa.sensing import RisCoded
from risdoa.snapshots import sum_blocks

CHUNK = 8 * 2**20
"""Bytes that one intermediate may take: a few scenes at a time."""
BATCHED = 4
"""How much more memory lags may take: what is done to each of them is short."""
CACHE = 2**19
"""Bytes of a few rows of these scenes, which stay in the cache and in memory that is at hand."""


def block_norms(problem: Problem, table: SteeringTable, grid: Grid) -> Tensor:
    """Return Σ_{l in b} ‖G_l a‖² at every grid point, for the blocks b of shared source signals.

    Shapes:
        Returns (S or 1, B or 1, R, A) float32.
    """
    snapshots, sensing = problem.snapshots, problem.snapshots.sensing
    blocks, count, length = snapshots.block_index, snapshots.block_count, snapshots.count
    if not isinstance(sensing, RisCoded):
        return _of_the_array(problem)
    sensing = sensing.to(None, torch.complex64)
    one_sensing = sensing.channel.ndim == 2 and sensing.codes.ndim == 2
    shared = one_sensing and problem.array.scenes is None
    scenes = torch.arange(1 if shared else problem.scenes, device=blocks.device)
    norms_of, each = _method(problem, table, grid)
    parts = []
    for chunk in scenes.split(max(1, CHUNK // (length * each))):
        norms = norms_of(sensing.select(chunk), chunk)
        parts.append(sum_blocks(norms, blocks, count) if count < length else norms)
    return torch.cat(parts)


def _method(
    problem: Problem, table: SteeringTable, grid: Grid
) -> tuple[Callable[[RisCoded, Tensor], Tensor], int]:
    """Return what gives the norms of some scenes (S', L, R, A), and its bytes a snapshot of one."""
    outputs = problem.snapshots.outputs
    if isinstance(table, SeparableTable) and lags_are_fewer(table, grid, outputs):
        waves = lattice(problem.steering, problem.array, grid)
        if waves is not None:
            return lambda sensing, _: norms_by_lags(sensing, waves), bytes_of_lags(waves) // BATCHED
    lines = _lines(table, outputs)
    if lines is not None:
        each = 8 * outputs * table.rows * lines[0].shape[1]
        return lambda sensing, _: _by_lines(sensing, *lines), each
    each = 8 * outputs * table.rows * table.columns
    return lambda sensing, scenes: _outright(sensing, table.select(scenes), len(scenes)), each


def _of_the_array(problem: Problem) -> Tensor:
    """Return the norms where the array is read element by element: ‖a‖² = 1 a snapshot."""
    snapshots = problem.snapshots
    ones = problem.region.new_ones((1, 1, 1, 1), dtype=torch.float32)
    if snapshots.block_count == snapshots.count:
        return ones
    sizes = torch.bincount(snapshots.block_index, minlength=snapshots.block_count)
    return sizes.to(torch.float32)[None, :, None, None] * ones


def _outright(sensing: RisCoded, table: SteeringTable, scenes: int) -> Tensor:
    """Return ‖G_l a‖² from the products themselves, (S', L, R, A)."""
    rows = sensing.matrix().conj().resolve_conj().expand(scenes, -1, -1, -1)
    norms: Tensor = table.energies(rows.flatten(1, 2)).unflatten(1, rows.shape[1:3]).sum(2)
    return norms


def _lines(table: SteeringTable, outputs: int) -> tuple[Tensor, Tensor] | None:
    """Return a_y (R, N_y) and a_x* a_xᵀ in real form, where going through them costs less.

    M outputs cost 4 M N_x real products a point and snapshot outright, 2 N_x² as a quadratic form.

    Shapes:
        The products are (R, 2·N_x², A) and multiply Re Q and Im Q side by side.
    """
    if not isinstance(table, SeparableTable) or table.along_x.shape[1] > 2 * outputs:
        return None
    across = table.along_x
    products = across.unsqueeze(2) * across.conj().unsqueeze(1)
    parts = torch.stack((products.real, -products.imag), dim=3)
    return table.along_y.mH.resolve_conj(), parts.flatten(1, 3).contiguous()


def _by_lines(sensing: RisCoded, along_y: Tensor, products: Tensor) -> Tensor:
    """Return ‖G_l a‖² = a_xᴴ Q a_x with Q = gᴴg, g = G_l(a_y ⊗ I) of every row, (S', L, R, A)."""
    rows, height = along_y.shape
    channel, codes = (
        (each if each.ndim == 3 else each.unsqueeze(0)).unflatten(-1, (height, -1))
        for each in (sensing.channel, sensing.codes)
    )
    coded = codes.movedim(-2, 0).unsqueeze(-2) * channel.movedim(-2, 0).unsqueeze(-3)
    flat, length = coded.flatten(1), codes.shape[-3]
    few = max(1, CACHE // (8 * flat.shape[1]))
    norms = products.new_empty((rows, coded.shape[1] * length, products.shape[2]))
    for line, weights, place in zip(
        along_y.split(few), products.split(few), norms.split(few), strict=True
    ):
        lines = (line @ flat).unflatten(1, (-1, *coded.shape[-2:]))
        gram = torch.view_as_real(lines.mH @ lines).reshape(*place.shape[:2], -1)
        torch.bmm(gram, weights, out=place)
    apart: Tensor = norms.unflatten(1, (-1, length)).movedim(0, 2)
    return apart
