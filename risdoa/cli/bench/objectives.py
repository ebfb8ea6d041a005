"""``risdoa bench objectives``: what networks are worth that were trained for different losses."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from risdoa.cli.bench.objective_tables import echo_tables
from risdoa.cli.logs import log_lines, silent
from risdoa.cli.options import (
    IntList,
    PluginChain,
    PluginName,
    Settings,
    echo_json,
    examples,
    json_flag,
    progress_bar,
    registry,
    reject_unused,
    seed_option,
    set_option,
    snr_points,
    source_points,
)
from risdoa.errors import CheckFailedError

if TYPE_CHECKING:
    from risdoa.training.arms import Arm
    from risdoa.training.contest import Contest, Entry
    from risdoa.training.standings import Standing

SCHEMA = "risdoa.bench-objectives/1"
_POSITIVE = click.IntRange(min=1)
_WEIGHT = click.FloatRange(min=0)


@click.command(
    "objectives",
    epilog=examples(
        "risdoa bench objectives --out objectives",
        "risdoa bench objectives --schedules --out schedules",
        "risdoa bench objectives --losses chordal --completeness 0 --scenario canonical --seeds 0 "
        "--steps 1 --batch-size 2 --snr 20 --sources 1 --trials 2 --json",
    ),
)
@click.option(
    "--scenario",
    "scenarios",
    type=PluginChain("scenario"),
    default="canonical,spherical-data",
    show_default=True,
    metavar="NAME,…",
    help="Where training and held-out scenes come from.",
)
@click.option(
    "--losses",
    type=PluginChain("loss"),
    metavar="NAME,…",
    help="Alignment losses, the reference first; all that are installed if not given.",
)
@click.option("--schedules", is_flag=True, help="Compare weights of the first loss instead.")
@click.option(
    "--alignment", type=_WEIGHT, default=0.05, show_default=True, help="Weight beside nmse=1."
)
@click.option(
    "--completeness",
    type=_WEIGHT,
    default=0.02,
    show_default=True,
    help="Weight in the arms that have it; 0 leaves them out.",
)
@click.option(
    "--covariance",
    type=_WEIGHT,
    default=1.0,
    show_default=True,
    help="Weight of nmse beside an alignment loss; 0 leaves it out.",
)
@click.option("--model", type=PluginName("model"), default="hybrid", show_default=True)
@click.option(
    "--seeds", type=IntList(0), default="0,1,2", show_default=True, help="Of the trainings."
)
@click.option("--steps", type=_POSITIVE, default=200, show_default=True, help="Of every training.")
@click.option("--batch-size", type=_POSITIVE, default=32, show_default=True, help="Scenes a step.")
@click.option(
    "--chain",
    type=PluginChain("backend"),
    default="music,newton",
    show_default=True,
    metavar="NAME,…",
    help="Backends behind the network.",
)
@snr_points("0,10,20")
@source_points("1,2,3")
@click.option(
    "--trials", type=_POSITIVE, default=50, show_default=True, help="Held-out scenes a point."
)
@click.option(
    "--budget",
    type=_WEIGHT,
    default=100.0,
    show_default=True,
    help="Seconds of processor time a training; what does not fit is left for the next call.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keeps runs and finished trainings, from which a call goes on, and the JSON.",
)
@seed_option
@set_option
@json_flag
def command(
    *,
    scenarios: tuple[str, ...],
    losses: tuple[str, ...] | None,
    schedules: bool,
    alignment: float,
    completeness: float,
    covariance: float,
    seeds: tuple[int, ...],
    budget: float,
    out: Path | None,
    settings: Settings,
    as_json: bool,
    **given: Any,
) -> None:
    """Train one network for every loss, and try them all on the same held-out scenes.

    Every training has the same steps and, seed by seed, the same scenes and first weights; the
    weights after the last step count. Beside each loss stand nmse alone (none), and the first loss
    with its gradient cut (detached), which must end with the weights of none: otherwise the command
    ends with code 3. Differences are paired with the first loss, or with the preset hpo.
    """
    from risdoa.training.arms import OBJECTIVES, objective_arms, schedule_arms  # noqa: PLC0415
    from risdoa.training.contest import Contest, entries  # noqa: PLC0415 - not for --help

    installed = set(registry().names("loss"))
    names = losses or tuple(name for name in OBJECTIVES if name in installed)
    weights = (alignment, completeness, covariance)
    arms = schedule_arms(names[0]) if schedules else objective_arms(names, *weights)
    todo = entries(list(dict.fromkeys(scenarios)), list(dict.fromkeys(seeds)), arms)
    contest = Contest(**given, options=settings)
    reject_unused(settings, _plugins(contest, scenarios, arms))
    found = _measured(contest, todo, budget, out)
    document = _document(contest, found, complete=sum(len(e.seeds) for e in found) == len(todo))
    if out is not None:
        _write(out / ("schedules.json" if schedules else "objectives.json"), document)
    if as_json:
        echo_json(document)
    else:
        echo_tables(found, contest, unchanged=len(_cut(found)))
    if not document["complete"]:
        click.echo("the budget is spent: call it again with the same --out to go on", err=True)
    _check(found)


def _plugins(contest: Contest, scenarios: Sequence[str], arms: Sequence[Arm]) -> list[str]:
    """Return the plugins that the trainings and trials use."""
    from risdoa.losses.grammar import parse_losses  # noqa: PLC0415 - not for --help

    losses = [name for arm in arms for name in parse_losses(arm.loss)]
    return [*scenarios, contest.model, *contest.chain, *losses]


def _measured(
    contest: Contest, todo: list[Entry], budget: float, out: Path | None
) -> list[Standing]:
    """Say what will be done, do what fits into the budget, and return what came of it."""
    from risdoa.evaluation.journal import Budget, Journal  # noqa: PLC0415 - not for --help
    from risdoa.registry import Registry  # noqa: PLC0415
    from risdoa.training.contest import check_contest, run_contest  # noqa: PLC0415
    from risdoa.training.standings import standings  # noqa: PLC0415

    check_contest(contest, todo, registry())
    journal = Journal(
        None if out is None else out / "trainings.jsonl", {"schema": SCHEMA, **asdict(contest)}
    )
    done = sum(entry.key in journal for entry in todo)
    whole = budget * (len(todo) - done)
    click.echo(
        f"{len(todo)} trainings ({done} done) of {contest.steps} steps of {contest.batch_size} "
        f"scenes; budget {budget:g} s of processor time each with its trial, "
        f"{whole:g} s ({whole / 3600:.1f} h) for what is left",
        err=True,
    )
    with _folder(out) as folder, _talk() as progress:
        run_contest(contest, todo, folder, journal, Budget(whole), Registry.discover, progress)
    return standings(todo, journal.records, contest.seed)


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """Yield where run directories go: with no ``out`` only as long as this takes."""
    if out is not None:
        yield out / "runs"
        return
    with tempfile.TemporaryDirectory(prefix="risdoa-") as name:
        yield Path(name)


@contextmanager
def _talk() -> Iterator[Any]:
    """Tell of finished trainings alone, not of their epochs."""
    with silent("risdoa.training"), log_lines("risdoa.contest"), progress_bar("training") as told:
        yield told


def _document(contest: Contest, found: list[Standing], *, complete: bool) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        **asdict(contest),
        "complete": complete,
        "arms": [asdict(each) for each in found],
    }


def _write(path: Path, document: dict[str, Any]) -> None:
    """Write the document as JSON."""
    import json  # noqa: PLC0415 - not for --help

    from risdoa.files import write_text  # noqa: PLC0415

    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def _check(found: list[Standing]) -> None:
    """Raise where a cut gradient has reached the network.

    Raises:
        CheckFailedError: if the weights of ``detached`` are not those of ``none``.
    """
    for scenario, seed, cut, plain in _cut(found):
        if cut != plain:
            raise CheckFailedError(
                f"{scenario}, seed {seed}: a detached alignment term has changed the weights",
                "the gradient of a detached term must not reach the network",
            )


def _cut(found: list[Standing]) -> list[tuple[str, int, str, str]]:
    """Return scenario, seed and the weights of ``detached`` and ``none`` where both are done."""
    from risdoa.training.arms import DETACHED, NONE  # noqa: PLC0415 - not for --help

    digests = {(each.scenario, each.arm.label): each.digests for each in found}
    return [
        (scenario, seed, digest, digests[scenario, NONE][seed])
        for (scenario, label), several in digests.items()
        if label == DETACHED
        for seed, digest in several.items()
        if seed in digests.get((scenario, NONE), {})
    ]
