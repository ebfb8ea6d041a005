"""The picture of a result: directions with error bars, and ranges."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from risdoa.errors import InputError
from risdoa.files import atomic_path

ESTIMATE, TRUTH = "#0072B2", "#D55E00"
"""Blue and vermilion of Okabe and Ito, told apart by everyone."""
LABELS = ("azimuth (°)", "elevation (°)", "range (m)")


@dataclass(frozen=True)
class Points:
    """What is drawn: places in azimuth °, elevation ° and range m.

    Shapes:
        places: (P, 3). spread: (P, 3) standard deviations. truth: (Q, 3) or None.
    """

    places: Tensor
    spread: Tensor
    truth: Tensor | None


def draw(
    title: str, points: Points, axes: tuple[int, ...], path: str | os.PathLike[str] | None = None
) -> Figure:
    """Draw the coordinates ``axes`` over the azimuth, estimates and, where known, the truth.

    Raises:
        InputError: if ``path`` has an ending that is not of a picture.
    """
    figure = Figure(figsize=(1.0 + 4.0 * len(axes), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(axes), squeeze=False)[0]
    for panel, axis in zip(panels, axes, strict=True):
        _panel(panel, points, axis)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle(title, fontsize=10)
    if path is not None:
        _save(figure, Path(path))
    return figure


def _panel(panel: Axes, points: Points, axis: int) -> None:
    """Draw one coordinate over the azimuth."""
    if points.truth is not None:
        truth = points.truth
        panel.plot(
            truth[:, 0], truth[:, axis], "+", color=TRUTH, ms=9, mew=1.5, label="truth", zorder=1
        )
    panel.errorbar(
        points.places[:, 0].numpy(),
        points.places[:, axis].numpy(),
        xerr=points.spread[:, 0].numpy(),
        yerr=points.spread[:, axis].numpy(),
        fmt="o",
        ms=4,
        lw=1,
        color=ESTIMATE,
        label="estimate ± σ",
    )
    panel.set_xlabel(LABELS[0])
    panel.set_ylabel(LABELS[axis])
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)


def _save(figure: Figure, path: Path) -> None:
    ending = path.suffix.lstrip(".").lower() or "png"
    if ending not in figure.canvas.get_supported_filetypes():
        raise InputError(f"cannot draw a picture as {path.name}", "end the name in .png or .svg")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=ending, dpi=150)
