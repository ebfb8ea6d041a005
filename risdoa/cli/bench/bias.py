"""``risdoa bench bias``: the bias at fixed places, polished with the exact model and without."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from risdoa.cli.options import (
    FloatList,
    PluginName,
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
)
from risdoa.errors import InputError

if TYPE_CHECKING:
    from risdoa.evaluation.bias import BiasCell

SCHEMA = "risdoa.bias/1"
HEADERS = ("r m", "az, el °", "", "az °", "el °", "r m", "az/el/1/r in √CRB")
LEGEND = (
    "Lines: polished under the exact model, the approximate model throughout, and what its "
    "pseudo-true positions predict for that. Mean of the inliers (direction within 5°) in the "
    "first, medians in the others."
)


@click.command(
    "bias",
    epilog=examples(
        "risdoa bench bias --ranges 5 --draws 2",
        "risdoa bench bias --ranges 2 --draws 2 --snr 20 --json",
    ),
)
@click.option(
    "--scenario",
    type=PluginName("scenario"),
    default="spherical-data",
    show_default=True,
    help="Sensing, signals and noise, and the two steering models.",
)
@click.option(
    "--ranges",
    type=FloatList(),
    default="0.5,1,2,5",
    show_default=True,
    metavar="M,…",
    help="Where the source stands, in each of five directions.",
)
@click.option(
    "--snr", "snr_db", type=float, default=10.0, show_default=True, metavar="DB", help="In dB."
)
@click.option(
    "--draws", type=click.IntRange(min=1), default=100, show_default=True, help="Draws a place."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep finished places in DIR, and go on from there.",
)
@seed_option
@set_option
@json_flag
def command(
    *,
    scenario: str,
    ranges: tuple[float, ...],
    snr_db: float,
    draws: int,
    out: Path | None,
    seed: int,
    settings: Settings,
    as_json: bool,
) -> None:
    """Measure the bias of nf-mle at fixed places, in units of sqrt(CRB).

    One source stands at each place; sensing, signals and noise are new in every draw. The data are
    by the scenario's own model. Estimates are searched under the model that the scenario tells
    estimators, then polished under the one that makes the data; beside them stand those of the
    first model throughout, and the bias that its pseudo-true positions predict.
    """
    from risdoa.evaluation.bias import Setting, biases  # noqa: PLC0415 - not for --help
    from risdoa.evaluation.journal import Journal  # noqa: PLC0415

    if min(ranges) <= 0 or not math.isfinite(snr_db):
        raise InputError("ranges must be positive and the SNR finite", "as in --ranges 0.5,1")
    ranges = tuple(dict.fromkeys(ranges))
    reject_unused(settings, [scenario, "nf-mle"])
    made = registry().create("scenario", scenario, **options_of(settings, "scenario", scenario))
    exact, told = (
        registry().create("steering", name) for name in (made.data_model, made.estimation_model)
    )
    backend = registry().create(
        "backend", "risdoa/nf-mle", **options_of(settings, "backend", "nf-mle")
    )
    setting = Setting(made, exact, told, backend, snr_db, draws, seed)
    head = {"schema": SCHEMA, "scenario": scenario, "seed": seed, "snr_db": snr_db}
    head |= {"data_model": made.data_model, "estimation_model": made.estimation_model}
    measured = head | {"draws": draws, "ranges": ranges, "settings": settings}
    journal = Journal(None if out is None else out / "bias.jsonl", measured)
    with progress_bar("drawing") as progress:
        cells = biases(setting, ranges, journal, progress)
    if as_json:
        echo_json(head | {"places": [cell.row() for cell in cells]})
        return
    title = (
        f"bias of nf-mle, {scenario}, {snr_db:g} dB, {draws} draws a place, seed {seed}\n"
        f"data: {made.data_model}; search: {made.estimation_model}; polish: {made.data_model}"
    )
    echo_table(HEADERS, [line for cell in cells for line in _lines(cell)], title=title)
    click.echo(click.wrap_text(LEGEND, width=80))
    total = sum(cell.draws for cell in cells)
    worst = max((cell.worst() for cell in cells if cell.outliers < cell.draws), default=math.nan)
    click.echo(
        f"polished: largest |bias| {worst:.2f} √CRB (standard error "
        f"{1 / math.sqrt(draws):.2f}), {sum(cell.outliers for cell in cells)} outliers in {total}"
    )


def _lines(cell: BiasCell) -> list[tuple[str, ...]]:
    """Return the lines of a place."""
    lines = []
    for name in ("polished", "approximate", "predicted"):
        values = getattr(cell, name)
        ratios = (values / cell.sqrt_crb)[[0, 1, 3]].tolist()
        first = name == "polished"
        lines.append(
            (
                f"{cell.place[2]:g}" if first else "",
                f"{cell.place[0]:g}, {cell.place[1]:g}" if first else "",
                name,
                *(f"{each:.3f}" if math.isfinite(each) else "-" for each in values[:3].tolist()),
                "/".join(map(_ratio, ratios)),
            )
        )
    return lines


def _ratio(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"
