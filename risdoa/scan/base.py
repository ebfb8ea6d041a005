"""What every steering table can do."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

CACHE = 2**20
"""Bytes of products that are worked on at once."""

MEMORY = 8 * 2**20
"""Bytes that one intermediate of a scan may take: few scenes at a time stay near the cache."""

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

    def energies(self, fields: Tensor) -> Tensor:
        """Return |aᴴx|² of every field with every grid point, (S, X, R, A) float32."""
        return power(self.correlate(fields))

    @abstractmethod
    def select(self, scenes: Tensor) -> SteeringTable:
        """Return the table of the chosen scenes; what is shared stays shared."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know about the scan: nothing where the model factors."""
        return ()


def power(values: Tensor) -> Tensor:
    """Return |z|²."""
    real, imaginary = values.real, values.imag
    return torch.addcmul(real * real, imaginary, imaginary)


def contracted(fields: Tensor, along_x: Tensor, along_y: Tensor) -> Tensor:
    """Return aᴴx for a = Σ_k b_k ⊗ x_k: contract y for every row and product, then x in them.

    K(N + N_x A) products for a field and a row of A points, a few fields at a time so that what
    lies in between stays in the cache.

    Shapes:
        fields: (S, X, N) complex64. Returns (S, X, R, A).
        along_x: (R, K·N_x, A) conjugate. along_y: (N_y, R·K) conjugate.
    """
    rows, _, columns = along_x.shape
    sheets = _sheets(fields, along_x, along_y)
    products = along_x.new_empty((len(sheets), rows, columns))
    few = _at_once(along_x)
    for some, place in zip(sheets.split(few), products.split(few), strict=True):
        place.copy_((_lines(some, along_y, rows) @ along_x).transpose(0, 1))
    apart: Tensor = products.unflatten(0, fields.shape[:-1])
    return apart


def contracted_energies(fields: Tensor, along_x: Tensor, along_y: Tensor, parts: Tensor) -> Tensor:
    """Return |aᴴx|² in the same way, squared before it leaves the cache.

    Shapes:
        parts: (R, 2K·N_x, 2A) float32, ``along_x`` in real form; see :func:`in_parts`.
    """
    rows, _, columns = along_x.shape
    sheets = _sheets(fields, along_x, along_y)
    energies = parts.new_empty((len(sheets), rows, columns))
    few = _at_once(along_x)
    for some, place in zip(sheets.split(few), energies.split(few), strict=True):
        lines = torch.view_as_real(_lines(some, along_y, rows)).flatten(2)
        squares = (lines @ parts).square_().transpose(0, 1)
        torch.add(squares[..., :columns], squares[..., columns:], out=place)
    apart: Tensor = energies.unflatten(0, fields.shape[:-1])
    return apart


def in_parts(along_x: Tensor) -> Tensor:
    """Return what takes Re and Im of lines in turn to all Re and then all Im of their products.

    Shapes:
        along_x: (R, X, A) complex. Returns (R, 2X, 2A).
    """
    real, imaginary = along_x.real, along_x.imag
    of_real = torch.cat((real, imaginary), dim=-1)
    of_imaginary = torch.cat((-imaginary, real), dim=-1)
    return torch.stack((of_real, of_imaginary), dim=2).flatten(1, 2).contiguous()


def _sheets(fields: Tensor, along_x: Tensor, along_y: Tensor) -> Tensor:
    """Return fields as they lie on the array, (S·X, N_y, N_x)."""
    rank = along_y.shape[1] // len(along_x)
    return fields.reshape(-1, along_y.shape[0], along_x.shape[1] // rank)


def _lines(sheets: Tensor, along_y: Tensor, rows: int) -> Tensor:
    """Return what is left along x of every row and product, (R, X, K·N_x)."""
    lines = along_y.mT @ sheets.transpose(0, 1).flatten(1)
    apart = lines.view(rows, along_y.shape[1] // rows, len(sheets), -1)
    return apart.transpose(1, 2).flatten(2)


def _at_once(along_x: Tensor) -> int:
    """Return how many fields to work on at once, so that what lies between stays cached."""
    rows, across, columns = along_x.shape
    return max(FEWEST, CACHE // (8 * rows * (across + columns)))
