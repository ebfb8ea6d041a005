"""The steering vectors of a grid, ready to be correlated with many fields."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import invert_range
from risdoa.grid import Grid
from risdoa.scan.base import SteeringTable, contracted, contracted_energies, in_parts
from risdoa.scan.dense import direct_table
from risdoa.scan.low_rank import low_rank_table
from risdoa.steering.base import Steering

__all__ = ["SeparableTable", "SteeringTable", "steering_table", "steering_vectors"]


def steering_table(steering: Steering, array: Array, grid: Grid) -> SteeringTable:
    """Return the table of a grid, by what the model allows on this array.

    Of two lines where it factors; of sums of a few products of two lines where these lose no more
    than a hundredth of any steering vector's energy and cost less; of every point elsewhere. Its
    notes say which.
    """
    positions = _row_positions(array, grid)
    lines = steering.lines(array)
    if lines is not None:
        return SeparableTable.of(steering, lines, positions)
    found = low_rank_table(steering, array, positions)
    return direct_table(steering, array, positions) if found is None else found


def steering_vectors(steering: Steering, array: Array, positions: Tensor) -> Tensor:
    """Return the steering vectors, as products of those of two lines where the model factors.

    The same numbers as ``steering(array, positions)`` up to rounding, from N_x + N_y phasors for a
    position in place of N.

    Shapes:
        positions: (…, P, 3) rad, rad, m. Returns (…, N, P).
    """
    lines = steering.lines(array)
    if lines is None:
        return steering(array, positions)
    x, y = (steering(line, positions) for line in lines)
    return (y.unsqueeze(-2) * x.unsqueeze(-3)).flatten(-3, -2)


def _row_positions(array: Array, grid: Grid) -> Tensor:
    """Return the points of a grid in rows, (R, A, 3) rad, rad, m in single precision."""
    points = grid.points().to(array.positions.device).unflatten(0, (-1, len(grid.azimuth)))
    return invert_range(points).to(torch.float32)


@dataclass(frozen=True)
class SeparableTable(SteeringTable):
    """a = a_y ⊗ a_x on a product of two lines: contract y for every row, then x in it.

    N + N_x A products for a field and a row of A points, where the dense table takes N A.

    Shapes:
        along_x: (R, N_x, A) conjugate. along_y: (N_y, R) conjugate. parts: (R, 2N_x, 2A) float32,
        the first in real form.
    """

    along_x: Tensor
    along_y: Tensor
    parts: Tensor

    @classmethod
    def of(
        cls, steering: Steering, lines: tuple[Array, Array], positions: Tensor
    ) -> SeparableTable:
        """Return the table of a model that factors, for points (R, A, 3)."""
        along_x, along_y = lines
        x = steering(along_x, positions).conj().resolve_conj()
        y = steering(along_y, positions[:, :1]).conj().resolve_conj()
        return cls(x.contiguous(), y.squeeze(-1).mT.contiguous(), in_parts(x))

    @property
    def rows(self) -> int:  # type: ignore[override]
        """The number of rows R."""
        return self.along_x.shape[0]

    @property
    def columns(self) -> int:  # type: ignore[override]
        """The number of azimuths A."""
        return self.along_x.shape[2]

    def correlate(self, fields: Tensor) -> Tensor:
        """Return aᴴx; see :meth:`SteeringTable.correlate`."""
        return contracted(fields, self.along_x, self.along_y)

    def energies(self, fields: Tensor) -> Tensor:
        """Return |aᴴx|²; see :meth:`SteeringTable.energies`."""
        return contracted_energies(fields, self.along_x, self.along_y, self.parts)

    def select(self, scenes: Tensor) -> SeparableTable:
        """Return itself: one geometry for all scenes; see :meth:`SteeringTable.select`."""
        return self
