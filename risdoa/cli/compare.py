"""``risdoa compare``: methods against each other and the bound, on the same scenes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from risdoa.cli.methods import methods_of, names_of
from risdoa.cli.options import (
    FloatList,
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
from risdoa.files import check_folder

if TYPE_CHECKING:
    from risdoa.evaluation.comparison import BoundKind, Comparison, Setup
    from risdoa.evaluation.methods import Method, MethodSpec

BASELINES = ("none:nf-mle", "pretrained:music,newton", "none:omp", "sample:music,newton")


@click.command(
    epilog=examples(
        "risdoa compare --snr 10,20 --sources 1 --trials 20",
        "risdoa compare --method mle=sample:nf-mle --snr 20 --trials 10 --json",
        "risdoa compare --scenario digital --snr 0,10 --trials 20 --out results",
    )
)
@scenario_option
@snr_points("0,10,20")
@source_points("1")
@click.option(
    "--trials", type=click.IntRange(min=1), default=100, show_default=True, help="Scenes a point."
)
@seed_option
@click.option(
    "--method",
    "texts",
    multiple=True,
    metavar="[LABEL=]MODEL[#RUN]:CHAIN[@STEERING]",
    help="What to compare, options in brackets behind a name; may be given several times. "
    "Baselines if not given.",
)
@bound_option
@click.option(
    "--range-bins",
    type=FloatList(),
    metavar="N|M,…",
    help="Print resolution and errors by range: N bins uniform in 1/r, or edges in m.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    metavar="FILE.npz",
    help="Run every method a second time, told the array that `risdoa calibrate` found.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write comparison.csv, comparison.json and figures into DIR.",
)
@set_option
@json_flag
def command(
    *,
    scenario: str,
    snr_db: tuple[float, ...],
    sources: tuple[int, ...],
    trials: int,
    seed: int,
    texts: tuple[str, ...],
    bound: BoundKind,
    range_bins: tuple[float, ...] | None,
    calibration: Path | None,
    out: Path | None,
    settings: Settings,
    as_json: bool,
) -> None:
    """Compare methods with each other and with the Cramér-Rao bound.

    Every method sees the same scenes. The bound is for the model that makes the data: stochastic
    (random source signals) where every snapshot has a signal of its own, deterministic (at the
    realised signals) where snapshots share them. Where a scenario does not tell how many sources
    there are, GOSPA counts the errors, the missed sources and the false estimates.
    """
    from risdoa.evaluation.comparison import Setup, compare  # noqa: PLC0415 - not for --help
    from risdoa.evaluation.methods import parse_methods  # noqa: PLC0415
    from risdoa.evaluation.provenance import provenance, scenario_record  # noqa: PLC0415
    from risdoa.evaluation.range_bins import BINS  # noqa: PLC0415
    from risdoa.evaluation.report import document, write_report  # noqa: PLC0415

    specs = parse_methods(texts or BASELINES)
    reject_unused(settings, [scenario, *names_of(specs)])
    if out is not None:
        check_folder(out)
    options = options_of(settings, "scenario", scenario)
    made = registry().create("scenario", scenario, **options)
    setup = Setup(
        scenario=made,
        snr_db=tuple(dict.fromkeys(snr_db)),
        sources=tuple(dict.fromkeys(sources)),
        trials=trials,
        seed=seed,
        data_steering=registry().create("steering", made.data_model),
        bound=bound,
        range_bins=range_bins or (BINS,),
    )
    methods = _calibrated(methods_of(specs, settings, scenario), calibration, setup)
    with progress_bar("comparing") as progress:
        result = compare(setup, methods, progress)
    meta = provenance(
        registry=registry(),
        setup=setup,
        comparison=result,
        scenario=scenario_record(registry(), scenario, options),
        specs=specs,
        settings=settings,
        command=_command_line(scenario, setup, specs, settings, calibration),
    )
    if out is not None:
        for path in write_report(out, result, meta, scenario):
            click.echo(f"wrote {path}", err=True)
    if as_json:
        echo_json(document(result, meta))
    else:
        _echo_tables(result, scenario, by_range=range_bins is not None)


def _calibrated(methods: list[Method], calibration: Path | None, setup: Setup) -> list[Method]:
    """Return the methods, each a second time where there is a calibration to tell it."""
    if calibration is None:
        return methods
    from risdoa.calibration import read_calibration  # noqa: PLC0415 - not for --help
    from risdoa.evaluation.calibrated import with_calibration  # noqa: PLC0415

    found = read_calibration(calibration)
    found.check(setup.tried(setup.snr_db[0], setup.sources[0])[0].array)
    for method in methods:
        told = method.steering[0] if method.steering else setup.scenario.estimation_model
        if found.steering not in {"", told}:
            text = f"calibrated with {found.steering} steering, estimated with {told}"
            click.echo(f"warning: {method.label}: {text}", err=True)
    return with_calibration(methods, found)


def _echo_tables(comparison: Comparison, scenario: str, *, by_range: bool) -> None:
    """Print a table for each number of sources, and what there is besides."""
    from risdoa.evaluation import breakdown_tables as besides  # noqa: PLC0415 - not for --help
    from risdoa.evaluation.tables import LEGEND, tables  # noqa: PLC0415

    kinds = [(tables(comparison, scenario), LEGEND)]
    if by_range:
        kinds.append((besides.range_tables(comparison, scenario), besides.RANGE_LEGEND))
    if not comparison.told_sources:
        kinds.append((besides.gospa_tables(comparison, scenario), besides.GOSPA_LEGEND))
    for each, legend in kinds:
        for table in each:
            echo_table(table.headers, table.lines, title=table.title)
        click.echo(click.wrap_text(legend, width=80))


def _command_line(
    scenario: str,
    setup: Setup,
    specs: Sequence[MethodSpec],
    settings: Settings,
    calibration: Path | None,
) -> str:
    """Return the command that repeats the comparison."""
    words: list[Any] = ["risdoa", "compare", "--scenario", scenario]
    words += ["--snr", ",".join(f"{snr:g}" for snr in setup.snr_db)]
    words += ["--sources", ",".join(map(str, setup.sources))]
    words += ["--trials", setup.trials, "--seed", setup.seed]
    words += ["--bound", setup.bound]
    words += ["--range-bins", ",".join(f"{edge:g}" for edge in setup.range_bins)]
    for spec in specs:
        words += ["--method", str(spec)]
    if calibration is not None:
        words += ["--calibration", calibration]
    for plugin, options in settings.items():
        for option, value in options.items():
            words += ["--set", f"{plugin}.{option}={value}"]
    return shlex.join(map(str, words))
