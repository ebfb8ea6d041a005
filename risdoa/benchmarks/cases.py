"""What is scanned: sources in front of a surface, near and far, and a grid of any size."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.benchmarks.scan import Case
from risdoa.conventions import invert_range
from risdoa.grid import Grid
from risdoa.steering.canonical import Canonical
from risdoa.steering.plane_wave import PlaneWave

WAVELENGTH = 0.3
LOW = (-60.0, -30.0, 0.5)
HIGH = (60.0, 30.0, 10.0)
"""The region of the scenario ``canonical``, in deg, deg and m."""


def near_field(
    elements: tuple[int, int], sources: int, grid: tuple[int, int, int], seed: int
) -> Case:
    """Return a scan in azimuth, elevation and 1/range, with so many points along each."""
    low, high = _search_bounds()
    a, e, w = (
        torch.linspace(float(first), float(last), count, dtype=torch.float64)
        for first, last, count in zip(low, high, grid, strict=True)
    )
    array = Array.planar(*elements, wavelength=WAVELENGTH)
    return Case("near", array, Canonical(), Grid(a, e, w), _places(sources, seed))


def far_field(elements: tuple[int, int], sources: int, grid: tuple[int, int], seed: int) -> Case:
    """Return a scan in azimuth and elevation alone, of plane waves."""
    near = near_field(elements, sources, (*grid, 1), seed)
    flat = Grid(near.grid.azimuth, near.grid.elevation, torch.zeros(1, dtype=torch.float64))
    return Case("far", near.array, PlaneWave(), flat, near.places)


def _search_bounds() -> tuple[Tensor, Tensor]:
    """Return the bounds of the region in (φ, θ, w)."""
    low, high = (torch.tensor(each, dtype=torch.float64) for each in (LOW, HIGH))
    low[2], high[2] = 1 / high[2], 1 / low[2]
    low[:2], high[:2] = low[:2].deg2rad(), high[:2].deg2rad()
    return low, high


def _places(sources: int, seed: int) -> Tensor:
    """Return places drawn uniformly in (φ, θ, w), as positions (K, 3)."""
    low, high = _search_bounds()
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand((sources, 3), generator=generator, dtype=torch.float64)
    return invert_range(low + (high - low) * drawn)
