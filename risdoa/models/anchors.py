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
    low, high = (bound.to(offsets) for bound in problem.descent_bounds())
    moved = points[chosen] + offsets * spacing[chosen]
    return invert_range(torch.minimum(torch.maximum(moved, low), high))


def offsets_of(grid: Grid, points: Tensor) -> Tensor:
    """Return how far points are from those of the grid, in units of the local spacing.

    Shapes:
        points: (..., P, 3) in φ, θ, w, each beside its grid point. Returns the same; 0 along a lone
        point's axis.
    """
    spacing = grid_spacing(grid).to(points)
    return torch.where(spacing > 0, (points - grid.points().to(points)) / spacing, 0.0)


def grid_spacing(grid: Grid) -> Tensor:
    """Return the local spacing at every grid point along φ, θ and w, (G, 3); 0 for a lone point."""
    steps = [torch.gradient(x)[0] if len(x) > 1 else torch.zeros_like(x) for x in grid.axes]
    return Grid(*steps).points()
