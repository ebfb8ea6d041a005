"""``risdoa hpo``: search for the best training, and for the best chain behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from risdoa.cli.logs import log_lines, silent
from risdoa.cli.options import (
    SEED,
    IntList,
    PluginChain,
    PluginName,
    Settings,
    echo_json,
    examples,
    json_flag,
    registry,
    reject_unused,
    set_option,
)
from risdoa.errors import InputError

if TYPE_CHECKING:
    from risdoa.tuning.campaign import Campaign, Found, Place
    from risdoa.tuning.plan import Plan
    from risdoa.tuning.refining import Choice

_POSITIVE = click.IntRange(min=1)
_COUNT = click.IntRange(min=0)


@click.command(
    epilog=examples(
        "risdoa hpo --trials 50 --epochs 12 --space wide --out search",
        "risdoa hpo --join search",
        "risdoa hpo --space narrow --show",
        "risdoa hpo --trials 20 --storage postgresql://user@host/studies --out search",
        "risdoa train search/best.toml --seed 1 --out run",
    )
)
@click.argument("config", required=False, metavar="[CONFIG.toml]", type=click.Path(path_type=Path))
@click.option("--trials", type=_POSITIVE, default=50, show_default=True, help="All workers' own.")
@click.option("--epochs", type=_POSITIVE, help="Of a training, judged after each.")
@click.option(
    "--space",
    type=click.Choice(["narrow", "wide"]),
    default="wide",
    show_default=True,
    help="narrow: training and weights; wide: loss and network too.",
)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Keeps everything.")
@click.option(
    "--join",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Work on the trials of a search that was begun there.",
)
@click.option("--show", is_flag=True, help="Print what is searched, and search nothing.")
@click.option("--preset", default="hpo", show_default=True, metavar="NAME", help="The default.")
@click.option("--loss", metavar="NAME|NAME=W,…", help="Of the default.")
@click.option(
    "--losses",
    type=PluginChain("loss"),
    metavar="NAME,…",
    help="What wide chooses from; all that align R if not given.",
)
@click.option("--scenario", type=PluginName("scenario"), help="What kind of scenes.")
@click.option("--model", type=PluginName("model"), help="The network.")
@click.option("--seed", type=SEED, help="Of sampler, weights and scenes.")
@click.option("--steps-per-epoch", type=_POSITIVE, help="Batches between two judgements.")
@click.option("--batch-size", type=_POSITIVE, help="Scenes a batch, drawn afresh.")
@click.option("--validation-scenes", type=_POSITIVE, help="Scenes that judge.")
@click.option("--held-out-scenes", type=_COUNT, help="Scenes that --confirm tries on.")
@click.option("--device", help="Where to train: cpu or cuda.")
@click.option(
    "--chain",
    type=PluginChain("backend"),
    default="music,newton",
    show_default=True,
    metavar="NAME,…",
    help="Backends behind the network that judge a training.",
)
@click.option(
    "--refine",
    type=PluginChain("backend"),
    default="nf-mle",
    show_default=True,
    metavar="NAME,…",
    help="Backends behind these, tuned at the end.",
)
@click.option(
    "--chain-trials",
    type=_COUNT,
    default=30,
    show_default=True,
    help="Trials of β, α and the backends, without training; 0: none.",
)
@click.option("--confirm", type=IntList(0), metavar="SEED,…", help="Train again from these seeds.")
@click.option(
    "--pruner", type=click.Choice(["median", "none"]), default="median", show_default=True
)
@click.option("--workers", type=_POSITIVE, default=1, show_default=True, help="Processes.")
@click.option(
    "--storage",
    envvar="RISDOA_STORAGE",
    metavar="URL",
    help="A database that machines share, in place of a journal in DIR.",
)
@click.option("--study", default="hpo", show_default=True, metavar="NAME", help="Name in there.")
@click.option(
    "--budget",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Of processor time; estimated if not given.",
)
@set_option
@json_flag
def command(
    *,
    out: Path | None,
    join: Path | None,
    show: bool,
    confirm: tuple[int, ...] | None,
    workers: int,
    storage: str | None,
    study: str,
    budget: float | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Search for the best training, on one worker or many.

    The trials change the default: preset, CONFIG.toml and options. Each is judged after every epoch
    by the mean of min(ψ, 5°) that the chain finds on validation scenes, and ended early where it is
    worse than most. Then β, α and the backends are tuned on cached covariances of the best. DIR
    gets best.toml, which `risdoa train` takes, hpo.json and trials.csv; the same call goes on.
    """
    if join is not None:
        _join(join, storage, budget, as_json=as_json)
        return
    plan = _plan(**given)
    if show:
        _show(plan, as_json=as_json)
        return
    if out is None:
        raise InputError("a search needs a folder", "give --out DIR")
    from risdoa.tuning.campaign import Place  # noqa: PLC0415 - not for --help

    place = Place(out, study, storage)
    place.check()
    seeds = tuple(dict.fromkeys(confirm or ()))
    with _talk(), _campaign(plan, place) as campaign:
        place.write(plan)
        found = _searched(campaign, seeds, workers, budget)
    _echo(found, place, as_json=as_json)


