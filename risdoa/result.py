"""What an estimate shows: a table, JSON, a picture, and how far it is from the truth."""

from __future__ import annotations

import io
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from risdoa.conventions import COORDINATES, to_degrees
from risdoa.problem import Estimates, Problem
from risdoa.recordings import Recording

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = "risdoa.estimate/1"
UNITS = {"azimuth": "azimuth_deg", "elevation": "elevation_deg", "range": "range_m"}
ROWS = 40
"""Sources that a printed table shows at most."""


@dataclass(frozen=True)
class Result:
    """Estimates with the problem that they solve; prints as a table and plots itself."""

    problem: Problem
    estimates: Estimates
    recording: Recording
    method: str

    def positions_deg_m(self) -> Tensor:
        """Return azimuth °, elevation ° and range m, (S, K, 3), NaN where there is no source."""
        nan = torch.tensor(torch.nan, dtype=torch.float64)
        positions = to_degrees(self.estimates.positions.to(torch.float64))
        return torch.where(self.estimates.valid.unsqueeze(-1), positions, nan)

    def std_deg_m(self) -> Tensor | None:
        """Return the standard deviations that the likelihood gives, (S, K, 3), or None."""
        errors = self.estimates.error_covariance
        if errors is None:
            return None
        return to_degrees(errors.diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt())

    def to_json(self) -> dict[str, Any]:
        """Return the result as ``risdoa.estimate/1``."""
        converged = self.estimates.converged.tolist()
        return {
            "schema": SCHEMA,
            "method": self.method,
            "notes": list(self.estimates.notes),
            "scenes": [
                {"sources": self._sources(scene), "converged": converged[scene]}
                for scene in range(self.problem.scenes)
            ],
        }

    def _sources(self, scene: int) -> list[dict[str, Any]]:
        """Return the sources of one scene as JSON objects."""
        positions, std = self.positions_deg_m()[scene], self.std_deg_m()
        found = []
        for source in torch.nonzero(self.estimates.valid[scene]).squeeze(-1).tolist():
            row: dict[str, Any] = dict(zip(UNITS.values(), positions[source].tolist(), strict=True))
            hidden = self.estimates.unobservable[scene, source].tolist()
            names = [name for name, flag in zip(COORDINATES, hidden, strict=True) if flag]
            if std is not None:
                row["std"] = dict(zip(UNITS.values(), std[scene, source].tolist(), strict=True))
            if names:
                row["unobservable"] = names
            found.append(row)
        return found

    def __str__(self) -> str:
        """Return the table as plain text of at most 80 columns."""
        from rich.console import Console  # noqa: PLC0415 - only where a table is wanted

        console = Console(file=io.StringIO(), width=80, force_terminal=False, color_system=None)
        console.print(self.table())
        text = console.file.getvalue()  # type: ignore[attr-defined]
        return "\n".join([text.rstrip(), *self.footnotes()])

    def rows(self) -> list[list[str]]:
        """Return the lines of the table, as texts."""
        free = self.problem.free.tolist()
        std = self.std_deg_m()
        lines = []
        for scene, source in torch.nonzero(self.estimates.valid).tolist():
            cells = [str(scene), str(source)]
            values = self.positions_deg_m()[scene, source].tolist()
            hidden = self.estimates.unobservable[scene, source].tolist()
            for axis, value in enumerate(values):
                spread = None if std is None else float(std[scene, source, axis])
                cells.append(_cell(value, spread, fixed=not free[axis], hidden=hidden[axis]))
            cells.append("yes" if self.estimates.converged[scene] else "no")
            lines.append(cells)
        return lines

    def table(self) -> Any:
        """Return the estimates as a rich table."""
        from rich import box  # noqa: PLC0415 - only where a table is wanted
        from rich.table import Table  # noqa: PLC0415

        table = Table(
            title=self.method,
            title_justify="left",
            box=box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            collapse_padding=True,
        )
        names = ("scene", "source", "azimuth °", "elevation °", "range m", "converged")
        for name in names:
            table.add_column(name, justify="right")
        lines = self.rows()
        for line in lines[:ROWS]:
            table.add_row(*line)
        if len(lines) > ROWS:
            table.add_row(*["…"] * len(names))
        return table

    def footnotes(self) -> list[str]:
        """Return what a reader of the table should know."""
        lines = []
        if self.std_deg_m() is not None:
            lines.append("± one standard deviation, from the likelihood")
        total = int(self.estimates.valid.sum())
        if total > ROWS:
            lines.append(f"{ROWS} of {total} sources shown; --json prints all")
        if not bool(self.problem.free.all()):
            flags = zip(COORDINATES, self.problem.free.tolist(), strict=True)
            fixed = ", ".join(name for name, free in flags if not free)
            lines.append(f"= fixed by the region: {fixed}")
        if bool((self.estimates.unobservable & self.estimates.valid.unsqueeze(-1)).any()):
            lines.append("? not observable from these data; the value is the best of the region")
        return [*lines, *(f"note: {note}" for note in self.estimates.notes)]

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw elevation and range over azimuth, as far as they are free; save if asked to."""
        from risdoa.picture import Points, draw  # noqa: PLC0415 - matplotlib is slow to import

        valid, std = self.estimates.valid, self.std_deg_m()
        places = self.positions_deg_m()[valid]
        spread = torch.zeros_like(places) if std is None else std[valid].nan_to_num(0.0)
        truth = self.recording.truth_deg_m
        known = None if truth is None else torch.from_numpy(truth).flatten(0, 1)
        axes = tuple(axis for axis in (1, 2) if bool(self.problem.free[axis])) or (1,)
        return draw(self.method, Points(places, spread, known), axes, path)


def _cell(value: float, spread: float | None, *, fixed: bool, hidden: bool) -> str:
    """Return a value with its mark, to two significant digits of its spread."""
    if fixed:
        return f"= {value:.3f}"
    if hidden:
        return f"? {value:.3f}"
    if spread is None:
        return f"{value:.3f}"
    digits = 6 if spread <= 0 else min(max(1 - math.floor(math.log10(spread)), 0), 6)
    return f"{value:.{digits}f} ± {spread:.{digits}f}"
