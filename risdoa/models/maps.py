"""Back-projected snapshots on a grid of positions: what physics knows before any learning."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from risdoa.grid import Grid, search_grid
from risdoa.problem import Problem

DENSITY = 0.7
"""Grid points per −3 dB half-width: neighbours still see the same source."""
MOST_POINTS = 4096


@dataclass(frozen=True)
class Maps:
    """Every snapshot, correlated with the steering vectors of a grid.

    With x_l = E_l y_l the equalised back-projection and a_g the steering vector of grid point g,

        b_lg = a_gᴴ x_l,    q_g = mean_l a_gᴴ E_l G_l a_g,

    so that |b_lg|²/q_g is about the energy that a source at g explains in snapshot l, and
    mean_l |b_lg|²/q_g² its power. Codes, channel and steering model enter here, and here alone. The
    snapshots are taken in units of their root mean square.

    Shapes:
        scale: (S,) root mean square of y. energy: (S, L, G) = |b_lg|²/q_g. power: (S, G).
        gain: (S, G) = q_g. All real float32.
    """

    grid: Grid
    scale: Tensor
    energy: Tensor
    power: Tensor
    gain: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, problem: Problem) -> Maps:
        """Compute the maps in single precision, without a graph."""
        problem, scale = at_unit_power(problem)
        grid = bounded_grid(problem)
        with torch.autocast(scale.device.type, enabled=False):
            return cls._on(grid, problem, scale)

    @classmethod
    def _on(cls, grid: Grid, problem: Problem, scale: Tensor) -> Maps:
        snapshots = problem.snapshots
        steering = problem.steering(problem.array, grid.positions().to(problem.array.positions))
        fields = snapshots.sensing.equalised_adjoint(snapshots.values)
        correlated = fields @ steering.conj()
        gain = snapshots.sensing.equalised_gain(steering).expand(problem.scenes, -1)
        floor = 1e-3 * gain.mean(-1, keepdim=True) + torch.finfo(gain.dtype).tiny
        gain = gain + floor
        squared = correlated.real**2 + correlated.imag**2
        return cls(grid, scale, squared / gain.unsqueeze(1), squared.mean(1) / gain**2, gain)


def at_unit_power(problem: Problem) -> tuple[Problem, Tensor]:
    """Return the problem in complex64 with snapshots over their root mean square, and that (S,)."""
    values = problem.snapshots.values
    scale = values.abs().square().mean((1, 2)).sqrt().clamp_min(torch.finfo(torch.float32).tiny)
    snapshots = replace(problem.snapshots, values=values / scale[:, None, None])
    single = replace(problem, snapshots=snapshots).to(dtype=torch.complex64)
    return single, scale.to(torch.float32)


def bounded_grid(problem: Problem) -> Grid:
    """Return the grid of a problem, thinned until it has at most ``MOST_POINTS`` points."""
    density = DENSITY
    grid = search_grid(problem.array, problem.region, density)
    while len(grid.points()) > MOST_POINTS:
        density *= 0.8
        grid = search_grid(problem.array, problem.region, density)
    return grid
