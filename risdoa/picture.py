"""The picture of a result: directions with error bars, and ranges."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from risdoa.errors import InputError
from risdoa.files import atomic_path

if TYPE_CHECKING:
    from risdoa.result import Result

ESTIMATE, TRUTH = "#0072B2", "#D55E00"
"""Blue and vermilion of Okabe and Ito, told apart by everyone."""


def draw(result: Result, path: str | os.PathLike[str] | None = None) -> Figure:
    """Draw estimates and, where the recording has it, the truth.

    Raises:
        InputError: if ``path`` has an ending that is not of a picture.
    """
    with_range = bool(result.problem.free[2])
    figure = Figure(figsize=(9.0 if with_range else 5.5, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2 if with_range else 1, squeeze=False)[0]
    truth = result.recording.truth_deg_m
    known = None if truth is None else torch.from_numpy(truth).flatten(0, 1)
    _panel(axes[0], result, known, 0, 1, "azimuth (°)", "elevation (°)")
    if with_range:
        _panel(axes[1], result, known, 0, 2, "azimuth (°)", "range (m)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle(result.method, fontsize=10)
    if path is not None:
        _save(figure, Path(path))
    return figure


def _panel(
    axes: Axes, result: Result, truth: Tensor | None, x: int, y: int, x_label: str, y_label: str
) -> None:
    """Draw one pair of coordinates."""
    valid = result.estimates.valid
    values = result.positions_deg_m()[valid]
    std = result.std_deg_m()
    bars = torch.zeros_like(values) if std is None else std[valid].nan_to_num(0.0)
    if truth is not None:
        axes.plot(
            truth[:, x], truth[:, y], "+", color=TRUTH, ms=9, mew=1.5, label="truth", zorder=1
        )
    axes.errorbar(
        values[:, x].numpy(),
        values[:, y].numpy(),
        xerr=bars[:, x].numpy(),
        yerr=bars[:, y].numpy(),
        fmt="o",
        ms=4,
        lw=1,
        color=ESTIMATE,
        label="estimate ± σ",
    )
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: Figure, path: Path) -> None:
    ending = path.suffix.lstrip(".").lower() or "png"
    if ending not in figure.canvas.get_supported_filetypes():
        raise InputError(f"cannot draw a picture as {path.name}", "end the name in .png or .svg")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=ending, dpi=150)
