"""A comparison as a table that fits 80 columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from risdoa.evaluation.comparison import Cell, Comparison, Floor

HEADERS = ("bound and methods", "az °", "el °", "r m", "pos m", "efficiency", "out%")

SHOWN = (0, 1, 2, 4)
"""Azimuth, elevation, range and position among the deviations."""

EVERYONE = "  all sources found"
LABEL = 20
"""Longer labels are broken behind commas."""

LEGEND = (
    "az, el, r, pos: RMSE of the inliers (direction within 5°), pos being the distance in space; "
    "out: the other sources, whose errors are in the line of all. Efficiency is RMSE/√CRB in "
    "azimuth, elevation and 1/r. It, the √CRB and the position error bound beside it leave out "
    "sources within 3√CRB of the region's edge, and outliers."
)


class Table(NamedTuple):
    """What is printed: a title, headers, lines of cells."""

    title: str
    headers: Sequence[str]
    lines: list[list[str | None]]


def tables(comparison: Comparison, scenario: str) -> list[Table]:
    """Return one table for each number of sources."""
    counts = dict.fromkeys(floor.sources for floor in comparison.floors)
    return [_table(comparison, scenario, sources) for sources in counts]


def models_line(comparison: Comparison) -> str:
    """Return which model made the data, which ones estimate, and what the bound assumes."""
    data = sorted({cell.data_model for cell in comparison.cells})
    told = list(dict.fromkeys(cell.estimation_model for cell in comparison.cells))
    bound = f"{comparison.bound} ({comparison.bound_model})"
    return f"data: {', '.join(data)}; estimation: {', '.join(told)}; bound: {bound}"


def _table(comparison: Comparison, scenario: str, sources: int) -> Table:
    """Return the table of one number of sources: the bound, then the methods, SNR by SNR."""
    lines: list[list[str | None]] = []
    for floor in comparison.floors:
        if floor.sources != sources:
            continue
        cells = [
            cell
            for cell in comparison.cells
            if (cell.sources, cell.snr_db) == (sources, floor.snr_db)
        ]
        lines.append(_floor_line(floor))
        for cell in cells:
            lines.append(_cell_line(cell, comparison))
            lines += [_everyone(cell)] if cell.summary.outliers > cell.summary.missing else []
    title = f"{scenario}, K = {sources}, {comparison.trials} trials\n{models_line(comparison)}"
    return Table(title, HEADERS, lines)


def _cell_line(cell: Cell, comparison: Comparison) -> list[str | None]:
    several = len({each.estimation_model for each in comparison.cells}) > 1
    label = cell.method
    if several and not label.endswith(f"@{cell.estimation_model}"):
        label += f" @{cell.estimation_model}"
    return [
        broken(label),
        *(digits(cell.summary.deviations[axis].rmse_inliers) for axis in SHOWN),
        " ".join(ratio(each) for each in cell.summary.efficiencies()),
        _percent(cell.summary.outlier_rate),
    ]


def _everyone(cell: Cell) -> list[str | None]:
    """Return the RMSE over every source found, outliers and all."""
    errors = (digits(cell.summary.deviations[axis].rmse) for axis in SHOWN)
    return [EVERYONE, *errors, None, None]


def _floor_line(floor: Floor) -> list[str | None]:
    levels = [None if floor.sqrt_crb is None else floor.sqrt_crb[axis] for axis in SHOWN]
    return [f"√CRB at {floor.snr_db:g} dB", *(digits(level) for level in levels), None, None]


def broken(label: str) -> str:
    """Return a label with its lines broken behind commas where it is long."""
    lines = [""]
    for part in re.findall(r"[^,]+,?", label):
        if lines[-1] and len(lines[-1]) + len(part) > LABEL:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def digits(value: float | None) -> str:
    """Return about three digits of a number, never more than five characters; a dash for none."""
    if not value:
        return "-" if value is None else "0"
    decimals = next((d for limit, d in ((100, 0), (10, 1), (1, 2), (0.01, 3)) if value >= limit), 4)
    return f"{value:.{decimals}f}" if value >= 0.01 else f"{value:.4f}".removeprefix("0")


def _percent(rate: float) -> str:
    return "100" if rate == 1 else f"{100 * rate:.1f}"


def ratio(value: float | None) -> str:
    """Return two digits of a ratio; a dash for none."""
    return "-" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"
