"""What the measurements say about every grid point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from risdoa.conventions import invert_range
from risdoa.grid import Grid
from risdoa.problem import Problem
from risdoa.scan.base import MEMORY, power
from risdoa.scan.norms import block_norms
from risdoa.scan.table import SteeringTable, steering_table
from risdoa.snapshots import sum_blocks

FLOOR = 0.02
"""Least share of a vector that must be left beside the sources found so far."""


@dataclass(frozen=True)
class Matched:
    """Σ_{l in b} G_lᴴ y_l and Σ_{l in b} ‖G_l a‖² over the blocks b of shared source signals.

    They are all that a scan needs: G_l a(p) itself is never kept. Sources already found come in
    sets of K', C sets for each of the S scenes, those of one scene after the other.

    Shapes:
        fields: (S, B, N) complex64. norms: (S or 1, B or 1, R, A) float32. points: (R·A, 3).
    """

    problem: Problem
    grid: Grid
    table: SteeringTable
    points: Tensor
    fields: Tensor
    norms: Tensor

    @classmethod
    def prepare(cls, problem: Problem, grid: Grid) -> Matched:
        """Compute the steering table, fields and norms of a grid."""
        table = steering_table(problem.steering, problem.array, grid)
        points = grid.points().to(problem.region.device)
        norms = block_norms(problem, table, grid)
        return cls(problem, grid, table, points, _fields(problem), norms)

    def measured(self, problem: Problem) -> Matched:
        """Return the same for other measurements, taken in the same way."""
        return replace(self, problem=problem, fields=_fields(problem))

    def select(self, scenes: Tensor, problem: Problem) -> Matched:
        """Return what there is for the chosen scenes, whose problem is given."""
        return replace(
            self,
            problem=problem,
            table=self.table.select(scenes),
            fields=self.fields[scenes],
            norms=self.norms_of(scenes),
        )

    def chunks(self, fields: int, sets: int = 1) -> Iterator[Tensor]:
        """Yield scene indices, few enough for ``sets`` times ``fields`` fields a scene."""
        size = 8 * fields * sets * self.table.rows * self.table.columns
        scenes = torch.arange(self.problem.scenes, device=self.fields.device)
        yield from scenes.split(max(1, MEMORY // size))

    def norms_of(self, scenes: Tensor) -> Tensor:
        """Return the norms of the chosen scenes, (S', B or 1, R, A)."""
        return self.norms if self.norms.shape[0] == 1 else self.norms[scenes]

    def norms_at(self, index: Tensor) -> Tensor:
        """Return Σ_{l in b} ‖G_l a‖² at grid points, (S, P) int, flat; (S, B or 1, P) float32."""
        points = self.table.rows * self.table.columns
        norms = self.norms.flatten(-2).expand(len(index), -1, points)
        return torch.take_along_dim(norms, index.unsqueeze(1), -1)

    def mean_norms(self, index: Tensor) -> Tensor:
        """Return the mean power at an output of a unit source at grid points.

        Shapes:
            index: (S, …) int, flat. Returns (S, …) float32.
        """
        snapshots = self.problem.snapshots
        total = self.norms.sum(1).flatten(1) / (snapshots.count * snapshots.outputs)
        if self.norms.shape[1] == 1:
            total = total * snapshots.block_count
        points = total.expand(len(index), self.table.rows * self.table.columns)
        return torch.take_along_dim(points, index.flatten(1), 1).view_as(index)

    def energies(self, fields: Tensor, scenes: Tensor) -> Tensor:
        """Return |aᴴx|² of fields (S', …, N) of the chosen scenes, (S', …, R, A)."""
        found: Tensor = self.table.select(scenes).energies(fields.flatten(1, -2))
        apart: Tensor = found.unflatten(1, fields.shape[1:-1])
        return apart

    def spectrum(self, found: Tensor | None) -> Tensor:
        """Return what a further source at every grid point explains: Σ_b |b⊥ᴴ y⊥|²/‖b⊥‖².

        b = stacked G_l a(p); ⊥ marks what is left beside the sources already found. Divided by
        Σ‖y‖² this is the matched subspace spectrum, Σ_b ‖Q(p)ᴴ y_b‖²/‖y‖².

        Shapes:
            found: (S·C, K', 3) in (φ, θ, w), or None. Returns (S·C, P).
        """
        sets = 1 if found is None else len(found) // self.problem.scenes
        known = 0 if found is None else found.shape[1]
        if found is None or not known:
            parts = [
                (self.energies(self.fields[scenes], scenes) / self.norms_of(scenes)).sum(1)
                for scenes in self.chunks(self.fields.shape[1])
            ]
            return torch.cat(parts).flatten(1).repeat_interleave(sets, dim=0)
        count = self.problem.snapshots.block_count * (1 + known)
        parts = [
            self._beside(found.unflatten(0, (-1, sets))[scenes].flatten(0, 1), scenes)
            for scenes in self.chunks(count, sets)
        ]
        return torch.cat(parts)

    def _beside(self, found: Tensor, scenes: Tensor) -> Tensor:
        """Return the spectrum of the chosen scenes beside sources (S'·C, K', 3), (S'·C, P)."""
        sets = len(found) // len(scenes)
        problem = self.problem.select(scenes.repeat_interleave(sets))
        values = problem.snapshots.values.to(torch.complex128)
        basis, rest = project_out(problem, found, values)
        both = torch.cat((rest.unsqueeze(1), basis), dim=1)
        fields = block_adjoint(problem, both).to(torch.complex64).unflatten(0, (-1, sets))
        explained = self.energies(fields, scenes)
        norms = self.norms_of(scenes).unsqueeze(1)
        left = torch.maximum(norms - explained[:, :, :, 1:].sum(3), FLOOR * norms)
        return (explained[:, :, :, 0] / left).sum(2).flatten(0, 1).flatten(1)

    def explained(self, found: Tensor) -> Tensor:
        """Return the energy that sources explain, Σ_b ‖Q_bᴴy_b‖², (S,)."""
        values = self.problem.snapshots.values.to(torch.complex128)
        rest = project_out(self.problem, found, values)[1]
        return (power(values) - power(rest)).sum((-2, -1))

    def best(self, found: Tensor | None) -> Tensor:
        """Return the grid point with the largest spectrum, (S, 3) in (φ, θ, w)."""
        return self.points[self.spectrum(found).argmax(-1)]


def _fields(problem: Problem) -> Tensor:
    """Return Σ_{l in b} G_lᴴ y_l, (S, B, N) complex64."""
    values = problem.snapshots.values.unsqueeze(1)
    return block_adjoint(problem, values)[:, :, 0].to(torch.complex64)


def block_adjoint(problem: Problem, values: Tensor) -> Tensor:
    """Return Σ_{l in b} G_lᴴ v_l for X sets of outputs.

    Shapes:
        values: (S, X, L, M). Returns (S, B, X, N).
    """
    snapshots = problem.snapshots
    sensing = snapshots.sensing.to(None, values.dtype)
    fields = torch.stack([sensing.adjoint(one) for one in values.unbind(1)], dim=2)
    return sum_blocks(fields, snapshots.block_index, snapshots.block_count)


def project_out(problem: Problem, found: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return an orthonormal basis of the found sources in every block, and y without them.

    Shapes:
        found: (S, K', 3). values: (S, L, M).
        Returns (S, K', L, M), orthonormal over the snapshots of a block, and (S, L, M).
    """
    snapshots = problem.snapshots
    steering = problem.steering(problem.array, invert_range(found.to(torch.float64)))
    seen = snapshots.sensing.to(None, torch.complex128).observe(steering)
    seen = seen.expand(problem.scenes, snapshots.count, -1, -1)
    blocks, count = snapshots.block_index, snapshots.block_count
    gram = sum_blocks(seen.mH @ seen, blocks, count)
    size = gram.shape[-1]
    scale = gram.diagonal(dim1=-2, dim2=-1).real.mean(-1)[..., None, None]
    eye = torch.eye(size, dtype=gram.dtype, device=gram.device)
    lower = torch.linalg.cholesky(gram + 1e-9 * scale * eye)[:, blocks]
    basis = torch.linalg.solve_triangular(lower, seen.mH, upper=False).mH
    moments = sum_blocks(basis.mH @ values.unsqueeze(-1), blocks, count)[:, blocks]
    rest = values - (basis @ moments).squeeze(-1)
    return basis.permute(0, 3, 1, 2), rest
