"""The steering vectors of a grid, ready to be correlated with many fields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import invert_range
from risdoa.grid import Grid
from risdoa.steering.base import Steering


class SteeringTable(ABC):
    """aᴴ of every grid point, in single precision.

    The points lie in R rows of one inverse range and one elevation, of A azimuths each; flattened,
    they are in the order of :meth:`Grid.points`.
    """

    rows: int
    columns: int

    @abstractmethod
    def correlate(self, fields: Tensor) -> Tensor:
        """Return aᴴx of every field with every grid point.

        Shapes:
            fields: (S, X, N) complex64. Returns (S, X, R, A) complex64, not contiguous.
        """

    @abstractmethod
    def select(self, scenes: Tensor) -> SteeringTable:
        """Return the table of the chosen scenes; what is shared stays shared."""


def steering_table(steering: Steering, array: Array, grid: Grid) -> SteeringTable:
    """Return the table of a grid: of two lines where the model factors, else of every point."""
    lines = steering.lines(array)
    points = grid.points().to(array.positions.device).unflatten(0, (-1, len(grid.azimuth)))
    if lines is None:
        vectors = steering(array, _positions(points.flatten(0, 1)))
        return DenseTable(vectors.conj().resolve_conj(), *points.shape[:2])
    along_x, along_y = lines
    x = steering(along_x, _positions(points)).conj().resolve_conj()
    y = steering(along_y, _positions(points[:, :1])).conj().resolve_conj()
    return SeparableTable(x.contiguous(), y.squeeze(-1).mT.contiguous())


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


def _positions(points: Tensor) -> Tensor:
    return invert_range(points).to(torch.float32)


@dataclass(frozen=True)
class DenseTable(SteeringTable):
    """Every steering vector in full: N products for a field and a point.

    Shapes:
        conjugate: (N, P) or (S, N, P).
    """

    conjugate: Tensor
    rows: int
    columns: int

    def correlate(self, fields: Tensor) -> Tensor:
        """Return aᴴx; see :meth:`SteeringTable.correlate`."""
        products: Tensor = (fields @ self.conjugate).unflatten(-1, (self.rows, self.columns))
        return products

    def select(self, scenes: Tensor) -> DenseTable:
        """Return the table of the chosen scenes; see :meth:`SteeringTable.select`."""
        shared = self.conjugate.ndim == 2
        chosen = self.conjugate if shared else self.conjugate[scenes]
        return DenseTable(chosen, self.rows, self.columns)


@dataclass(frozen=True)
class SeparableTable(SteeringTable):
    """a = a_y ⊗ a_x on a product of two lines: contract y for every row, then x in it.

    N + N_x A products for a field and a row of A points, where the dense table takes N A.

    Shapes:
        along_x: (R, N_x, A) conjugate. along_y: (N_y, R) conjugate.
    """

    along_x: Tensor
    along_y: Tensor

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
        height, width = self.along_y.shape[0], self.along_x.shape[1]
        lead = fields.shape[:-1]
        columns = fields.reshape(-1, height, width).mT.reshape(-1, height)
        lines = (columns @ self.along_y).unflatten(0, (-1, width))
        products = lines.permute(2, 0, 1) @ self.along_x
        gathered: Tensor = products.unflatten(1, lead).movedim(0, -2)
        return gathered

    def select(self, scenes: Tensor) -> SeparableTable:
        """Return itself: one geometry for all scenes; see :meth:`SteeringTable.select`."""
        return self
