"""Sources near grid points: the covariance that a head on a grid makes."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.conventions import invert_range
from risdoa.covariance import Covariance
from risdoa.grid import Grid
from risdoa.problem import Problem

TINY = 1e-30


def anchored(
    problem: Problem, grid: Grid, chosen: Tensor, offsets: Tensor, powers: Tensor
) -> Covariance:
    """Return R = Σ_j γ_j a(p_j + Δ_j) a(p_j + Δ_j)ᴴ, in complex64 and in factored form.

    Shapes:
        chosen: (S, J) indices of grid points. offsets: (S, J, 3), of the local spacing. powers:
        (S, J).
    """
    steering = problem.steering(problem.array, shifted(grid, chosen, offsets, problem))
    amplitudes = powers.clamp_min(TINY).sqrt().unsqueeze(-2)
    return Covariance(steering * amplitudes)


def shifted(grid: Grid, chosen: Tensor, offsets: Tensor, problem: Problem) -> Tensor:
    """Return grid points moved by offsets in units of the local spacing, kept in the region.

    Shapes:
        chosen: (S, J) indices. offsets: (S, J, 3) along φ, θ, w. Returns (S, J, 3) rad, rad, m.
    """
    spacing = grid_spacing(grid).to(offsets)
    points = grid.points().to(offsets)
    low, high = (bound.to(offsets) for bound in problem.search_bounds())
    moved = points[chosen] + offsets * spacing[chosen]
    return invert_range(torch.minimum(torch.maximum(moved, low), high))


def grid_spacing(grid: Grid) -> Tensor:
    """Return the local spacing at every grid point along φ, θ and w, (G, 3); 0 for a lone point."""
    axes = (grid.azimuth, grid.elevation, grid.inverse_range)
    steps = [torch.gradient(axis)[0] if len(axis) > 1 else torch.zeros_like(axis) for axis in axes]
    return Grid(*steps).points()
