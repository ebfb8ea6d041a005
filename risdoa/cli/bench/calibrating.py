"""``risdoa bench calibration``: what calibrating a panel is worth to a method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

from risdoa.cli.methods import methods_of, names_of, refuse_steering
from risdoa.cli.options import (
    Settings,
    echo_json,
    echo_table,
    examples,
    json_flag,
    options_of,
    progress_bar,
    registry,
    reject_unused,
    seed_option,
    set_option,
    snr_points,
    source_points,
)

if TYPE_CHECKING:
    from risdoa.evaluation.calibrated import CalibratedCell

SCHEMA = "risdoa.bench-calibration/1"
SCENARIO = "miscalibrated"
ERRORS = {
    "gain_db": "1",
    "phase_deg": "10",
    "position": "0.02",
    "missing": "0",
    "bits": "3,3",
    "channel_db": "none",
    "direct_db": "none",
    "panel": "0",
}
"""Gains of 1 dB, phases of 10° and places of λ/50 on one panel, and nothing else."""
HEADERS = ("K", "SNR dB", "told", "az °", "el °", "1/r /m", "times less", "outliers %")
LEGEND = (
    "told: the array as planned, with the gains or the gains and places that were found, and as it "
    "is, which no calibration can beat. RMSE over the inliers (direction within 5°); times less: "
    "than as planned, in azimuth, elevation and 1/r."
)


@click.command(
    "calibration",
    epilog=examples(
        "risdoa bench calibration --snr 30 --trials 5 --scenes 8",
        "risdoa bench calibration --snr 30 --trials 5 --set miscalibrated.panel=7 --json",
    ),
)
@snr_points("0,10,20,30")
@source_points("1")
@click.option(
    "--trials", type=click.IntRange(min=1), default=300, show_default=True, help="Scenes a point."
)
@click.option(
    "--scenes",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Scenes of one known source to calibrate from.",
)
@click.option(
    "--calibration-snr",
    type=float,
    default=20.0,
    show_default=True,
    metavar="DB",
    help="Their SNR.",
)
@click.option(
    "--method",
    "text",
    default="none:nf-mle",
    show_default=True,
    metavar="MODEL[#RUN]:CHAIN",
    help="What estimates.",
)
@seed_option
@set_option
@json_flag
def command(
    *,
    snr_db: tuple[float, ...],
    sources: tuple[int, ...],
    trials: int,
    scenes: int,
    calibration_snr: float,
    text: str,
    seed: int,
    settings: Settings,
    as_json: bool,
) -> None:
    """Measure what calibrating a panel is worth.

    One panel with errors of its elements (scenario miscalibrated; by default gains of 1 dB, phases
    of 10° and places of λ/50) is calibrated from scenes of known sources. On other scenes a method
    is then told the array as planned, with the gains that were found, with gains and places, and as
    it is.
    """
    from risdoa.evaluation.calibrated import found, worth  # noqa: PLC0415 - not for --help
    from risdoa.evaluation.comparison import Setup  # noqa: PLC0415
    from risdoa.evaluation.methods import parse_method  # noqa: PLC0415

    spec = parse_method(text)
    refuse_steering([spec])
    reject_unused(settings, [SCENARIO, *names_of([spec])])
    options = {**ERRORS, **options_of(settings, "scenario", SCENARIO)}
    made = registry().create("scenario", f"risdoa/{SCENARIO}", **options)
    [method] = methods_of([spec], settings, SCENARIO)
    setup = Setup(made, snr_db, sources, trials, seed)
    calibrations = found(made, scenes, calibration_snr, seed)
    with progress_bar("estimating") as progress:
        cells = worth(setup, method, calibrations, progress)
    if as_json:
        head = {
            "schema": SCHEMA,
            "method": text,
            "panel": made.panel,
            "seed": seed,
            "scenes": scenes,
        }
        head |= {"calibration_snr_db": calibration_snr, "data_model": made.data_label}
        head |= {"estimation_model": made.estimation_model}
        echo_json(head | {"rows": [cell.row() for cell in cells]})
        return
    title = (
        f"{text} on panel {made.panel}, {trials} scenes a point, seed {seed}\n"
        f"calibrated from {scenes} scenes at {calibration_snr:g} dB\n"
        f"data: {made.data_label}; estimation: {made.estimation_model}"
    )
    echo_table(HEADERS, [_row(cell) for cell in cells], title=title)
    click.echo(click.wrap_text(LEGEND, width=80))


def _row(cell: CalibratedCell) -> tuple[str, ...]:
    """Return the line of a table."""
    azimuth, elevation, inverse = (_number(value, ".3g") for value in cell.rmse)
    return (
        str(cell.sources),
        f"{cell.snr_db:g}",
        cell.told,
        azimuth,
        elevation,
        inverse,
        "/".join(_number(value, ".2g") for value in cell.gain),
        f"{100 * cell.outliers / (cell.trials * cell.sources):.2f}",
    )


def _number(value: float, form: str) -> str:
    return format(value, form) if math.isfinite(value) else "-"
