"""Checkpoints of a training: the best weights, and states to go on from."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

import risdoa
from risdoa.checkpoints import Metadata, load_weights, read_checkpoint, save_checkpoint
from risdoa.errors import InputError
from risdoa.registry import options_of
from risdoa.training.ema import Ema
from risdoa.training.experiment import Experiment
from risdoa.training.history import EpochRecord, History
from risdoa.training.rundir import RunDirectory
from risdoa.training.state import capture, restore
from risdoa.training.step import StepResult, TrainingStep

log = logging.getLogger("risdoa.training")


@dataclass
class Place:
    """Where a training is, between two steps.

    Attributes:
        step: Batches seen.
        results: What the steps of the epoch under way saw.
        seconds: The time that they took.
        best: The lowest validation loss.
    """

    step: int = 0
    results: list[StepResult] = field(default_factory=list)
    seconds: float = 0.0
    best: float = math.inf


class _Saved(BaseModel):
    """What the metadata of a state say besides the state of the optimizer."""

    model_config = ConfigDict(extra="allow")

    step: int
    results: list[dict[str, Any]]
    seconds: float
    best: float | None
    history: dict[str, Any]
    optimizer: list[dict[str, Any]]
    scheduler: dict[str, Any]
    scaler: dict[str, Any]


class Keeper:
    """Writes and reads the checkpoints of a run."""

    def __init__(
        self, experiment: Experiment, run: RunDirectory, step: TrainingStep, ema: Ema
    ) -> None:
        self.experiment, self.run = experiment, run
        self.step, self.ema = step, ema
        self.saved = time.monotonic()

    def due(self, place: Place) -> bool:
        """Return whether a state should be saved in the middle of an epoch."""
        config = self.experiment.config
        every, limit = config.checkpoint_steps, config.checkpoint_seconds
        late = bool(limit) and time.monotonic() - self.saved >= limit
        return late or (every is not None and place.step % every == 0)

    def save_best(self, record: EpochRecord) -> None:
        """Write the weights that are in the model as the best ones."""
        if self.run.writes:
            save_checkpoint(self.run.best(), self.experiment.model, self._metadata(record, {}))

    def save_state(self, place: Place, history: History) -> None:
        """Write all that a later run needs to go on from here, and remove old states."""
        self.saved = time.monotonic()
        if not self.run.writes:
            return
        tensors, rest = capture(self.step)
        rest |= {
            "step": place.step,
            "results": [_finite(vars(result)) for result in place.results],
            "seconds": place.seconds,
            "best": place.best if math.isfinite(place.best) else None,
            "history": history.state(),
        }
        last = history.epochs[-1] if history.epochs else None
        metadata = self._metadata(last, rest)
        tensors |= self.ema.tensors()
        save_checkpoint(self.run.state(place.step), self.experiment.model, metadata, tensors)
        self.run.prune(self.experiment.config.keep_checkpoints)

    def restore(self, history: History) -> Place:
        """Put the newest state that can be read in place, history included.

        Raises:
            InputError: if there are states and none can be read, or what is read does not fit.
        """
        for path in reversed(self.run.states()):
            try:
                tensors, metadata = read_checkpoint(path)
            except InputError as error:
                log.warning("warning: %s; trying the one before", error)
                continue
            return self._put(path, tensors, metadata, history)
        if self.run.states():
            raise InputError(
                f"no checkpoint in {self.run.path} can be read",
                "start again with its config.toml and another --out",
            )
        return Place()

    def _put(
        self, path: Path, tensors: dict[str, Tensor], metadata: Metadata, history: History
    ) -> Place:
        try:
            saved = _Saved.model_validate(metadata.training)
            load_weights(self.experiment.model, tensors, path)
            restore(self.step, tensors, metadata.training)
            self.ema.restore(tensors)
            results = [StepResult(**_number(result)) for result in saved.results]
            history.restore(saved.history, self.run.metrics(metadata.epoch))
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            reason = " ".join(str(error).split())[:200]
            hint = "start again with the config.toml of the run and another --out"
            raise InputError(f"{path} is not a state of this run: {reason}", hint) from error
        best = math.inf if saved.best is None else saved.best
        return Place(saved.step, results, saved.seconds, best)

    def _metadata(self, record: EpochRecord | None, training: dict[str, object]) -> Metadata:
        config, registry = self.experiment.config, self.experiment.registry
        model = registry.find("model", config.model)
        return Metadata(
            model=model.name,
            qualified=model.qualified,
            options=options_of(config.options, "model", config.model),
            steering=self.experiment.steering,
            scenario=config.scenario,
            loss=config.loss,
            epoch=record.epoch if record else 0,
            metrics=record.validation if record else {},
            versions={"risdoa": risdoa.__version__, "torch": torch.__version__},
            training=training,
        )


def _finite(value: Any) -> Any:
    """Return nested figures for strict JSON: what is not finite is None."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: Any) -> Any:
    """Return nested figures as they were before :func:`_finite`, None being NaN."""
    if isinstance(value, dict):
        return {key: _number(one) for key, one in value.items()}
    return math.nan if value is None else value
