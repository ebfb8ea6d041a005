"""The figures of a method by the range of the sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import torch
from torch import Tensor

from risdoa.errors import InputError
from risdoa.evaluation.metrics import Reference, Scores, Summary, summarise

BINS = 4


@dataclass(frozen=True)
class RangeBin:
    """The figures of the sources with low <= r < high in m; the last bin includes its end."""

    low: float
    high: float
    summary: Summary

    def row(self) -> dict[str, object]:
        """Return one row of ``range_bins`` in ``risdoa.compare/1``, but for what was measured."""
        summary = self.summary
        row: dict[str, object] = {
            "range_low_m": self.low,
            "range_high_m": self.high,
            "resolved": asdict(summary.resolved),
            "outlier_rate": summary.outlier_rate,
        }
        for each in summary.deviations:
            row[each.coordinate] = {
                "rmse": each.rmse,
                "rmse_resolved": each.rmse_resolved,
                "median": each.median,
                "sqrt_crb": each.sqrt_crb,
                "efficiency": each.efficiency,
            }
        return row


def bin_edges(region: Tensor, given: Sequence[float]) -> tuple[float, ...]:
    """Return the edges of bins in m, ascending.

    Args:
        region: (3, 2) rad, rad, m.
        given: The edges, or a single number: so many bins over the region, uniform in 1/r, in which
            the range resolution of an array is.

    Raises:
        InputError: no whole number of bins, or edges that are not positive and ascending.
    """
    if len(given) == 1:
        return _uniform(region, given[0])
    if min(given) <= 0 or any(low >= high for low, high in pairwise(given)):
        raise InputError(
            f"edges of range bins must be positive and ascending, got {list(given)} m",
            "as in 0.5,2,5,10 for three bins, or 4 for four bins uniform in 1/r",
        )
    return tuple(given)


def _uniform(region: Tensor, bins: float) -> tuple[float, ...]:
    """Return the edges of bins that are uniform in 1/r; a fixed range is one bin."""
    if bins < 1 or bins != int(bins):
        raise InputError(f"range bins must be a whole number, 1 or more, got {bins:g}")
    low, high = region[2].tolist()
    if low == high:
        return low, high
    inverse = torch.linspace(1 / low, 1 / high, int(bins) + 1, dtype=torch.float64)
    return low, *inverse[1:-1].reciprocal().tolist(), high


def by_range(scores: Scores, reference: Reference, edges: Sequence[float]) -> tuple[RangeBin, ...]:
    """Return the figures bin by bin; a bin without a source is left out."""
    ranges, bins = reference.ranges, []
    for low, high in pairwise(edges):
        within = (ranges >= low) & ((ranges <= high) if high == edges[-1] else (ranges < high))
        if bool((within & scores.mask).any()):
            bins.append(RangeBin(low, high, summarise(scores.only(within), reference)))
    return tuple(bins)
