"""Figures of a comparison: error against SNR with the bound, and the outliers beside it."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from risdoa.evaluation.comparison import Cell, Comparison
from risdoa.evaluation.tables import models_line

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
"""Okabe and Ito's palette, told apart by people with any colour vision."""

MARKERS = "osD^vP*X"
PANELS = (("azimuth", "°"), ("elevation", "°"), ("range", "m"))


def figures(comparison: Comparison, scenario: str) -> dict[int, Figure]:
    """Return one figure for each number of sources: a panel a coordinate, and one of outliers."""
    counts = dict.fromkeys(floor.sources for floor in comparison.floors)
    return {sources: _figure(comparison, scenario, sources) for sources in counts}


def _figure(comparison: Comparison, scenario: str, sources: int) -> Figure:
    figure = Figure(figsize=(12, 4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(PANELS) + 1)
    for index, (coordinate, unit) in enumerate(PANELS):
        _error_panel(axes[index], comparison, sources, index)
        _dress(axes[index], comparison, f"{coordinate} RMSE ({unit})")
    _outlier_panel(axes[-1], comparison, sources)
    _dress(axes[-1], comparison, "outliers (%)")
    noun = "source" if sources == 1 else "sources"
    figure.suptitle(
        f"{scenario}, {sources} {noun}, {comparison.trials} trials a point\n"
        f"{models_line(comparison)}",
        fontsize=10,
    )
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(4, len(labels)), frameon=False
    )
    return figure


def _error_panel(axes: Axes, comparison: Comparison, sources: int, index: int) -> None:
    """Draw the errors of one coordinate over the counted sources, and the bound over the same."""
    for number, label in enumerate(comparison.labels):
        cells = _cells(comparison, label, sources)
        points = [(c.snr_db, c.summary.deviations[index].rmse_counted) for c in cells]
        _line(axes, points, label, _style(number))
    floors = [floor for floor in comparison.floors if floor.sources == sources]
    bound = [(f.snr_db, f.sqrt_crb[index] if f.sqrt_crb else None) for f in floors]
    style = {"color": "black", "linestyle": "--", "linewidth": 1.3, "zorder": 3}
    _line(axes, bound, "√CRB", style)
    if any(value for _, value in bound):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _outlier_panel(axes: Axes, comparison: Comparison, sources: int) -> None:
    """Draw the outlier rates with their 95 % intervals."""
    for number, label in enumerate(comparison.labels):
        cells = _cells(comparison, label, sources)
        rates = [100 * cell.summary.outlier_rate for cell in cells]
        low = [max(0.0, r - 100 * c.summary.outlier_low) for r, c in zip(rates, cells, strict=True)]
        high = [
            max(0.0, 100 * c.summary.outlier_high - r) for r, c in zip(rates, cells, strict=True)
        ]
        snr = [cell.snr_db for cell in cells]
        axes.errorbar(snr, rates, yerr=[low, high], capsize=2.5, **_style(number))
    axes.set_ylim(bottom=0)


def _cells(comparison: Comparison, label: str, sources: int) -> list[Cell]:
    """Return the cells of one line, by SNR."""
    cells = [c for c in comparison.cells if (c.method, c.sources) == (label, sources)]
    return sorted(cells, key=lambda cell: cell.snr_db)


def _line(
    axes: Axes, points: list[tuple[float, float | None]], label: str, style: dict[str, Any]
) -> None:
    """Draw the points that exist; the label enters the legend in any case."""
    drawn = sorted((snr, value) for snr, value in points if value)
    axes.plot([snr for snr, _ in drawn], [value for _, value in drawn], label=label, **style)


def _style(number: int) -> dict[str, Any]:
    """Return the look of a method; later ones are smaller, so that equal lines all show."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[number % len(MARKERS)],
        "markersize": max(4.0, 9.0 - 2 * number),
        "markerfacecolor": "none" if number == 0 else COLOURS[number % len(COLOURS)],
        "linewidth": max(1.2, 2.4 - 0.6 * number),
    }


def _dress(axes: Axes, comparison: Comparison, label: str) -> None:
    """Name the axes and take away what says nothing."""
    axes.set_xlabel("SNR (dB)")
    axes.set_title(label, fontsize=10, loc="left")
    ticks = sorted({floor.snr_db for floor in comparison.floors})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
