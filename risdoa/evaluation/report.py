"""A comparison on disk: a tidy CSV, a JSON that says how to repeat it, and figures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from risdoa.evaluation.comparison import Cell, Comparison
from risdoa.files import atomic_path, check_folder, write_text

SCHEMA = "risdoa.compare/1"


def document(comparison: Comparison, meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return a comparison as ``risdoa.compare/1``."""
    cells = comparison.cells
    return {
        "schema": SCHEMA,
        "meta": dict(meta),
        "rows": comparison.rows(),
        "resolution": [cell.resolution_row() for cell in cells],
        "range_bins": [row for cell in cells for row in cell.bin_rows()],
        "gospa": [cell.gospa_row() for cell in cells],
    }


def write_report(
    folder: Path, comparison: Comparison, meta: Mapping[str, Any], scenario: str
) -> list[Path]:
    """Write every file, each all or nothing, and return their paths.

    Raises:
        InputError: the folder cannot be written to.
    """
    check_folder(folder)
    csv_path, json_path = folder / "comparison.csv", folder / "comparison.json"
    write_text(csv_path, _csv(comparison))
    full = {
        **document(comparison, meta),
        "details": [_details(cell) for cell in comparison.cells],
        "bounds": [asdict(floor) for floor in comparison.floors],
    }
    write_text(json_path, json.dumps(full, indent=2, allow_nan=False, ensure_ascii=False) + "\n")
    return [csv_path, json_path, *_figures(folder, comparison, scenario)]


def _figures(folder: Path, comparison: Comparison, scenario: str) -> list[Path]:
    """Write a figure for each number of sources."""
    from risdoa.evaluation.figures import figures  # noqa: PLC0415 - matplotlib takes a while

    paths = []
    for sources, figure in figures(comparison, scenario).items():
        path = folder / f"error_k{sources}.png"
        with atomic_path(path) as temporary:
            figure.savefig(temporary)
        paths.append(path)
    return paths


def _csv(comparison: Comparison) -> str:
    """Return one line for each method, SNR, number of sources and coordinate."""
    rows = [
        {**row, **_extras(cell, str(row["coordinate"]))}
        for cell in comparison.cells
        for row in cell.rows()
    ]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _extras(cell: Cell, coordinate: str) -> dict[str, object]:
    """Return what the CSV says besides the rows of the JSON."""
    deviation = next(d for d in cell.summary.deviations if d.coordinate == coordinate)
    summary = cell.summary
    return {
        "unit": deviation.unit,
        "median": deviation.median,
        "percentile_90": deviation.percentile_90,
        "rmse_counted": deviation.rmse_counted,
        "counted": summary.counted,
        "true_sources": summary.sources,
        "outliers": summary.outliers,
        "missing": summary.missing,
        "outlier_low": summary.outlier_low,
        "outlier_high": summary.outlier_high,
    }


def _details(cell: Cell) -> dict[str, Any]:
    """Return everything that was found out about one cell."""
    return {
        "method": cell.method,
        "snr_db": cell.snr_db,
        "sources": cell.sources,
        "seconds_per_scene": cell.seconds / cell.summary.trials,
        "notes": list(cell.notes),
        **asdict(cell.summary),
    }
