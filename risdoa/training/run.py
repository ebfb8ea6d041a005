"""A whole training, from a configuration to a run directory and a summary."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from risdoa.registry import Registry
from risdoa.training.config import TrainConfig
from risdoa.training.control import Row, held_out_table
from risdoa.training.experiment import Experiment
from risdoa.training.history import History
from risdoa.training.loop import Progress, Trainer
from risdoa.training.rundir import RunDirectory, default_path

log = logging.getLogger("risdoa.training")

SCHEMA = "risdoa.train/1"


@dataclass(frozen=True)
class Summary:
    """What a training came to.

    Attributes:
        run: The run directory.
        parameters: How many numbers were trained.
        held_out: The trained network against its controls, on held-out scenes.
        seconds: Wall-clock time of the training itself.
    """

    run: Path
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
            "steering": history.steering,
            "model": self.config.model,
            "loss": self.config.loss,
            "seed": self.config.seed,
            "parameters": self.parameters,
            "seconds": round(self.seconds, 3),
            "steps": history.steps,
            "skipped": history.skipped,
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
    experiment = Experiment.of(config, registry)
    run = RunDirectory.create(default_path(config) if out is None else out)
    config = experiment.config
    count = sum(parameter.numel() for parameter in experiment.model.parameters())
    log.info(
        "training %s (%d parameters) for %s on scenario %s, steering model %s, into %s",
        config.model,
        count,
        config.loss,
        config.scenario,
        experiment.steering,
        run.path,
    )
    started = time.monotonic()
    history = Trainer(experiment, run, progress).fit()
    seconds = time.monotonic() - started
    for holds, text in history.checks():
        log.info("[%s] %s", "ok" if holds else "--", text)
    for text in history.warnings:
        log.warning("warning: %s", text)
    rows = held_out_table(experiment) if config.held_out_scenes else []
    summary = Summary(run.path, config, count, history, rows, seconds)
    run.write_json("summary.json", summary.record())
    return summary