def _join(folder: Path, storage: str | None, budget: float | None, *, as_json: bool) -> None:
    """Work on the trials of a search that has begun."""
    from risdoa.evaluation.journal import Budget  # noqa: PLC0415 - not for --help
    from risdoa.tuning.campaign import Place  # noqa: PLC0415

    place, plan = Place.read(folder, storage)
    with _talk(), _campaign(plan, place) as campaign:
        campaign.train(Budget(float("inf") if budget is None else budget))
        found = campaign.found({}, None, done=False)
    finished = len(found.document["trials"])
    click.echo(f"{finished} of {plan.trials} trials are finished", err=True)
    if as_json:
        echo_json(found.document)


@contextmanager
def _campaign(plan: Plan, place: Place) -> Iterator[Campaign]:
    """Yield the search, with this process as one of its workers."""
    from risdoa.tuning.campaign import Campaign  # noqa: PLC0415 - not for --help
    from risdoa.tuning.presence import Presence  # noqa: PLC0415
    from risdoa.tuning.study import opened_storage  # noqa: PLC0415

    folder = place.folder
    with Presence(folder) as presence, opened_storage(place.storage, folder) as storage:
        yield Campaign(plan, place, storage, presence)


def _searched(
    campaign: Campaign, seeds: tuple[int, ...], workers: int, given: float | None
) -> Found:
    """Say what will be done, do what fits into the budget, and write what came of it."""
    from risdoa.evaluation.journal import Budget  # noqa: PLC0415 - not for --help
    from risdoa.tuning.campaign import helpers  # noqa: PLC0415

    seconds = _announced(campaign, seeds, workers, given)
    budget = Budget(seconds / workers)
    chain: dict[str, Choice] = {}
    confirmed, done = None, False
    try:
        shared = workers > 1 and campaign.left(())[0] > 0
        others = helpers(workers - 1, campaign.place, seconds / workers)
        with others if shared else nullcontext():
            campaign.train(budget)
        rest = Budget(seconds - workers * budget.spent)
        chain, tuned = campaign.refine(rest)
        confirmed = campaign.confirm(seeds, Budget(rest.seconds - rest.spent))
        done = tuned and not any(campaign.left(seeds))
    finally:
        found = campaign.found(chain, confirmed, done=done)
        campaign.write(found)
    return found


