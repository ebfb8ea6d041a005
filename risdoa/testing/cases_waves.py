"""Arrays and source positions that steering models are checked on, from small to large."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.errors import InputError
from risdoa.testing.failures import expect


@dataclass(frozen=True)
class NamedArray:
    """An array, what failures call it, and its shape.

    Attributes:
        name: A few words.
        array: In double precision.
        grid: Elements along x and y where they stand in rows, x fastest.
        circle: Whether the elements stand on a circle around the origin.
    """

    name: str
    array: Array
    grid: tuple[int, int] | None = None
    circle: bool = False

    @property
    def line(self) -> bool:
        """Whether it sees no more than one angle."""
        return self.grid is not None and 1 in self.grid

    @property
    def radius(self) -> float:
        """The largest distance of an element from the origin in metres."""
        return float(torch.linalg.vector_norm(self.array.positions, dim=-1).max())

    @property
    def phase(self) -> float:
        """How far the phase of a plane wave can run from the origin to an element, k·radius rad."""
        return self.array.wavenumber * self.radius


def _shifted(array: Array, x: float, y: float) -> Array:
    """Return the array moved off the origin."""
    offset = torch.tensor([x, y, 0.0], dtype=torch.float64)
    return Array(array.positions + offset, array.wavelength)


def _in_space() -> Array:
    """Return six elements without any symmetry, up to 0.7 wavelengths from the origin."""
    points = [[0, 0, 0], [5, 1, 2], [-4, 3, -1], [1, -5, 4], [-2, -3, -4], [3, 4, -3]]
    return Array(torch.tensor(points, dtype=torch.float64) * 0.01, 0.1)


ARRAYS = (
    NamedArray("2 elements in a line", Array.linear(2, 1.0), grid=(2, 1)),
    NamedArray("5 elements in a line", Array.linear(5, 0.3), grid=(5, 1)),
    NamedArray("3 x 2 elements in a plane", Array.planar(3, 2, 0.3), grid=(3, 2)),
    NamedArray(
        "3 x 2 elements off the origin", _shifted(Array.planar(3, 2, 0.3), 0.1, -0.05), grid=(3, 2)
    ),
    NamedArray("6 elements in space", _in_space()),
    NamedArray("8 elements on a circle", Array.circular(8, 2.0), circle=True),
    NamedArray("4 x 4 elements in a plane", Array.planar(4, 4, 0.05), grid=(4, 4)),
)
"""Wavelengths differ, so that none can be built in."""


def held(model: Any) -> list[NamedArray]:
    """Return the arrays that a steering model holds for; a model may refuse any with InputError."""
    accepted = [each for each in ARRAYS if _accepts(model, each)]
    names = ", ".join(each.name for each in ARRAYS)
    expect(accepted, f"a model that holds for one of: {names}", "an InputError for every array")
    return accepted


def _accepts(model: Any, each: NamedArray) -> bool:
    try:
        model(each.array, places(each))
    except InputError:
        return False
    return True


def places(
    each: NamedArray, *batch: int, sources: int = 2, nearest: float = 3.0, farthest: float = 100.0
) -> Tensor:
    """Return positions spread evenly over ±55° by ±28° and, in the logarithm, over the range.

    The parts are those of multiples of the golden ratio and its like, which never repeat.

    Args:
        each: The array that sees them.
        batch: Leading axes.
        sources: K.
        nearest: The smallest range over the array's radius.
        farthest: The largest range over the array's radius.

    Shapes:
        Returns (…, K, 3) rad, rad, m, the leading axes being ``batch``.
    """
    index = torch.arange(1, math.prod(batch) * sources + 1, dtype=torch.float64)
    parts = torch.frac(index.unsqueeze(-1) * torch.tensor([0.8192, 0.6711, 0.5497]))
    azimuth, elevation = (2 * parts[:, 0] - 1) * 0.96, (2 * parts[:, 1] - 1) * 0.49
    distance = each.radius * nearest * (farthest / nearest) ** parts[:, 2]
    return torch.stack((azimuth, elevation, distance), -1).reshape(*batch, sources, 3)


def place(azimuth: float, elevation: float, distance: float) -> Tensor:
    """Return one position, (1, 3) rad, rad, m."""
    return torch.tensor([[azimuth, elevation, distance]], dtype=torch.float64)


def described(positions: Tensor) -> str:
    """Return the first of some positions in words."""
    azimuth, elevation, distance = positions.reshape(-1, 3)[0].tolist()
    return f"source at {math.degrees(azimuth):.4g}°, {math.degrees(elevation):.4g}°, {distance:g} m"


def aligned(vectors: Tensor, reference: Tensor) -> Tensor:
    """Return the vectors turned by the common phase that brings each closest to the reference.

    Which point of an array has phase 0 is a convention that nothing measures.

    Shapes:
        vectors, reference: (…, N, K). Returns (…, N, K).
    """
    product = (vectors.conj() * reference).sum(-2, keepdim=True)
    return vectors * torch.sgn(product)


def correlation(first: Tensor, second: Tensor) -> float:
    """Return |aᴴb|/(‖a‖‖b‖) of two vectors (N, 1)."""
    norms = torch.linalg.vector_norm(first) * torch.linalg.vector_norm(second)
    return float((first.conj() * second).sum().abs() / norms)
