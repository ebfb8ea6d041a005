"""``risdoa bound``: how well positions can be known, in a scenario or a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
from click.core import ParameterSource

from risdoa.cli.options import (
    PluginName,
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
    seed_option,
    set_option,
    snr_points,
    source_points,
)
from risdoa.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from risdoa.bounds import Known
    from risdoa.evaluation.comparison import BoundKind, Setup
    from risdoa.evaluation.limits import Limit
    from risdoa.problem import Truth
    from risdoa.steering.base import Steering

SCHEMA = "risdoa.bound/1"
HEADERS = ("az °", "el °", "r m", "1/r 1/m", "position m")
DRAWN = ("snr_db", "sources", "scenes", "seed")
"""The options that say which scenes of a scenario are drawn."""

LEGEND = (
    "√CRB, and the position error bound: the RMS over the sources of a scene. "
    "A dash: the data do not see it; =: it is known."
)

LABELS = ("bias", "spread", "√CRB", "bias/√CRB")
MISMATCH_LEGEND = (
    "Conditional likelihood under the wrong model: bias of its minimum without noise, spread with "
    "noise about that; √CRB (deterministic) is under the right one. Of several sources the RMS."
)

THRESHOLD_LEGEND = (
    "RMSE over all scenes, outliers and all; out: direction more than 5° off. No information: "
    "without a signal."
)


@click.command(
    epilog=examples(
        "risdoa bound canonical --snr 0,10 --sources 1,2",
        "risdoa bound canonical --known range --scenes 50 --json",
        "risdoa bound scene.npz --steering spherical",
    )
)
@click.argument("target", metavar="SCENARIO|FILE")
@snr_points("0,10,20")
@source_points("1")
@click.option(
    "--scenes", type=click.IntRange(min=1), default=200, show_default=True, help="Scenes a point."
)
@seed_option
@bound_option
@click.option(
    "--steering",
    type=PluginName("steering"),
    help="How waves arrive; by default the model that makes the data, spherical if none is named.",
)
@click.option(
    "--known",
    default="",
    metavar="NAME,…",
    help="What is known: azimuth, elevation, range; signals, powers, noise.",
)
@click.option(
    "--estimation",
    type=PluginName("steering"),
    help="The model that an estimator is told: prints the bias and spread under it.",
)
@click.option(
    "--threshold",
    is_flag=True,
    help="Print the outliers and errors that are predicted for one source in a scenario.",
)
@set_option
@json_flag
def command(
    *,
    target: str,
    snr_db: tuple[float, ...],
    sources: tuple[int, ...],
    scenes: int,
    seed: int,
    bound: BoundKind,
    steering: str | None,
    known: str,
    estimation: str | None,
    threshold: bool,
    settings: Settings,
    as_json: bool,
) -> None:
    """Print Cramér-Rao bounds: what no unbiased estimator can fall below.

    For a scenario, the median and the quartiles over its scenes at every SNR and number of sources;
    for a recording with truth, its scenes. The bound is stochastic where every snapshot has a
    signal of its own, deterministic where snapshots share them, unless --bound says.
    """
    told = cast("tuple[Known, ...]", tuple(part.strip() for part in known.split(",") if part))
    if estimation is not None:
        _refuse_beside_estimation(bound, told)
    if threshold:
        _refuse_beside_threshold(target, sources, told, estimation)
    if Path(target).suffix or Path(target).is_file():
        _refuse_drawn(target)
        _of_file(Path(target), bound, (steering, estimation), told, settings, as_json)
        return
    from risdoa.evaluation.comparison import Setup  # noqa: PLC0415 - not for --help

    registry().find("scenario", target)
    made = registry().create("scenario", target, **options_of(settings, "scenario", target))
    name = steering or made.data_model
    reject_unused(settings, [target, name, estimation or name])
    counts, levels = tuple(dict.fromkeys(sources)), tuple(dict.fromkeys(snr_db))
    model = _steering(name, _beside(settings, target))
    setup = Setup(made, levels, counts, scenes, seed, model, bound)
    if threshold:
        _threshold(target, name, setup, as_json)
    elif estimation is not None:
        wrong = _steering(estimation, _beside(settings, target))
        _mismatch_of_scenario(target, (name, estimation), setup, wrong, as_json)
    else:
        _of_scenario(target, name, setup, told, as_json)


def _refuse_beside_estimation(bound: str, known: Sequence[str]) -> None:
    """Refuse what the bound of a wrong model does not have."""
    if known or bound == "stochastic":
        option = "--known" if known else "--bound stochastic"
        raise InputError(
            f"{option} does not go with --estimation, which holds for conditional likelihood",
            f"leave out {option}",
        )


def _refuse_beside_threshold(
    target: str, sources: tuple[int, ...], known: Sequence[str], estimation: str | None
) -> None:
    """Refuse what a predicted threshold does not have."""
    wrong = {
        "another number of sources than 1": sources != (1,),
        "--known": bool(known),
        "--estimation": estimation is not None,
        "a file": bool(Path(target).suffix) or Path(target).is_file(),
    }
    for what, given in wrong.items():
        if given:
            raise InputError(
                f"--threshold does not go with {what}",
                "it is predicted for one source in a scenario, all of it unknown",
            )


def _threshold(target: str, steering: str, setup: Setup, as_json: bool) -> None:
    """Print what interval errors predict, SNR by SNR."""
    from risdoa.evaluation.tables import digits  # noqa: PLC0415 - not for --help
    from risdoa.evaluation.thresholds import predicted  # noqa: PLC0415

    with progress_bar("predicting") as progress:
        found = []
        for level in setup.snr_db:
            found.append(predicted(setup, level))
            if progress is not None:
                progress(len(found), len(setup.snr_db))
    if as_json:
        head = {"schema": SCHEMA, "scenario": target, "steering": steering, "seed": setup.seed}
        echo_json(head | {"scenes": setup.trials} | {"points": [each.row() for each in found]})
        return
    lines: list[list[str | None]] = []
    for each in found:
        for name, row in (("RMSE", each.rmse), ("√CRB", each.sqrt_crb)):
            first = (f"{each.snr_db:g}", f"{100 * each.outlier_rate:.1f}")
            point = first if name == "RMSE" else (None, None)
            lines.append([*point, name, *map(digits, row.tolist())])
    lines.append([None, None, "no information", *map(digits, found[0].no_information.tolist())])
    title = (
        f"{target}, K = 1, {setup.trials} scenes a point, {steering} steering\n"
        f"predicted for {found[0].kind} maximum likelihood"
    )
    echo_table(("SNR dB", "out %", "", *HEADERS[:4]), lines, title=title)
    click.echo(click.wrap_text(THRESHOLD_LEGEND, width=80))


def _refuse_drawn(target: str) -> None:
    """Refuse options that say which scenes are drawn, beside a file."""
    context = click.get_current_context()
    for name in DRAWN:
        if context.get_parameter_source(name) != ParameterSource.DEFAULT:
            option = f"--{name.removesuffix('_db')}"
            raise InputError(
                f"{option} is for a scenario, and {target} is a file", f"leave {option} out"
            )


def _beside(settings: Settings, scenario: str) -> Settings:
    """Return the settings for steering models; a name that the scenario has too means that one."""
    taken = {scenario, scenario.rpartition("/")[2]}
    return {name: options for name, options in settings.items() if name not in taken}


def _steering(name: str, settings: Settings) -> Steering:
    """Return a steering model with its options."""
    options = options_of(settings, "steering", name)
    return cast("Steering", registry().create("steering", name, **options))


def _of_scenario(
    target: str, steering: str, setup: Setup, known: Sequence[Known], as_json: bool
) -> None:
    """Print the bounds of a scenario, point by point."""
    from risdoa.evaluation.limits import limit  # noqa: PLC0415 - not for --help

    points = [(level, count) for count in setup.sources for level in setup.snr_db]
    found: list[Limit] = []
    with progress_bar("bounding") as progress:
        for done, (level, count) in enumerate(points):
            found.append(limit(setup, level, count, known))
            if progress is not None:
                progress(done + 1, len(points))
    if as_json:
        rows = [each.row() for each in found]
        head = {"schema": SCHEMA, "scenario": target, "steering": steering, "seed": setup.seed}
        echo_json(head | {"known": list(known), "points": rows})
        return
    title = f"{target}, {setup.trials} scenes a point, {found[0].bound} bound, {steering} steering"
    lines = [line for each in found for line in _lines(each)]
    echo_table(("K", "SNR dB", *HEADERS), lines, title=title)
    click.echo(click.wrap_text(f"Medians over the scenes, quartiles below. {LEGEND}", width=80))


def _lines(found: Limit) -> list[list[str | None]]:
    """Return the median and, below it, the quartiles."""
    lower, median, upper = found.quartiles.tolist()
    spread = [f"{_cell(a)}-{_cell(b)}" for a, b in zip(lower, upper, strict=True)]
    head = [str(found.sources), f"{found.snr_db:g}"]
    return [[*head, *map(_cell, median)], [None, None, *spread]]


def _cell(value: float) -> str:
    from risdoa.evaluation.limits import finite  # noqa: PLC0415 - not for --help
    from risdoa.evaluation.tables import digits  # noqa: PLC0415

    return digits(finite(value)) if value else "="


def _mismatch_of_scenario(
    target: str, models: tuple[str, str], setup: Setup, told: Steering, as_json: bool
) -> None:
    """Print what a wrong model costs in a scenario, point by point."""
    from risdoa.evaluation.limits import named  # noqa: PLC0415 - not for --help
    from risdoa.evaluation.mismatch import ROWS, medians  # noqa: PLC0415

    rows: list[dict[str, object]] = []
    lines: list[list[str | None]] = []
    for level, count in [(level, count) for count in setup.sources for level in setup.snr_db]:
        found = medians(setup, told, level, count).tolist()
        figures = {name: named(row) for name, row in zip(ROWS, found, strict=True)}
        rows.append({"snr_db": level, "sources": count, "scenes": setup.trials, "median": figures})
        first = (str(count), f"{level:g}")
        for name, row in zip(LABELS, found, strict=True):
            point = first if name == LABELS[0] else (None, None)
            lines.append([*point, name, *map(_cell, row)])
    if as_json:
        head = {"schema": SCHEMA, "scenario": target, "seed": setup.seed}
        echo_json(head | {"steering": models[0], "estimation": models[1]} | {"points": rows})
        return
    title = f"{target}, {setup.trials} scenes a point\ndata: {models[0]}; estimation: {models[1]}"
    echo_table(("K", "SNR dB", "", *HEADERS), lines, title=title)
    click.echo(click.wrap_text(MISMATCH_LEGEND, width=80))


def _of_file(
    file: Path,
    bound: BoundKind,
    models: tuple[str | None, str | None],
    known: Sequence[Known],
    settings: Settings,
    as_json: bool,
) -> None:
    """Print the bounds of the scenes of a recording with truth."""
    from risdoa.bounds import levels  # noqa: PLC0415 - not for --help
    from risdoa.evaluation.limits import bound_of, named  # noqa: PLC0415

    truth, name, notes = _recorded(file, models, settings)
    if models[1] is not None:
        _mismatch_of_file(file, truth, (name, models[1]), _steering(models[1], settings), as_json)
        return
    kind, found = bound_of(truth, bound, known)
    rows = levels(truth.positions, truth.mask, found).tolist()
    counts = truth.mask.sum(-1).tolist()
    if as_json:
        scenes = [{"sources": count} | named(row) for count, row in zip(counts, rows, strict=True)]
        head = {"schema": SCHEMA, "file": str(file), "steering": name, "bound": kind}
        echo_json(head | {"known": list(known), "notes": list(notes), "scenes": scenes})
        return
    lines = [
        [str(index), str(count), *map(_cell, row)]
        for index, (count, row) in enumerate(zip(counts, rows, strict=True))
    ]
    title = f"{file.name}, {kind} bound, {name} steering"
    echo_table(("scene", "K", *HEADERS), lines, title=title)
    click.echo(click.wrap_text(LEGEND, width=80))
    for note in notes:
        click.echo(f"note: {note}")


def _mismatch_of_file(
    file: Path, truth: Truth, models: tuple[str, str], told: Steering, as_json: bool
) -> None:
    """Print what a wrong model costs every source of a recording."""
    from risdoa.evaluation.mismatch import Mismatch  # noqa: PLC0415 - not for --help

    found = Mismatch.of(truth, told)
    if as_json:
        head = {"schema": SCHEMA, "file": str(file)}
        head |= {"steering": models[0], "estimation": models[1]}
        echo_json(head | {"scenes": found.records()})
        return
    lines: list[list[str | None]] = []
    for scene, source in found.mask.nonzero().tolist():
        bias, spread, best = (
            values[scene, source].tolist() for values in (found.bias, found.spread, found.sqrt_crb)
        )
        ratios = [off / floor if floor else 0.0 for off, floor in zip(bias, best, strict=True)]
        lines.append(
            [
                f"{scene}.{source}",
                *(f"{value:.3g}" for value in bias[:3]),
                " ".join(_cell(value) for value in spread[:3]),
                " ".join(f"{value:.2g}" for value in (*ratios[:2], ratios[3])),
            ]
        )
    title = f"{file.name}\ndata: {models[0]}; estimation: {models[1]}"
    headers = ("scene", "az °", "el °", "r m", "spread az el r", "bias/√CRB az el 1/r")
    echo_table(headers, lines, title=title)
    click.echo(click.wrap_text(MISMATCH_LEGEND, width=80))


def _recorded(
    file: Path, models: tuple[str | None, str | None], settings: Settings
) -> tuple[Truth, str, tuple[str, ...]]:
    """Return the truth of a recording with all that a bound needs, its steering model, notes."""
    from risdoa.evaluation.nuisances import completed  # noqa: PLC0415 - not for --help
    from risdoa.reading import read_recording, reader_of  # noqa: PLC0415

    recording = read_recording(file, settings=settings, registry=registry())
    name = models[0] or recording.steering or "spherical"
    registry().find("steering", name)
    reject_unused(settings, [name, models[1] or name, reader_of(file, registry()).qualified])
    model = _steering(name, settings)
    truth, notes = completed(recording.truth(recording.problem(model)))
    return truth, name, notes
