"""What the geometry alone says: aperture, near field, grating lobes, reach of a model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import to_degrees, unit_vectors
from risdoa.grid import search_grid
from risdoa.steering.base import Steering
from risdoa.steering.spherical import Spherical

MAIN_LOBE = 2.5
"""Standard deviation in radians of the phases between two directions up to which they are in one
main lobe; the first null of a uniform line is at π/√3 = 1.81."""

GRATING = 0.9
"""|aᴴa'|² beyond which two directions outside of one main lobe cannot be told apart."""

PHASE_LIMIT = math.pi / 8
"""The largest phase error of a model, as in the definition of 2D²/λ."""

DIRECTIONS = 5
"""Points along azimuth and elevation at which a region is tried."""


@dataclass(frozen=True)
class Geometry:
    """The facts of an array and a region.

    Attributes:
        shape: linear, planar or three-dimensional.
        elements: N.
        aperture_m: D, the largest distance between two elements.
        fraunhofer_m: 2D²/λ.
        spacing_wavelengths: The largest distance of an element from its nearest neighbour.
        ambiguity: The largest |aᴴa'|² of two directions of the region outside of one main lobe.
        ambiguous_deg: These directions, azimuth and elevation.
        region_m: The nearest and the farthest range of the region.
    """

    shape: str
    elements: int
    aperture_m: float
    fraunhofer_m: float
    spacing_wavelengths: float
    ambiguity: float
    ambiguous_deg: tuple[tuple[float, float], tuple[float, float]]
    region_m: tuple[float, float]

    @property
    def grating(self) -> bool:
        """Whether a grating lobe lies in the region."""
        return self.ambiguity > GRATING


def geometry(array: Array, region: Tensor) -> Geometry:
    """Return the facts of an array, the first scene's where every scene has its own."""
    points = array.positions.reshape(-1, array.count, 3)[0].to(torch.float64)
    first = Array(points, array.wavelength)
    ambiguity, pair = _ambiguity(first, region)
    low, high = region[2].tolist()
    return Geometry(
        shape_of(first),
        first.count,
        first.diameter,
        first.fraunhofer_distance,
        first.spacing / first.wavelength,
        ambiguity,
        pair,
        (low, high),
    )


def shape_of(array: Array) -> str:
    """Return whether an array is linear, planar or three-dimensional."""
    points = array.positions.reshape(-1, array.count, 3)[0].to(torch.float64)
    extents = torch.linalg.svdvals(points - points.mean(0))
    if int((extents > 1e-6 * array.wavelength).sum()) < 2:
        return "linear"
    return "planar" if array.is_planar else "three-dimensional"


def plane_axes(array: Array) -> Tensor:
    """Return the axes along which a linear or planar array extends, (1 or 2, 3) unit vectors."""
    points = array.positions.reshape(-1, array.count, 3)[0].to(torch.float64)
    rows: Tensor = torch.linalg.svd(points - points.mean(0), full_matrices=False)[2]
    return rows[: 1 if shape_of(array) == "linear" else 2]


def least_range(steering: Steering, array: Array, region: Tensor) -> float:
    """Return the range in m beyond which the phase error of a model stays below π/8.

    The largest over the elements and over directions of the region, against the exact spherical
    wave; 0 where it never exceeds π/8, from a tenth of the region's nearest range on.
    """
    far = 100 * max(array.fraunhofer_distance, float(region[2, 1]))
    near = 0.1 * float(region[2, 0])
    ranges = torch.logspace(math.log10(near), math.log10(far), 240, dtype=torch.float64)
    axes = [torch.linspace(float(low), float(high), DIRECTIONS) for low, high in region[:2]]
    places = torch.cartesian_prod(*(axis.to(torch.float64) for axis in axes), ranges)
    told = steering(array, places)
    ratio = told * Spherical()(array, places).conj()
    worst = torch.angle(ratio).abs().unflatten(-1, (-1, len(ranges))).amax((-3, -2))
    beyond = torch.nonzero(worst.reshape(-1, len(ranges)).amax(0) > PHASE_LIMIT)
    if not len(beyond):
        return 0.0
    return float(ranges[min(int(beyond[-1]) + 1, len(ranges) - 1)])


def _ambiguity(
    array: Array, region: Tensor
) -> tuple[float, tuple[tuple[float, float], tuple[float, float]]]:
    """Return the largest |aᴴa'|² outside of a main lobe, and between which directions."""
    flat = region.clone()
    flat[2] = region[2, 1]
    grid = search_grid(array, flat, 2.0).positions()
    axes = [torch.linspace(float(low), float(high), DIRECTIONS) for low, high in region[:2]]
    some = torch.cartesian_prod(*(axis.to(torch.float64) for axis in axes), flat[2, :1])
    phases, others = (
        array.wavenumber * (unit_vectors(each) @ array.positions.mT) for each in (some, grid)
    )
    unit = torch.ones_like(phases)
    product = torch.polar(unit, phases).conj() @ torch.polar(torch.ones_like(others), others).mT
    power = (product.abs() / array.count) ** 2
    mean = (phases.mean(-1)[:, None] - others.mean(-1)) ** 2
    square = (phases**2).mean(-1)[:, None] + (others**2).mean(-1)
    spread = square - 2 * (phases @ others.mT) / array.count - mean
    power = torch.where(spread > MAIN_LOBE**2, power, 0.0)
    index = int(power.argmax())
    pair = to_degrees(torch.stack((some[index // len(grid)], grid[index % len(grid)])))
    first, second = pair[:, :2].tolist()
    return float(power.max()), ((first[0], first[1]), (second[0], second[1]))
