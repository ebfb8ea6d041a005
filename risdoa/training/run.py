"""A whole training, from a configuration to a run directory and a summary."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from risdoa.errors import InputError
from risdoa.registry import Registry
from risdoa.training.config import TrainConfig
from risdoa.training.control import Row, held_out_table
from risdoa.training.experiment import Experiment
from risdoa.training.history import History
from risdoa.training.loop import Progress, Trainer
from risdoa.training.rundir import RunDirectory, default_path
from risdoa.training.team import Team, joined_team

log = logging.getLogger("risdoa.training")

SCHEMA = "risdoa.train/1"


@dataclass(frozen=True)
class Summary:
    """What a training came to.

    Attributes:
        run: The run directory.
        data_model: What made the data, the steering model or more.
        parameters: How many numbers were trained.
        held_out: The trained network against its controls, on held-out scenes.
        seconds: Wall-clock time of the training itself, since it was last gone on with.
    """

    run: Path
    data_model: str
    config: TrainConfig
    parameters: int
    history: History
    held_out: list[Row]
    seconds: float

    def record(self) -> dict[str, Any]:
        """Return the summary as JSON."""
        history = self.history
        checks = [{"holds": holds, "text": text} for holds, text in history.checks()]
        return {
            "schema": SCHEMA,
            "run": str(self.run),
            "scenario": self.config.scenario,
            "data_model": self.data_model,
            "steering": history.steering,
            "model": self.config.model,
            "loss": self.config.loss,
            "seed": self.config.seed,
            "parameters": self.parameters,
            "seconds": round(self.seconds, 3),
            "steps": history.steps,
            "skipped": history.skipped,
            "resumed": list(history.resumed),
            "best_epoch": history.best_epoch,
            "first_gradients": history.first_gradients,
            "checks": checks,
            "epochs": [record.record() for record in history.epochs],
            "held_out_scenes": self.config.held_out_scenes,
            "held_out": [row.record() for row in self.held_out],
        }


def run_training(
    config: TrainConfig,
    registry: Registry,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Train, write the run directory, compare with the controls.

    Raises:
        InputError: for a configuration that cannot be, or an ``out`` that is not empty.
    """
    with joined_team(config.device) as team:
        experiment = Experiment.of(shared(config, team), registry)
        path = default_path(config) if out is None else out
        run = RunDirectory.create(path) if team.leads else RunDirectory(path, writes=False)
        _announce(experiment, run, team)
        return _finish(Trainer(experiment, run, progress, team))


def resume_training(
    path: Path, registry: Registry, progress: Progress | None = None
) -> Summary | None:
    """Go on with a run that ended early, to the weights that it would have ended with.

    Returns None if it is finished already.

    Raises:
        InputError: if this is no run directory, or what is in it cannot be read.
    """
    run = RunDirectory.existing(path)
    if run.summary() is not None:
        return None
    config = run.config()
    with joined_team(config.device) as team:
        run.writes = team.leads
        experiment = Experiment.of(shared(config, team), registry)
        trainer = Trainer(experiment, run, progress, team)
        step = trainer.resume()
        for text in run.note_resumption(step, experiment.config, registry):
            log.warning("warning: since the run began, %s", text)
        log.info("going on with %s after %d of %d steps", run.path, step, config.steps)
        return _finish(trainer)


def shared(config: TrainConfig, team: Team) -> TrainConfig:
    """Return the configuration with a batch that the processes can share.

    Raises:
        InputError: if the draws of a batch are no multiple of the processes.
    """
    if config.draws % team.size == 0:
        return config
    if config.draws > 1:
        raise InputError(
            f"{team.size} processes cannot share a batch of {config.draws} draws",
            f"set draws to a multiple of {team.size}",
        )
    return TrainConfig.of(config.model_dump() | {"draws": team.size})


def _announce(experiment: Experiment, run: RunDirectory, team: Team) -> None:
    config = experiment.config
    log.info(
        "training %s (%d parameters) for %s on %s, data %s, steering model %s, into %s%s",
        config.model,
        experiment.parameters,
        config.loss,
        f"scenario {config.scenario}" if config.recording is None else config.recording,
        experiment.scenes.label,
        experiment.steering,
        run.path,
        f", {team.size} processes" if team.size > 1 else "",
    )


def _finish(trainer: Trainer) -> Summary:
    """Train to the end; the leading process compares with the controls and writes the summary."""
    experiment, run = trainer.experiment, trainer.run
    started = time.monotonic()
    history = trainer.fit()
    seconds = time.monotonic() - started
    for holds, text in history.checks():
        log.info("[%s] %s", "ok" if holds else "--", text)
    for text in history.warnings:
        log.warning("warning: %s", text)
    config = experiment.config
    rows = held_out_table(experiment) if config.held_out_scenes and trainer.team.leads else []
    summary = Summary(
        run.path, experiment.scenes.label, config, experiment.parameters, history, rows, seconds
    )
    run.write_json("summary.json", summary.record())
    return summary
