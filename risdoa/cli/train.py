"""``risdoa train``: a covariance network, from scenes drawn on the fly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from risdoa.cli.logs import log_lines, silent
from risdoa.cli.options import (
    SEED,
    PluginName,
    Settings,
    echo_json,
    echo_table,
    examples,
    json_flag,
    progress_bar,
    registry,
    set_option,
)
from risdoa.errors import InputError

if TYPE_CHECKING:
    from risdoa.training.config import TrainConfig
    from risdoa.training.control import Interval, Row
    from risdoa.training.loop import Progress
    from risdoa.training.run import Summary


_POSITIVE = click.IntRange(min=1)


@click.command(
    epilog=examples(
        "risdoa train --loss gt-projection --preset smoke --out run",
        "risdoa train --loss nmse=1,gt-projection=0.1 --seed 1 --epochs 4 --out run",
        "risdoa train run/config.toml --seed 2 --out again",
        "risdoa train --preset final --show",
        "risdoa train --resume run",
    )
)
@click.argument("config", required=False, metavar="[CONFIG.toml]", type=click.Path(path_type=Path))
@click.option(
    "--preset",
    metavar="NAME",
    help="Settings to start from: smoke, demo, hpo, final, pretrained.",
)
@click.option("--show", is_flag=True, help="Print the settings as TOML, and train nothing.")
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Go on with a run that ended early, with its own settings.",
)
@click.option(
    "--loss",
    metavar="NAME|NAME=W,…",
    help="A bare NAME means nmse=1,NAME=0.05.  [default: gt-projection]",
)
@click.option("--scenario", type=PluginName("scenario"), help="What kind of scenes.")
@click.option("--recording", metavar="FILE", help="Take the scenes from a recording with truth.")
@click.option("--model", type=PluginName("model"), help="The network.")
@click.option("--seed", type=SEED)
@click.option("--epochs", type=_POSITIVE)
@click.option("--steps-per-epoch", type=_POSITIVE, help="Batches between two validations.")
@click.option("--batch-size", type=_POSITIVE, help="Scenes a batch, drawn afresh.")
@click.option("--draws", type=_POSITIVE, help="Parts that a batch is worked on in.")
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True))
@click.option("--clip-norm", type=click.FloatRange(min=0, min_open=True))
@click.option(
    "--amp",
    type=click.Choice(["off", "bfloat16", "float16"]),
    help="What the network computes in.",
)
@click.option(
    "--ema", type=click.FloatRange(0, 1, max_open=True), help="Decay of a mean of the weights."
)
@click.option("--patience", type=_POSITIVE, help="Stop after so many epochs without a better one.")
@click.option("--sources", type=_POSITIVE, help="Sources in every scene; drawn if not given.")
@click.option("--snr", "snr_db", type=float, metavar="DB", help="SNR of every scene.")
@click.option("--held-out-scenes", type=click.IntRange(min=0), help="Scenes of the last table.")
@click.option("--checkpoint-steps", type=_POSITIVE, help="Batches between checkpoints.")
@click.option(
    "--checkpoint-seconds", type=click.FloatRange(min=0), help="Seconds between checkpoints."
)
@click.option("--device", help="Where to train: cpu or cuda.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="The run directory; a new one under runs/ if not given.",
)
@set_option
@json_flag
def command(
    *,
    config: Path | None,
    preset: str | None,
    show: bool,
    resume: Path | None,
    out: Path | None,
    settings: Settings,
    as_json: bool,
    **given: Any,
) -> None:
    """Train a covariance network.

    Settings come from the preset, then from CONFIG.toml, then from options. The run directory holds
    a config.toml that repeats the run, metrics for every epoch, the best weights, and checkpoints
    that --resume goes on from. torchrun starts several processes that share every batch.
    """
    chosen = {key: value for key, value in given.items() if value is not None}
    if resume is not None:
        _refuse_settings([config, preset, out, *settings, *chosen, show])
        _resume(resume, as_json=as_json)
        return
    if show:
        click.echo(_shown(config, preset, {**chosen, "options": settings}), nl=False)
        return
    from risdoa.training.run import run_training  # noqa: PLC0415 - help pages do without

    resolved = _configuration(config, preset, {**chosen, "options": settings})
    with _talk() as progress:
        summary = run_training(resolved, registry(), out, progress)
    _echo(summary, as_json=as_json)


def _resume(run: Path, *, as_json: bool) -> None:
    """Go on with a run, or say that it is finished."""
    from risdoa.training.run import resume_training  # noqa: PLC0415 - help pages do without
    from risdoa.training.rundir import RunDirectory  # noqa: PLC0415

    with _talk() as progress:
        summary = resume_training(run, registry(), progress)
    if summary is not None:
        _echo(summary, as_json=as_json)
        return
    click.echo(f"{run} is finished; there is nothing to go on with", err=True)
    if as_json:
        echo_json(RunDirectory.existing(run).summary())


@contextmanager
def _talk() -> Iterator[Progress | None]:
    """Let the training talk, if this process is the one that does."""
    from risdoa.training.team import is_leader  # noqa: PLC0415 - help pages do without

    if not is_leader():
        with silent("risdoa.training"):
            yield None
        return
    with log_lines("risdoa.training"), progress_bar("training") as progress:
        yield progress


def _echo(summary: Summary, *, as_json: bool) -> None:
    """Print what the training came to, if this process is the one that does."""
    from risdoa.training.team import is_leader  # noqa: PLC0415 - help pages do without

    if not is_leader():
        return
    if as_json:
        echo_json(summary.record())
    else:
        _echo_summary(summary)


def _refuse_settings(given: list[object]) -> None:
    """Refuse what --resume does not go with.

    Raises:
        InputError: if there is something.
    """
    if any(given):
        raise InputError(
            "--resume goes on with the settings of the run and takes no others",
            "to train with other settings, give the config.toml of the run, and --out",
        )


def _shown(path: Path | None, name: str | None, given: dict[str, Any]) -> str:
    """Return settings as TOML; of a preset alone its file, comments and all."""
    from risdoa.training.config import preset_text  # noqa: PLC0415 - help pages do without

    if name is not None and path is None and given == {"options": {}}:
        return preset_text(name)
    return _configuration(path, name, given).text()


def _configuration(path: Path | None, name: str | None, given: dict[str, Any]) -> TrainConfig:
    """Return preset, file and command line as one checked configuration."""
    from risdoa.training.config import (  # noqa: PLC0415 - help pages do without
        TrainConfig,
        merged,
        preset,
        read_config,
    )

    layers = [{} if name is None else preset(name), {} if path is None else read_config(path)]
    return TrainConfig.of(merged(*layers, given))


def _echo_summary(summary: Summary) -> None:
    """Print the table of controls and where the run is."""
    if summary.held_out:
        headers = ["figure", "network", "mean", "95 % interval", "worse by", "95 % interval"]
        scenes = summary.config.held_out_scenes
        title = f"{scenes} held-out scenes, trained network and controls"
        echo_table(headers, _lines(summary.held_out), title=title)
    click.echo(f"run directory: {summary.run} (best epoch {summary.history.best_epoch})")


def _lines(rows: list[Row]) -> list[list[str]]:
    """Return a line for the trained network and for every control, figure by figure."""
    lines: list[list[str]] = []
    for row in rows:
        if not lines or lines[-1][0] != row.figure:
            lines.append([row.figure, "trained", *_cells(row.trained), "", ""])
        lines.append([row.figure, row.control, *_cells(row.controlled), *_cells(row.excess)])
    return lines


def _cells(interval: Interval) -> list[str]:
    return [f"{interval.mean:.3f}", f"{interval.low:.3f} to {interval.high:.3f}"]
