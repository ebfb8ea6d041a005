"""The tables of ``risdoa bench objectives``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from risdoa.cli.options import echo_table

if TYPE_CHECKING:
    from risdoa.training.contest import Contest
    from risdoa.training.control import Interval
    from risdoa.training.standings import Standing

LEGEND = (
    "out: sources more than 5° off or missing; ψ and 1/r: RMSE of the others; projection: loss of "
    "the network's R; +c: with completeness; skip: batches without an update. ± is 95 %, over "
    "seeds and scenes; * where the interval of a difference leaves 0 out."
)

SHOWN = {"outlier_rate": "out %", "angle_deg": "ψ °", "projection": "projection"}
WHOLE = {"outlier_rate": (100, 1), "angle_deg": (1, 2)}
"""What a figure is multiplied by, and how many decimals it has; others 1 and 3."""


def echo_tables(found: Sequence[Standing], contest: Contest, unchanged: int) -> None:
    """Print figures, differences and points of every scenario.

    ``unchanged`` is how many detached trainings have been held against those of ``none``.
    """
    for scenario in dict.fromkeys(each.scenario for each in found):
        those = [each for each in found if each.scenario == scenario]
        _echo_figures(those, contest)
        _echo_differences(those)
        _echo_points(those, contest)
    if found:
        click.echo(click.wrap_text(LEGEND, width=80))
    if unchanged:
        click.echo(f"detached trainings held against those of none, bit by bit: {unchanged}")


def _echo_figures(found: Sequence[Standing], contest: Contest) -> None:
    first = found[0]
    counts = sorted({len(each.seeds) for each in found})
    title = (
        f"{first.scenario}: data {first.data_model}, told {first.steering}; {first.steps} steps, "
        f"seeds: {' to '.join(map(str, counts[:: max(1, len(counts) - 1)]))}, "
        f"{contest.model}:{','.join(contest.chain)}"
    )
    shown = {"inverse_range_per_m": "1/r 1/m", **SHOWN}
    rows = [(e.arm.label, *(_cell(e.figures[name], name) for name in shown)) for e in found]
    echo_table(("arm", *shown.values()), rows, title=title)


def _echo_differences(found: Sequence[Standing]) -> None:
    rows = []
    for each in found[1:]:
        cells = [_gap(each.differences[name], name) for name in SHOWN]
        seconds = None if each.cpu_seconds is None else f"{each.cpu_seconds:.0f}"
        rows.append((each.arm.label, *cells, str(each.skipped), seconds))
    headers = ("arm", *SHOWN.values(), "skip", "CPU s")
    click.echo()
    echo_table(headers, rows, title=f"less {found[0].arm.label}, paired")


def _echo_points(found: Sequence[Standing], contest: Contest) -> None:
    from risdoa.training.standings import pooled  # noqa: PLC0415 - not for --help

    def cells(each: Standing, axis: str, values: Sequence[float], figure: str) -> str:
        places = ([p for p in each.points if p[axis] == value] for value in values)
        return " ".join(_number(pooled(those, figure), figure) for those in places)

    levels, counts = contest.snr_db, contest.sources
    rows = [
        (
            each.arm.label,
            cells(each, "snr_db", levels, "outlier_rate"),
            cells(each, "snr_db", levels, "angle_deg"),
            cells(each, "sources", counts, "outlier_rate"),
        )
        for each in found
    ]
    at = f"{', '.join(f'{level:g}' for level in levels)} dB"
    by = f"K = {', '.join(map(str, counts))}"
    click.echo()
    headers = ("arm", f"out %\n{at}", f"ψ °\n{at}", f"out %\n{by}")
    echo_table(headers, rows, title="points, each counting alike")
    click.echo()


def _number(value: float | None, figure: str) -> str:
    if value is None:
        return "-"
    scale, digits = WHOLE[figure]
    return f"{scale * value:.{digits}f}"


def _cell(interval: Interval | None, figure: str) -> str:
    """Return a figure with half the width of its interval."""
    if interval is None:
        return "-"
    scale, digits = WHOLE.get(figure, (1, 3))
    half = (interval.high - interval.low) / 2
    return f"{scale * interval.mean:.{digits}f} ± {scale * half:.{digits}f}"


def _gap(interval: Interval | None, figure: str) -> str:
    """Return a difference, with a star where its interval leaves 0 out."""
    if interval is None:
        return "-"
    star = "*" if interval.low > 0 or interval.high < 0 else ""
    sign = "+" if interval.mean >= 0 else ""
    return sign + _cell(interval, figure).replace(" ", "") + star