def _announced(
    campaign: Campaign, seeds: tuple[int, ...], workers: int, given: float | None
) -> float:
    """Say what there is to do and what it may take; return the seconds of processor time."""
    from risdoa.tuning.campaign import MARGIN  # noqa: PLC0415 - not for --help

    plan, base = campaign.plan, campaign.plan.base
    one, chain = campaign.seconds()
    trials, fresh = campaign.left(seeds)
    whole = MARGIN * ((trials + fresh) * one + chain)
    seconds = whole if given is None else given
    confirmed = f", {fresh} trainings from fresh seeds" if seeds else ""
    click.echo(
        f"{plan.trials} trials ({plan.trials - trials} done) of {base.epochs} epochs of "
        f"{base.steps_per_epoch} steps of {base.batch_size} scenes, judged on "
        f"{base.validation_scenes} scenes; {plan.chain_trials} trials of the chain{confirmed}; "
        f"the default takes {one:.0f} s of processor time; budget {seconds:.0f} s "
        f"({seconds / 3600:.1f} h) on {workers} worker{'s' if workers > 1 else ''}",
        err=True,
    )
    return seconds


@contextmanager
def _talk() -> Iterator[None]:
    """Tell of trials alone, not of their epochs."""
    with silent("risdoa.training"), log_lines("risdoa.tuning"):
        yield


def _plan(config: Path | None, preset: str, settings: Settings, **given: Any) -> Plan:
    """Return the plan that the options say.

    Raises:
        InputError: for settings that cannot be, or of plugins that the search does not use.
    """
    from risdoa.registry import unused  # noqa: PLC0415 - not for --help
    from risdoa.training.config import TrainConfig, merged, read_config  # noqa: PLC0415
    from risdoa.training.config import preset as settings_of  # noqa: PLC0415
    from risdoa.tuning.plan import Plan  # noqa: PLC0415
    from risdoa.tuning.spaces import COMPANIONS, alignment_losses, check_alignment  # noqa: PLC0415

    own = {name: given.pop(name) for name in ("space", "chain", "refine", "pruner", "trials")}
    own |= {"chain_trials": given.pop("chain_trials"), "losses": given.pop("losses")}
    own["losses"] = own["losses"] or alignment_losses(registry())
    check_alignment(own["losses"])
    chosen = {key: value for key, value in given.items() if value is not None}
    read = {} if config is None else read_config(config)
    layers = (settings_of(preset), read, chosen)
    base = TrainConfig.of(merged(*layers))
    used = [base.scenario, base.model, *base.weights()]
    losses = [*base.weights(), *own["losses"], *COMPANIONS]
    names = {"scenario": [base.scenario], "model": [base.model], "loss": losses}
    names["backend"] = [*own["chain"], *own["refine"]]
    reject_unused(settings, [name for each in names.values() for name in each])
    _check_options(settings, names)
    kept = {name: each for name, each in settings.items() if name not in unused(settings, used)}
    base = TrainConfig.of(merged(*layers, {"options": kept}))
    return Plan(base=base, fixed=settings, **own)


def _check_options(settings: Settings, names: Mapping[str, Sequence[str]]) -> None:
    """Refuse options that cannot be, before a search space meets them; ``names`` go by kind.

    Raises:
        InputError: for an option that a plugin does not have, or a wrong value.
    """
    from risdoa.registry import options_of  # noqa: PLC0415 - not for --help

    for kind, plugins in names.items():
        for name in plugins:
            if options := options_of(settings, kind, name):
                registry().resolve(kind, name, **options)


def _show(plan: Plan, *, as_json: bool) -> None:
    """Print what is searched."""
    from risdoa.cli.hpo_tables import echo_space  # noqa: PLC0415 - not for --help
    from risdoa.tuning.spaces import outlined  # noqa: PLC0415

    ranges = outlined(plan, registry())
    if as_json:
        echo_json({"schema": "risdoa.hpo-space/1", "space": plan.space, "ranges": ranges})
    else:
        echo_space(plan, ranges)


def _echo(found: Found, place: Place, *, as_json: bool) -> None:
    """Print what the search came to."""
    from risdoa.cli.hpo_tables import echo_found  # noqa: PLC0415 - not for --help

    if as_json:
        echo_json(found.document)
    else:
        echo_found(found, place.folder)
    if found.elsewhere:
        click.echo(f"other workers are still at {found.elsewhere} trials: call it again", err=True)
    elif not found.document["complete"]:
        click.echo("the budget is spent: call it again with the same --out to go on", err=True)
