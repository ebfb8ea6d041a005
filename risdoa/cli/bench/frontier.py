"""``risdoa bench frontier``: outliers against processor time, and what nobody could do without."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    scenario_option,
    seed_option,
    set_option,
)
from risdoa.errors import InputError
from risdoa.files import check_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from risdoa.evaluation.frontier import Front, Gap, Row
    from risdoa.evaluation.methods import MethodSpec

SCHEMA = "risdoa.bench-frontier/1"
POINTS = "1:-5,2:0,3:0,3:5"
METHODS = (
    "pretrained=pretrained:music",
    "omp=none:omp",
    "omp, descent=none:omp,nf-mle[search=false]",
    "search 1/1/0=none:nf-mle[starts=1,kept=1,sweeps=0]",
    "search 1/1/2=none:nf-mle[starts=1,kept=1,sweeps=2]",
    "search 4/1/2=none:nf-mle[starts=4,kept=1,sweeps=2]",
    "search 16/4/2=none:nf-mle",
)
"""A network, and searches of increasing effort: starts/kept/sweeps."""
HEADERS = ("K", "SNR dB", "method", "ms", "outliers %", "95 %")
GAP_HEADERS = ("K", "SNR dB", "learned", "against", "gap", "closed %", "95 %")
LIKELIEST = "likeliest"
"""What tables call the reference."""
LEGEND = (
    "ms: processor time a scene on one thread. Outliers: sources more than 5° off or missing. "
    "Likeliest: the optimum of the likelihood that knows powers and noise, the truth among its "
    "starts. Gap: points between the best classical method of equal time and that; closed: the "
    "share of it that the learned method closes, its interval from resampled scenes."
)


class Points(click.ParamType):  # type: ignore[type-arg]
    """Numbers of sources with SNR: ``1:-5,2:0``."""

    name = "points"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[int, float], ...]:
        """Return the points, each once."""
        if not isinstance(value, str):
            return tuple(value)
        try:
            pairs = [part.split(":") for part in value.split(",")]
            points = [(int(sources), float(snr_db)) for sources, snr_db in pairs]
        except ValueError:
            self.fail(f"{value!r} is not K:DB,…; write points as in {POINTS}", param, ctx)
        if any(sources < 1 or not math.isfinite(snr_db) for sources, snr_db in points):
            self.fail(f"{value!r} needs K of at least 1 and a finite SNR", param, ctx)
        return tuple(dict.fromkeys(points))


@click.command(
    "frontier",
    epilog=examples(
        "risdoa bench frontier --points 1:-5 --trials 4",
        "risdoa bench frontier --points 2:10 --trials 2 --method omp=none:omp --json",
    ),
)
@scenario_option
@click.option(
    "--points",
    type=Points(),
    default=POINTS,
    show_default=True,
    metavar="K:DB,…",
    help="Numbers of sources, each with an SNR.",
)
@click.option(
    "--trials", type=click.IntRange(min=1), default=200, show_default=True, help="Scenes a point."
)
@click.option(
    "--method",
    "texts",
    multiple=True,
    metavar="[LABEL=]MODEL[#RUN]:CHAIN",
    help="What to compare, options in brackets behind a name; may be given several times.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep finished chunks of scenes in DIR, and go on from there.",
)
@seed_option
@set_option
@json_flag
def command(
    *,
    scenario: str,
    points: tuple[tuple[int, float], ...],
    trials: int,
    texts: tuple[str, ...],
    out: Path | None,
    seed: int,
    settings: Settings,
    as_json: bool,
) -> None:
    """Count outliers against processor time, on the same scenes for every method.

    Beside them stands the optimum of the likelihood that knows powers and noise, and how much of
    the gap between it and the best classical method of equal time a learned method closes. The
    network and searches of increasing effort are compared unless methods are given.
    """
    from risdoa.benchmarks.threads import threads  # noqa: PLC0415 - not for --help
    from risdoa.evaluation.comparison import Setup  # noqa: PLC0415
    from risdoa.evaluation.frontier import REFERENCE, frontier  # noqa: PLC0415
    from risdoa.evaluation.journal import Journal  # noqa: PLC0415
    from risdoa.evaluation.methods import parse_methods  # noqa: PLC0415

    specs = parse_methods(texts or METHODS)
    refuse_steering(specs)
    for label in {spec.label for spec in specs} & {REFERENCE, LIKELIEST}:
        raise InputError(
            f"a method cannot be called {label!r} here", "that is what the known-power optimum is"
        )
    reject_unused(settings, [scenario, *names_of(specs)])
    if out is not None:
        check_folder(out)
    options = options_of(settings, "scenario", scenario)
    made = registry().create("scenario", scenario, **options)
    counts, levels = (tuple(dict.fromkeys(each)) for each in zip(*points, strict=True))
    setup = Setup(made, levels, counts, trials, seed)
    head = {"schema": SCHEMA, "scenario": scenario, "seed": seed}
    head |= {"data_model": made.data_label, "estimation_model": made.estimation_model}
    measured = head | {"methods": [str(spec) for spec in specs], "settings": settings}
    journal = Journal(None if out is None else out / "frontier.jsonl", measured | _weights(specs))
    with progress_bar("comparing") as progress, threads(1):
        methods = methods_of(specs, settings, scenario)
        fronts = frontier(setup, points, methods, _learned(specs), journal, progress)
    if as_json:
        echo_json(head | {"trials": trials, "points": [_record(front) for front in fronts]})
        return
    title = (
        f"{scenario}, {trials} scenes a point, seed {seed}\n"
        f"data: {made.data_label}; estimation: {made.estimation_model}"
    )
    echo_table(HEADERS, [line for front in fronts for line in _lines(front)], title=title)
    gaps = [_gap_line(front, gap) for front in fronts for gap in front.gaps]
    if gaps:
        echo_table(GAP_HEADERS, gaps)
    click.echo(click.wrap_text(LEGEND, width=80))


def _weights(specs: Sequence[MethodSpec]) -> dict[str, dict[str, str]]:
    """Return digests of the weights in the runs of methods, which may change under one name."""
    runs = {spec.label: spec.run for spec in specs if spec.run is not None}
    if not runs:
        return {}
    from risdoa.checkpoints import find_weights  # noqa: PLC0415 - not for --help
    from risdoa.training.contest import digest  # noqa: PLC0415

    return {"weights": {label: digest(find_weights(run)) for label, run in runs.items()}}


def _learned(specs: Sequence[MethodSpec]) -> list[str]:
    """Return the labels of the methods whose model was trained."""
    models = {spec.label: spec.model for spec in specs if spec.model != "none"}
    return [
        label
        for label, model in models.items()
        if {"learned", "trained"} & set(registry().find("model", model).record.traits)
    ]


def _lines(front: Front) -> list[tuple[str, ...]]:
    """Return the lines of a point: the methods, and the reference."""
    named = [(row.label, row) for row in front.rows] + [(LIKELIEST, front.reference)]
    return [_line(front, label, row) for label, row in named]


def _line(front: Front, label: str, row: Row) -> tuple[str, ...]:
    low, high = row.interval
    spent = "" if row.milliseconds is None else f"{row.milliseconds:.1f}"
    rate, interval = f"{100 * row.rate:.1f}", f"{100 * low:.1f}-{100 * high:.1f}"
    return (str(front.sources), f"{front.snr_db:g}", label, spent, rate, interval)


def _gap_line(front: Front, gap: Gap) -> tuple[str, ...]:
    closed, interval = "-", "-"
    if gap.share is not None and gap.low is not None and gap.high is not None:
        closed, interval = f"{100 * gap.share:.0f}", f"{100 * gap.low:.0f} to {100 * gap.high:.0f}"
    point = (str(front.sources), f"{front.snr_db:g}")
    return (*point, gap.learned, gap.classical, f"{gap.points:.1f}", closed, interval)


def _record(front: Front) -> dict[str, Any]:
    """Return a point of ``risdoa.bench-frontier/1``."""
    return {
        "sources": front.sources,
        "snr_db": front.snr_db,
        "methods": [
            {
                "method": row.label,
                "milliseconds": row.milliseconds,
                "outlier_rate": row.rate,
                "interval": row.interval,
            }
            for row in front.rows
        ],
        "likeliest": {
            "outlier_rate": front.reference.rate,
            "interval": front.reference.interval,
        },
        "gaps": [vars(gap) for gap in front.gaps],
    }
