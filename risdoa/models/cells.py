"""The cells of a grid: seen on a grid twice as fine, told on maps of the coarse one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from risdoa.grid import Grid


def halved(grid: Grid) -> Grid:
    """Return the grid with two points in every cell along each axis, a quarter from its ends.

    A cell reaches half way to the neighbours, and no further than the axis; a lone point stays.
    """
    middles = [ends if len(ends) == 1 else (ends[1:] + ends[:-1]) / 2 for ends in _ends(grid)]
    return Grid(*middles, full_circle=grid.full_circle)


def volumes(grid: Grid) -> Tensor:
    """Return the share of what is around every point of ``halved(grid)`` in ∫ dφ dθ dr, (P',).

    That is the prior of a source that may be anywhere in the region alike.
    """
    azimuth, elevation, inverse_range = _ends(grid)
    lines = (inverse_range.reciprocal(), elevation, azimuth)
    sides = [ends.diff().abs() if len(ends) > 1 else torch.ones_like(ends) for ends in lines]
    volume = sides[0][:, None, None] * sides[1][:, None] * sides[2]
    return (volume / volume.sum()).flatten()


def pooled(grid: Grid, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return log Σ exp of the values in every cell, and which point of the finer grid is largest.

    Shapes:
        values: (S, P') on ``halved(grid)``. Returns (S, P) and (S, P) int.
    """
    members = _members(grid).to(values.device)
    within = values[:, members]
    every = torch.arange(len(members), device=values.device)
    return within.logsumexp(-1), members[every, within.argmax(-1)]


def _members(grid: Grid) -> Tensor:
    """Return which points of ``halved(grid)`` lie in every cell, (P, 1 to 8)."""
    split = [1 if count == 1 else 2 for count in grid.shape]
    both = [count * parts for count, parts in zip(grid.shape, split, strict=True)]
    index = torch.arange(math.prod(both)).view(both)
    for axis, parts in enumerate(split):
        index = index.unflatten(2 * axis, (-1, parts))
    return index.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(0, 2)


def _ends(grid: Grid) -> list[Tensor]:
    """Return where the halves of all cells end along every axis; a lone point itself."""
    round_trip = (grid.full_circle, False, False)
    return [_ends_along(*axis) for axis in zip(grid.axes, round_trip, strict=True)]


def _ends_along(axis: Tensor, goes_round: bool) -> Tensor:
    if len(axis) == 1:
        return axis
    beyond = (axis[1] - axis[0]) / 2 if goes_round else 0.0
    between = (axis[1:] + axis[:-1]) / 2
    ends = torch.cat((axis[:1] - beyond, between, axis[-1:] + beyond))
    middles = (ends[1:] + ends[:-1]) / 2
    return torch.cat((torch.stack((ends[:-1], middles), dim=-1).flatten(), ends[-1:]))
