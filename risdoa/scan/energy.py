"""What fields share with the steering vector of every grid point, scene by scene."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.grid import Grid
from risdoa.scan.base import MEMORY
from risdoa.scan.polynomial import lattice
from risdoa.scan.table import SteeringTable, steering_table
from risdoa.steering.base import Steering

SHORT = 6
"""Operations of a long product in the time of one of a Fourier transform of a small array."""


class EnergyScan(Protocol):
    """Gives ‖Xᴴa‖² at every point of a grid, in the order of its points."""

    def energies(self, fields: Tensor, out: Tensor | None = None) -> Tensor:
        """Return ‖Xᴴa‖² in single precision, so much at a time as bounds the memory.

        Shapes:
            fields: (S, N, X) complex, the columns of X. out: memory for the result, (S, P) float32,
            or None. Returns (S, P) float32.
        """

    def select(self, scenes: Tensor) -> EnergyScan:
        """Return the scan of the chosen scenes; what is shared stays shared."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the scan."""


def energy_scan(steering: Steering, array: Array, grid: Grid, width: int) -> EnergyScan:
    """Return the cheaper scan for fields of so many columns.

    A polynomial where the array is a uniform lattice, the model factors and the grid is not small:
    its cost a point does not grow with the width. Correlations with a steering table elsewhere.
    """
    lines = steering.lines(array)
    if lines is not None:
        size = lines[0].count, lines[1].count
        if _of_polynomial(size, grid.shape, width) < _of_correlations(size, grid.shape, width):
            found = lattice(steering, array, grid)
            if found is not None:
                return found
    return Correlations(steering_table(steering, array, grid))


class Correlations:
    """The energies from the correlation of every field with a steering table."""

    def __init__(self, table: SteeringTable) -> None:
        self.table = table

    def energies(self, fields: Tensor, out: Tensor | None = None) -> Tensor:
        """Return ‖Xᴴa‖², a few scenes at a time; see :meth:`EnergyScan.energies`."""
        rows = fields.mT.to(torch.complex64)
        points = self.table.rows * self.table.columns
        out = rows.real.new_empty((len(rows), points)) if out is None else out
        few = max(1, MEMORY // max(1, 8 * rows.shape[1] * points))
        scenes = torch.arange(len(rows), device=rows.device)
        for chunk, place in zip(scenes.split(few), out.split(few), strict=True):
            place.copy_(self.table.select(chunk).energies(rows[chunk]).sum(1).flatten(1))
        return out

    def select(self, scenes: Tensor) -> Correlations:
        """Return the scan of the chosen scenes."""
        return Correlations(self.table.select(scenes))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the table has to say."""
        return self.table.notes


def _of_correlations(size: tuple[int, int], shape: tuple[int, int, int], width: int) -> float:
    """Return the operations of correlating ``width`` fields by two lines, for one scene."""
    planes, rows, columns = shape
    across, up = size
    return 8 * planes * rows * width * across * (up + columns)


def _of_polynomial(size: tuple[int, int], shape: tuple[int, int, int], width: int) -> float:
    """Return the operations of a :class:`Lattice`, in the same unit."""
    planes, rows, columns = shape
    across, up = size
    points = 4 * across * up
    transforms = 5 * points * math.log2(points) * (width + 0.5)
    return planes * (SHORT * transforms + rows * across * (16 * up + 4 * columns))
