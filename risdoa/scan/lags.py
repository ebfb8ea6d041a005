"""‖G_l a‖² on a uniform lattice behind a coded surface, from the correlations of its elements."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.grid import Grid
from risdoa.scan.polynomial import Lattice
from risdoa.scan.table import SeparableTable
from risdoa.sensing import RisCoded

ROUNDING = 1e-6
"""Least norm over the mean one: what rounding leaves of a zero of the polynomial."""


PRODUCT = 250
"""Operations of a long matrix product in the time of one of two arrays, element by element."""


def lags_are_fewer(table: SeparableTable, grid: Grid, outputs: int) -> bool:
    """Return whether lags take less time than the lines of the array, by operations a snapshot."""
    width, height = table.along_x.shape[1], table.along_y.shape[0]
    (ranges, rows, columns), elements = grid.shape, width * height
    polynomials = 8 * ranges * rows * width * (2 * height + columns)
    by_lags = elements**2 / 2 * (PRODUCT + 8 * ranges) + polynomials
    across = min(outputs * columns, width * (outputs + columns / 2))
    return by_lags < 8 * table.rows * (outputs * elements + width * across)


def bytes_of_lags(waves: Lattice) -> int:
    """Return what the coefficients of the polynomials of one snapshot take."""
    ranges, height, width = waves.chirp.shape
    return 8 * (2 * height - 1) * width * ranges


def norms_by_lags(sensing: RisCoded, waves: Lattice) -> Tensor:
    """Return ‖G_l a‖² at every grid point, (S', L, R, A) float32.

    For G_l = H diag(c_l) it is one trigonometric polynomial a range and snapshot, as in
    :class:`Lattice`,

        Σ_d h_wl[d] exp(j(d_x α + d_y β)),  h_wl[d] = Σ_n c̄_ln c_l,n+d (HᴴH)_n,n+d q_wn q̄_w,n+d,

    with q the chirp of the range: L·N²/2 products, and a matrix product over the elements a lag,
    where going through the lines of the array takes M·N·R products a snapshot.
    """
    height, width = waves.chirp.shape[1:]
    channel, codes = (
        each if each.ndim == 3 else each.unsqueeze(0) for each in (sensing.channel, sensing.codes)
    )
    scenes, length = max(len(channel), len(codes)), codes.shape[1]
    gram = (channel.mH @ channel).contiguous()
    sheets = codes.unflatten(-1, (height, width)).expand(scenes, -1, -1, -1)
    lags = gram.new_empty((2 * height - 1, width, len(waves.chirp), scenes * length))
    for up in range(1 - height, height):
        for right in range(width):
            products = _products(sheets, gram, up, right)
            weights = _shifted(waves.chirp, up, right).conj().flatten(1)
            torch.mm(
                weights, products.flatten(2).flatten(0, 1).mT, out=lags[height - 1 + up, right]
            )
    norms: Tensor = _at_the_points(lags, waves).unflatten(0, (scenes, length))
    return norms


def _products(codes: Tensor, gram: Tensor, up: int, right: int) -> Tensor:
    """Return c̄_ln c_l,n+d (HᴴH)_n,n+d for all n that have a partner, (S', L, Y, X)."""
    height, width = codes.shape[-2:]
    elements = height * width
    first = max(0, -up) * width
    shape = (len(gram), height - abs(up), width - right)
    strides = (elements**2, width * (elements + 1), elements + 1)
    offset = first * (elements + 1) + up * width + right
    shared = gram.as_strided(shape, strides, gram.storage_offset() + offset)
    return _shifted(codes, up, right) * shared.unsqueeze(1)


def _shifted(values: Tensor, up: int, right: int) -> Tensor:
    """Return z̄_n z_n+d of values (…, N_y, N_x), for all n that have a partner."""
    height, width = values.shape[-2:]
    low, high = max(0, -up), height - max(0, up)
    here = values[..., low:high, : width - right]
    return here.conj() * values[..., low + up : high + up, right:]


def _at_the_points(lags: Tensor, waves: Lattice) -> Tensor:
    """Return the values of polynomials at every point, (Z, R, A).

    Shapes:
        lags: (2N_y - 1, N_x, W, Z), those with d_x >= 0.
    """
    ranges, count = lags.shape[2:]
    rows = (waves.up @ lags.flatten(1)).unflatten(1, (lags.shape[1], -1)).mT
    flat = torch.view_as_real(rows.contiguous()).flatten(2)
    norms = (flat @ waves.across).unflatten(1, (ranges, count))
    least = ROUNDING * norms.mean((0, 1, 3), keepdim=True)  # of every snapshot by itself
    volume: Tensor = torch.maximum(norms, least).permute(2, 1, 0, 3)
    return volume.flatten(1, 2)
