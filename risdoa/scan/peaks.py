"""Peaks of a spectrum on a grid, told apart and placed between the points."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.grid import Grid

NOWHERE = -torch.inf


@dataclass(frozen=True)
class Peaks:
    """The highest local maxima of a spectrum, in falling order.

    Shapes:
        places: (S, C, 3) in (φ, θ, w), between the points. heights: (S, C). points: (S, C) int, the
            nearest points of the grid.
    """

    places: Tensor
    heights: Tensor
    points: Tensor


def peaks(spectrum: Tensor, grid: Grid, count: int) -> Peaks:
    """Return the ``count`` highest local maxima of a spectrum.

    A local maximum is no lower than any of its 26 neighbours, over ±180° too where the grid goes
    round. Each is placed and valued by a parabola through its two neighbours along every axis, so
    that peaks between the points of a coarse grid count for what they are. Where there are fewer
    than ``count`` maxima, the highest stands in for those that are missing.

    Shapes:
        spectrum: (S, P) in the order of the grid's points.
    """
    volume = spectrum.unflatten(1, grid.shape)
    maxima = local_maxima(volume, grid.full_circle).flatten(1)
    few = min(4 * count, maxima.shape[1])
    top = maxima.topk(few, dim=-1)
    found = placed(volume, grid, top.indices)
    height = torch.where(top.values > NOWHERE, found.heights, NOWHERE)
    order = height.argsort(dim=-1, descending=True)[:, :count]
    order = torch.where(torch.take_along_dim(height, order, 1) > NOWHERE, order, order[:, :1])
    if order.shape[1] < count:
        order = torch.cat((order, order[:, :1].expand(-1, count - order.shape[1])), dim=1)
    places = torch.take_along_dim(found.places, order.unsqueeze(-1), 1)
    index = torch.take_along_dim(top.indices, order, 1)
    return Peaks(places, torch.take_along_dim(height, order, 1), index)


def placed(volume: Tensor, grid: Grid, index: Tensor) -> Peaks:
    """Return maxima as placed and valued by parabolas through their neighbours on every axis.

    Shapes:
        volume: (S, W, E, A). index: (S, C) int, flat.
    """
    shift, rise = _parabolas(volume, index, grid)
    height = torch.take_along_dim(volume.flatten(1), index, 1) + rise
    return Peaks(_between(grid, index, shift), height, index)


def local_maxima(volume: Tensor, full_circle: bool = False) -> Tensor:
    """Return the values that are no lower than any of their 26 neighbours, -inf elsewhere.

    On a full circle the last azimuth is next to the first.

    Shapes:
        volume: (S, W, E, A).
    """
    around = volume
    for axis in (1, 2, 3):
        size = around.shape[axis]
        wider = around.clone()
        before, after = wider.narrow(axis, 1, size - 1), wider.narrow(axis, 0, size - 1)
        torch.maximum(before, around.narrow(axis, 0, size - 1), out=before)
        torch.maximum(after, around.narrow(axis, 1, size - 1), out=after)
        if full_circle and axis == 3:
            ends, seam = wider[..., [0, -1]], around[..., [-1, 0]]
            wider[..., [0, -1]] = torch.maximum(ends, seam)
        around = wider
    return torch.where(volume >= around, volume, NOWHERE)


def _unravelled(index: Tensor, shape: tuple[int, int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the places along w, θ and φ of flat indices."""
    _, height, width = shape
    return index // (height * width), index // width % height, index % width


def _parabolas(volume: Tensor, index: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Return by how many steps, in ±½, a peak is off its point along (w, θ, φ), and its rise."""
    flat, shape = volume.flatten(1), grid.shape
    centre = torch.take_along_dim(flat, index, 1)
    strides = (shape[1] * shape[2], shape[2], 1)
    circles = (False, False, grid.full_circle)
    shifts, rise = [], torch.zeros_like(centre)
    axes = zip(_unravelled(index, shape), shape, strides, circles, strict=True)
    for place, size, stride, circle in axes:
        inner = ((place > 0) & (place < size - 1)) | circle
        low, high = (
            torch.take_along_dim(flat, index + stride * (near - place), 1)
            for near in _neighbours(place, size)
        )
        bend = (2 * centre - low - high).clamp_min(torch.finfo(flat.dtype).tiny)
        shift = torch.where(inner, ((high - low) / (2 * bend)).clamp(-0.5, 0.5), 0.0)
        rise = rise + shift * (high - low) / 2 - shift**2 * (2 * centre - low - high) / 2
        shifts.append(shift)
    return torch.stack(shifts, dim=-1), rise


def neighbours(grid: Grid, index: Tensor) -> Tensor:
    """Return the points before and after along every axis of more than one point.

    At an edge the point itself stands in for the one that is not there.

    Shapes:
        index: (S, C) int, flat. Returns (S, X) int, X = 2C for every axis.
    """
    shape, found = grid.shape, []
    strides = (shape[1] * shape[2], shape[2], 1)
    circles = (False, False, grid.full_circle)
    axes = zip(_unravelled(index, shape), shape, strides, circles, strict=True)
    for place, size, stride, circle in axes:
        if size > 1:
            sides = _neighbours(place, size) if circle else (place - 1, place + 1)
            found += [index + stride * (side.clamp(0, size - 1) - place) for side in sides]
    return torch.cat(found, dim=1) if found else index[:, :0]


def _neighbours(place: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the places before and after, as on a circle."""
    return (place - 1) % size, (place + 1) % size


def _between(grid: Grid, index: Tensor, shift: Tensor) -> Tensor:
    """Return the places (φ, θ, w) at a shift of up to half a step from grid points."""
    axes = (grid.inverse_range, grid.elevation, grid.azimuth)
    places = _unravelled(index, grid.shape)
    w, elevation, azimuth = (
        _interpolated(axis.to(shift.device), place, shift[..., number].to(axis.dtype))
        for number, (axis, place) in enumerate(zip(axes, places, strict=True))
    )
    if grid.full_circle:
        azimuth = azimuth - 2 * torch.pi * (azimuth / (2 * torch.pi)).round()
    return torch.stack((azimuth, elevation, w), dim=-1)


def _interpolated(axis: Tensor, place: Tensor, shift: Tensor) -> Tensor:
    """Return the value of an axis at a place and a part of a step beside it.

    Beyond the end of a circle, which is even, a step goes on as long as the one before.
    """
    side = torch.sign(shift).to(place.dtype)
    ahead = place + side
    inside = (ahead >= 0) & (ahead < len(axis))
    neighbour = torch.where(inside, ahead, place - side).clamp(0, len(axis) - 1)
    step = (axis[neighbour] - axis[place]) * torch.where(inside, 1, -1)
    return axis[place] + shift.abs() * step
