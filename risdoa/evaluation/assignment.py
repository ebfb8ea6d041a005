"""Which estimate belongs to which source: one assignment for all coordinates."""

from __future__ import annotations

import math

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import great_circle
from risdoa.grid import half_width
from risdoa.problem import Estimates, Truth

MISSING = -1


def half_widths(array: Array) -> tuple[float, float]:
    """Return the -3 dB half-widths (ψ₀, w₀) of an array in rad and 1/m.

    |mean exp(jtδ)|² = 1/2 with t = k p·e along the principal axes e of the aperture (ψ₀ is the
    mean over those along which it extends), and with t = k|p|²/2 for the inverse range. An array
    that does not resolve a coordinate has an infinite half-width there.
    """
    points = array.positions.reshape(-1, array.count, 3)[0].to(torch.float64)
    points = points - points.mean(0)
    axes = torch.linalg.svd(points, full_matrices=False)[2]
    along = points @ axes.T
    extended = along[:, along.std(0) > 1e-6 * array.wavelength]
    widths = [half_width(array.wavenumber * column) for column in extended.T]
    angle = sum(widths) / len(widths) if widths else math.inf
    return angle, half_width(array.wavenumber * (points**2).sum(-1) / 2)


def costs(truth: Tensor, estimates: Tensor, widths: tuple[float, float]) -> Tensor:
    """Return ψ²/ψ₀² + Δw²/w₀² for every pair.

    Shapes:
        truth: (S, K, 3), estimates: (S, J, 3) rad, rad, m. Returns (S, K, J).
    """
    first, second = truth.unsqueeze(-2), estimates.unsqueeze(-3)
    angle = great_circle(first, second)
    inverse = first[..., 2].reciprocal() - second[..., 2].reciprocal()
    return (angle / widths[0]) ** 2 + (inverse / widths[1]) ** 2


def assigned(truth: Truth, estimates: Estimates) -> Tensor:
    """Return the estimate of every true source, ``MISSING`` where there is none, (S, K) int64."""
    widths = half_widths(truth.problem.array)
    places, found = truth.positions, estimates.positions
    return assign(places, truth.mask, found, estimates.valid, widths)


def assign(
    truth: Tensor,
    mask: Tensor,
    estimates: Tensor,
    valid: Tensor,
    widths: tuple[float, float],
) -> Tensor:
    """Return the estimate of every source by the Hungarian method, ``MISSING`` where there is none.

    Shapes:
        truth: (S, K, 3), estimates: (S, J, 3) rad, rad, m. mask: (S, K), valid: (S, J) bool.
        Returns (S, K) int64 indices into J.
    """
    return cheapest(costs(truth, estimates, widths), mask, usable(estimates, valid))


def usable(estimates: Tensor, valid: Tensor) -> Tensor:
    """Return which estimates (S, J, 3) take part: the valid ones that are finite, (S, J) bool."""
    return valid & estimates.isfinite().all(-1)


def cheapest(table: Tensor, mask: Tensor, valid: Tensor) -> Tensor:
    """Return the column of every row that make the sum least, by the Hungarian method.

    Shapes:
        table: (S, K, J). mask: (S, K), valid: (S, J) bool, the rows and columns that take part.
        Returns (S, K) int64 indices into J, ``MISSING`` where a row has none.
    """
    matched = torch.full(mask.shape, MISSING, dtype=torch.int64)
    every = torch.nan_to_num(table, posinf=1e12)
    for scene in range(mask.shape[0]):
        rows = torch.nonzero(mask[scene]).squeeze(-1)
        columns = torch.nonzero(valid[scene]).squeeze(-1)
        if rows.numel() and columns.numel():
            part = every[scene][rows[:, None], columns]
            chosen_rows, chosen_columns = linear_sum_assignment(part.numpy())
            matched[scene, rows[chosen_rows]] = columns[chosen_columns]
    return matched
