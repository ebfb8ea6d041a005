"""``risdoa bench coverage``: how often the error bars of nf-mle cover the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from risdoa.cli.options import (
    Settings,
    bound_option,
    echo_json,
    echo_table,
    examples,
    json_flag,
    options_of,
    progress_bar,
    registry,
    reject_unused,
    scenario_option,
    seed_option,
    set_option,
    snr_points,
    source_points,
)

if TYPE_CHECKING:
    from risdoa.evaluation.comparison import BoundKind
    from risdoa.evaluation.coverage import CoverageCell

SCHEMA = "risdoa.coverage/1"
HEADERS = ("K", "SNR dB", "counted", "covered %", "95 %", "az %", "el %", "1/r %")
LEGEND = (
    "covered: the truth within the ellipsoid in azimuth, elevation and 1/r; az, el, 1/r: within "
    "the interval of each alone. Counted: inliers at least 3√CRB from every edge."
)


@click.command(
    "coverage",
    epilog=examples(
        "risdoa bench coverage --snr 10 --sources 1 --trials 20",
        "risdoa bench coverage --snr 10 --sources 1 --trials 20 --level 0.5 --json",
    ),
)
@scenario_option
@snr_points("10,20")
@source_points("1,2,3")
@click.option(
    "--trials", type=click.IntRange(min=1), default=200, show_default=True, help="Scenes a point."
)
@seed_option
@click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.9,
    show_default=True,
    help="Share of the truths that the error bars claim to cover.",
)
@bound_option
@set_option
@json_flag
def command(
    *,
    scenario: str,
    snr_db: tuple[float, ...],
    sources: tuple[int, ...],
    trials: int,
    seed: int,
    level: float,
    bound: BoundKind,
    settings: Settings,
    as_json: bool,
) -> None:
    """Count how often the error ellipsoids of nf-mle cover the truth.

    The ellipsoid of a source is that of the error covariance which its estimate carries, in
    azimuth, elevation and 1/r, at the chi-square quantile of the level. Sources count that are no
    outliers and stand at least 3 sqrt(CRB) from every edge of the region.
    """
    from risdoa.evaluation.comparison import Setup  # noqa: PLC0415 - not for --help
    from risdoa.evaluation.coverage import coverage  # noqa: PLC0415

    reject_unused(settings, [scenario, "nf-mle"])
    made = registry().create("scenario", scenario, **options_of(settings, "scenario", scenario))
    backend = registry().create(
        "backend", "risdoa/nf-mle", **options_of(settings, "backend", "nf-mle")
    )
    data = registry().create("steering", made.data_model)
    setup = Setup(made, snr_db, sources, trials, seed, data, bound)
    with progress_bar("covering") as progress:
        cells = coverage(setup, backend, level, progress)
    if as_json:
        head = {"schema": SCHEMA, "scenario": scenario, "seed": seed, "level": level}
        echo_json(head | {"points": [cell.row() for cell in cells]})
        return
    title = (
        f"coverage of {100 * level:g} % ellipsoids of nf-mle\n"
        f"{scenario}, {trials} scenes a point, seed {seed}\n"
        f"data: {made.data_model}; estimation: {made.estimation_model}"
    )
    echo_table(HEADERS, [_row(cell) for cell in cells], title=title)
    click.echo(click.wrap_text(LEGEND, width=80))


def _row(cell: CoverageCell) -> tuple[str, ...]:
    """Return the line of a table."""
    row = cell.row()
    low, high = _percent(row["coverage_low"]), _percent(row["coverage_high"])
    alone = [_share(count, cell.counted) for count in cell.covered_alone]
    return (
        str(cell.sources),
        f"{cell.snr_db:g}",
        str(cell.counted),
        _percent(row["coverage"]),
        f"{low}-{high}",
        *alone,
    )


def _share(count: int, total: int) -> str:
    return _percent(count / total if total else None)


def _percent(rate: object) -> str:
    return f"{100 * rate:.1f}" if isinstance(rate, float) else "-"
