"""Steering tables of models that nearly factor: sums of a few products of two lines."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.frozen import changed
from risdoa.scan import dense
from risdoa.scan.base import SteeringTable, contracted
from risdoa.steering.base import Steering

LOSS = 0.01
"""The most that a sum may lose of the energy of a steering vector, 0.04 dB."""

ROUNDING = 1e-6
"""A loss that single precision cannot tell from none: nothing to be said of it."""

GAIN = 0.5
"""Operations of a scan by sums, over those of a direct one, that are worth making the sums."""


@dataclass(frozen=True)
class LowRankTable(SteeringTable):
    """a ≈ Σ_k b_k ⊗ x_k with K vectors b_k along y for every row, orthonormal, and x_k along x.

    The b_k are the leading eigenvectors of Σ A Aᴴ over the azimuths of a row, A (N_y, N_x) being a
    steering vector laid out on the lattice: the best that can be shared by a row. Spherical waves
    mix x and y through (x u + y v)² w / 2 and higher terms, so that K grows with the depth of the
    near field; K(N + N_x A) products for a field and a row of A points.

    Shapes:
        along_x: (R, K·N_x, A) conjugate. along_y: (N_y, R·K) conjugate. lost: the largest share of
        the energy of a steering vector that is left out.
    """

    along_x: Tensor
    along_y: Tensor
    lost: float

    @property
    def rows(self) -> int:  # type: ignore[override]
        """The number of rows R."""
        return self.along_x.shape[0]

    @property
    def columns(self) -> int:  # type: ignore[override]
        """The number of azimuths A."""
        return self.along_x.shape[2]

    @property
    def rank(self) -> int:
        """The number of products K."""
        return self.along_y.shape[1] // self.rows

    def correlate(self, fields: Tensor) -> Tensor:
        """Return aᴴx; see :meth:`SteeringTable.correlate`."""
        return contracted(fields, self.along_x, self.along_y)

    def select(self, scenes: Tensor) -> LowRankTable:
        """Return itself: one geometry for all scenes; see :meth:`SteeringTable.select`."""
        return self

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what the scan stands on."""
        if self.lost < ROUNDING:
            return ()
        decibels = -10 * math.log10(1 - min(self.lost, 0.5))
        return (
            f"the scan takes the steering model for a sum of {self.rank} products of two lines, "
            f"which loses at most {decibels:.3f} dB; what it finds is refined without",
        )


def low_rank_table(steering: Steering, array: Array, positions: Tensor) -> LowRankTable | None:
    """Return the table of points (R, A, 3), or None where it would cost as much as a direct one.

    That is so off a lattice, where the rank is high, and where rows are short; or where it would
    take more memory than a table may.
    """
    lines = changed(array, gains=None).lines()
    if lines is None or array.scenes is not None:
        return None
    width, height, columns = lines[0].count, lines[1].count, positions.shape[1]
    most = int(GAIN * array.count * columns / (array.count + width * columns))
    parts, size = [], 0
    for rows in positions.split(dense.rows_at_once(array, columns)):
        sheets = steering(array, rows.flatten(0, 1)).reshape(height, width, *rows.shape[:2])
        part = _factors(sheets.permute(2, 0, 1, 3), most)
        size += 0 if part is None else 8 * part[1].numel()
        if part is None or size > dense.KEPT:
            return None
        parts.append(part)
    return _joined(parts)


def _joined(parts: list[tuple[Tensor, Tensor, float]]) -> LowRankTable:
    """Return the table of the factors of some rows after others, as many products for all."""
    rows, rank = sum(len(each) for each, _, _ in parts), max(each.shape[-1] for each, _, _ in parts)
    _, height, _ = parts[0][0].shape
    _, _, width, columns = parts[0][1].shape
    along_y = parts[0][0].new_zeros((height, rows, rank))
    along_x = parts[0][1].new_zeros((rows, rank, width, columns))
    first = 0
    for y, x, _ in parts:
        along_y[:, first : first + len(y), : y.shape[-1]] = y.transpose(0, 1)
        along_x[first : first + len(x), : x.shape[1]] = x
        first += len(x)
    return LowRankTable(
        along_x.flatten(1, 2), along_y.flatten(1), max(lost for _, _, lost in parts)
    )


def _factors(sheets: Tensor, most: int) -> tuple[Tensor, Tensor, float] | None:
    """Return the conjugates of b_k and x_k for rows of steering vectors, and what is lost.

    Shapes:
        sheets: (R, N_y, N_x, A). Returns (R, N_y, K) and (R, K, N_x, A), or None for K > ``most``.
    """
    flat = sheets.flatten(2)
    energies, vectors = torch.linalg.eigh((flat @ flat.mH).to(torch.complex128))
    tails = (energies.clamp_min(0).cumsum(-1) / energies.sum(-1, keepdim=True)).amax(0)
    rank = max(1, int((tails > LOSS).sum()))
    while rank <= most:
        basis = vectors[..., -rank:].to(sheets.dtype)
        across = (basis.mH @ flat).unflatten(-1, sheets.shape[2:])
        kept = torch.view_as_real(across).square().sum((1, 2, 4))
        lost = float(1 - kept.min())
        if lost <= LOSS:
            return basis.conj().resolve_conj(), across.conj().resolve_conj(), lost
        rank += 1
    return None
