"""What every steering table can do."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

CACHE = 2**20
"""Bytes of products that are worked on at once."""

FEWEST = 16
"""Fields that are worked on at once at least: products of fewer are slow."""


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
            fields: (S, X, N) complex64. Returns (S, X, R, A) complex64.
        """

    @abstractmethod
    def select(self, scenes: Tensor) -> SteeringTable:
        """Return the table of the chosen scenes; what is shared stays shared."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the scan: nothing where the model factors."""
        return ()


def contracted(fields: Tensor, along_x: Tensor, along_y: Tensor) -> Tensor:
    """Return aᴴx for a = Σ_k b_k ⊗ x_k: contract y for every row and product, then x in them.

    K(N + N_x A) products for a field and a row of A points, a few fields at a time so that what
    lies in between stays in the cache.

    Shapes:
        fields: (S, X, N) complex64. Returns (S, X, R, A).
        along_x: (R, K·N_x, A) conjugate. along_y: (N_y, R·K) conjugate.
    """
    rows, across, columns = along_x.shape
    rank = along_y.shape[1] // rows
    sheets = fields.reshape(-1, along_y.shape[0], across // rank)
    products = along_x.new_empty((len(sheets), rows, columns))
    few = max(FEWEST, CACHE // (8 * rows * (across + columns)))
    for some, place in zip(sheets.split(few), products.split(few), strict=True):
        lines = along_y.mT @ some.transpose(0, 1).flatten(1)
        lines = lines.view(rows, rank, len(some), -1).transpose(1, 2).flatten(2)
        place.copy_((lines @ along_x).transpose(0, 1))
    apart: Tensor = products.unflatten(0, fields.shape[:-1])
    return apart
