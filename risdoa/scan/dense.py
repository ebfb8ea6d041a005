"""Steering tables of models that do not factor: every vector in full, kept or made anew."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.frozen import changed
from risdoa.scan.base import SteeringTable
from risdoa.steering.base import Steering

KEPT = 2**30
"""Bytes that a table may take; steering vectors that take more are made anew in every scan."""

AT_ONCE = 32 * 2**20
"""Bytes of steering vectors that are made at once."""

DIRECT = "the scan takes the steering model as it is"


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
        if self.conjugate.ndim == 2:
            return self
        return changed(self, conjugate=self.conjugate[scenes])

    @property
    def notes(self) -> tuple[str, ...]:
        """Say that the scan is direct."""
        return (DIRECT,)


@dataclass(frozen=True)
class PassingTable(SteeringTable):
    """The same, a few rows of points at a time, each made when it is needed and not kept.

    Shapes:
        positions: (R, A, 3) rad, rad, m.
    """

    steering: Steering
    array: Array
    positions: Tensor

    @property
    def rows(self) -> int:  # type: ignore[override]
        """The number of rows R."""
        return self.positions.shape[0]

    @property
    def columns(self) -> int:  # type: ignore[override]
        """The number of azimuths A."""
        return self.positions.shape[1]

    def correlate(self, fields: Tensor) -> Tensor:
        """Return aᴴx; see :meth:`SteeringTable.correlate`."""
        products = fields.new_empty((*fields.shape[:-1], self.rows, self.columns))
        rows = torch.arange(self.rows, device=fields.device)
        for few in rows.split(rows_at_once(self.array, self.columns)):
            vectors = conjugate(self.steering, self.array, self.positions[few])
            products[:, :, few] = (fields @ vectors).unflatten(-1, (len(few), self.columns))
        return products

    def select(self, scenes: Tensor) -> PassingTable:
        """Return the table of the chosen scenes; see :meth:`SteeringTable.select`."""
        return changed(self, array=self.array.select(scenes))

    @property
    def notes(self) -> tuple[str, ...]:
        """Say that the scan is direct."""
        return (DIRECT,)


def direct_table(steering: Steering, array: Array, positions: Tensor) -> SteeringTable:
    """Return the table of points (R, A, 3) in full, kept where it takes no more than ``KEPT``."""
    rows, columns = positions.shape[:2]
    if bytes_a_row(array, columns) * rows > KEPT:
        return PassingTable(steering, array, positions)
    own = () if array.scenes is None else (array.scenes,)
    shape = (*own, array.count, rows, columns)
    table = positions.new_empty(shape, dtype=positions.dtype.to_complex())
    for few in torch.arange(rows).split(rows_at_once(array, columns)):
        made = conjugate(steering, array, positions[few])
        table[..., few, :] = made.unflatten(-1, (len(few), columns))
    return DenseTable(table.flatten(-2), rows, columns)


def conjugate(steering: Steering, array: Array, positions: Tensor) -> Tensor:
    """Return a* of points (R, A, 3) as (N, R·A), or (S, N, R·A) where scenes have arrays."""
    return steering(array, positions.flatten(0, 1)).conj().resolve_conj()


def bytes_a_row(array: Array, columns: int) -> int:
    """Return what the steering vectors of a row of points take, those of all scenes together."""
    return 8 * (array.scenes or 1) * array.count * columns


def rows_at_once(array: Array, columns: int) -> int:
    """Return of how many rows the steering vectors are made at once."""
    return max(1, AT_ONCE // bytes_a_row(array, columns))
