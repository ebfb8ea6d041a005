"""Spectra over a grid: of a signal subspace, and of the measurements themselves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.conventions import invert_range
from risdoa.grid import Grid
from risdoa.problem import Problem
from risdoa.snapshots import sum_blocks

FLOOR = 0.02
"""Least share of a vector that must be left beside the sources found so far."""
MEMORY = 128 * 2**20
"""Bytes that one intermediate of a scan may take."""


@dataclass(frozen=True)
class Matched:
    """What the measurements say about every grid point.

    Σ_{l in b} ‖G_l a‖² and Σ_{l in b} G_lᴴ y_l, over the blocks b of shared source signals, are all
    that a scan needs: G_l a(p) itself is never kept.

    Shapes:
        steering: (N, P) or (S, N, P) complex64. norms: (S or 1, B or 1, P). problem: S scenes.
    """

    problem: Problem
    grid: Grid
    points: Tensor
    steering: Tensor
    norms: Tensor

    @classmethod
    def prepare(cls, problem: Problem, grid: Grid) -> Matched:
        """Compute steering vectors and norms of all grid points."""
        points = grid.points().to(problem.region.device)
        positions = invert_range(points).to(torch.float32)
        steering = problem.steering(problem.array, positions)
        return cls(problem, grid, points, steering, _block_norms(problem, steering))

    def spectrum(self, found: Tensor | None) -> Tensor:
        """Return what a further source at every grid point explains: Σ_b |b⊥ᴴ y⊥|²/‖b⊥‖².

        b = stacked G_l a(p); ⊥ marks what is left beside the sources already found. Divided by
        Σ‖y‖² this is the matched subspace spectrum, Σ_b ‖Q(p)ᴴ y_b‖²/‖y‖².

        Shapes:
            found: (S, K', 3) in (φ, θ, w), or None. Returns (S, P).
        """
        problem = self.problem
        values = problem.snapshots.values.to(torch.complex128)
        spent: Tensor | None = None
        if found is not None and found.shape[1]:
            basis, values = _project_out(problem, found, values)
            back = _block_adjoint(problem, basis).to(torch.complex64)
            spent = self._correlate(back.flatten(1, 2)).unflatten(1, back.shape[1:3])
            spent = _power(spent).sum(2)
        field = _block_adjoint(problem, values.unsqueeze(1))[:, :, 0].to(torch.complex64)
        energy = _power(self._correlate(field))
        rest = self.norms if spent is None else self.norms - spent
        return (energy / rest.clamp_min(FLOOR * self.norms)).sum(1)

    def _correlate(self, fields: Tensor) -> Tensor:
        """Return aᴴx of fields (S, X, N) with every grid point, (S, X, P)."""
        return fields @ self.steering.conj()

    def explained(self, found: Tensor) -> Tensor:
        """Return the energy that sources explain, Σ_b ‖Q_bᴴy_b‖², (S,)."""
        values = self.problem.snapshots.values.to(torch.complex128)
        rest = _project_out(self.problem, found, values)[1]
        return (_power(values) - _power(rest)).sum((-2, -1))

    def best(self, found: Tensor | None) -> Tensor:
        """Return the grid point with the largest spectrum, (S, 3) in (φ, θ, w)."""
        return self.points[self.spectrum(found).argmax(-1)]


def _power(values: Tensor) -> Tensor:
    return values.real**2 + values.imag**2


def _block_norms(problem: Problem, steering: Tensor) -> Tensor:
    """Return Σ_{l in b} ‖G_l a‖² as (S or 1, B or 1, P), in chunks of grid points."""
    snapshots = problem.snapshots.to(dtype=torch.complex64)
    length, outputs = snapshots.count, snapshots.outputs
    chunk = max(1, MEMORY // (8 * problem.scenes * length * outputs))
    parts = [
        _power(snapshots.sensing.observe(part)).sum(-2) for part in steering.split(chunk, dim=-1)
    ]
    norms = torch.cat(parts, dim=-1)
    norms = norms.reshape(-1, *norms.shape[-2:])
    blocks, count = snapshots.block_index, snapshots.block_count
    if count == length:
        return norms
    return sum_blocks(norms.expand(-1, length, -1), blocks, count)


def _block_adjoint(problem: Problem, values: Tensor) -> Tensor:
    """Return Σ_{l in b} G_lᴴ v_l for X sets of outputs.

    Shapes:
        values: (S, X, L, M). Returns (S, B, X, N).
    """
    snapshots = problem.snapshots
    sensing = snapshots.sensing.to(None, values.dtype)
    fields = torch.stack([sensing.adjoint(one) for one in values.unbind(1)], dim=2)
    return sum_blocks(fields, snapshots.block_index, snapshots.block_count)


def _project_out(problem: Problem, found: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
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
