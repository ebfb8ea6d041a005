"""The training loop: scenes drawn on the fly, a validation and two checkpoints an epoch."""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Callable

import torch

import risdoa
from risdoa.checkpoints import Metadata, load_weights, read_checkpoint, save_checkpoint
from risdoa.losses.combination import Combination
from risdoa.models.learned import LearnedModel
from risdoa.problem import Truth
from risdoa.registry import options_of
from risdoa.training.data import Stream, generator, scenes
from risdoa.training.experiment import Experiment
from risdoa.training.history import EpochRecord, History, average, grad_text
from risdoa.training.rundir import RunDirectory
from risdoa.training.schedule import warmed_cosine
from risdoa.training.state import capture
from risdoa.training.step import StepResult, TrainingStep

log = logging.getLogger("risdoa.training")

Progress = Callable[[int, int], None]
"""Told the steps done and the steps in all."""

CHUNK = 50
"""Scenes that a validation works on at once."""


class Trainer:
    """Trains the model of an experiment into a run directory."""

    def __init__(
        self, experiment: Experiment, run: RunDirectory, progress: Progress | None = None
    ) -> None:
        self.experiment, self.run = experiment, run
        self.progress = progress
        config = experiment.config
        self.total = config.epochs * config.steps_per_epoch
        self.source = generator(config, Stream.TRAINING)
        self.step = training_step(experiment, self.total)
        self.history = History(alignment(experiment.loss), experiment.steering)
        self.best = math.inf
        self.batches = 0

    def fit(self) -> History:
        """Train, and leave the weights of the best epoch in the model."""
        config = self.experiment.config
        self.run.describe(config, self.experiment.registry)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            validation = scenes(
                self.experiment.scenario,
                config,
                config.validation_scenes,
                generator(config, Stream.VALIDATION),
            )
            for epoch in range(1, config.epochs + 1):
                self._epoch(epoch, validation)
        self.history.warnings = tuple(dict.fromkeys(str(one.message) for one in caught))
        best = self.run.checkpoint("best")
        load_weights(self.experiment.model, read_checkpoint(best)[0], best)
        return self.history

    def _epoch(self, epoch: int, validation: Truth) -> None:
        config, model = self.experiment.config, self.experiment.model
        started = time.monotonic()
        model.train()
        results = [self._batch() for _ in range(config.steps_per_epoch)]
        record = EpochRecord.of(
            epoch,
            results,
            validate(model, self.experiment.loss, validation),
            float(self.step.scheduler.get_last_lr()[0]),
            time.monotonic() - started,
        )
        self.history.epochs.append(record)
        self.run.append(record.record())
        self._save(record)
        log.info("%s", record.line(config.epochs))

    def _batch(self) -> StepResult:
        config = self.experiment.config
        truth = scenes(self.experiment.scenario, config, config.batch_size, self.source)
        result = self.step(truth)
        if not self.history.first_gradients and result.gradients:
            self.history.first_gradients = result.gradients
            log.info("[grad] %s (first batch)", grad_text(result.gradients))
        if result.skipped:
            log.warning("skipped a batch: loss or gradient not finite (loss %.3g)", result.loss)
        else:
            self.history.optimizer_steps += 1
        self.history.scheduler_steps = self.step.scheduler.last_epoch
        self.batches += 1
        if self.progress is not None:
            self.progress(self.batches, self.total)
        return result

    def _save(self, record: EpochRecord) -> None:
        value = record.validation["loss"]
        tensors, rest = capture(self.step, self.source)
        better = value is not None and value < self.best
        if better or self.history.best_epoch == 0:
            self.best = math.inf if value is None else value
            self.history.best_epoch = record.epoch
            metadata = self._metadata(record, {})
            save_checkpoint(self.run.checkpoint("best"), self.experiment.model, metadata)
        rest |= {"best": self.best if math.isfinite(self.best) else None}
        rest |= {"best_epoch": self.history.best_epoch}
        metadata = self._metadata(record, rest)
        save_checkpoint(self.run.checkpoint("last"), self.experiment.model, metadata, tensors)

    def _metadata(self, record: EpochRecord, training: dict[str, object]) -> Metadata:
        config, registry = self.experiment.config, self.experiment.registry
        model = registry.find("model", config.model)
        return Metadata(
            model=model.name,
            qualified=model.qualified,
            options=options_of(config.options, "model", config.model),
            steering=self.experiment.steering,
            scenario=config.scenario,
            loss=config.loss,
            epoch=record.epoch,
            metrics=record.validation,
            versions={"risdoa": risdoa.__version__, "torch": torch.__version__},
            training=training,
        )


def training_step(experiment: Experiment, total: int) -> TrainingStep:
    """Return the step of an experiment: AdamW, a warmed cosine, a scaler where AMP asks for one."""
    config = experiment.config
    optimizer = torch.optim.AdamW(
        experiment.model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    return TrainingStep(
        experiment.model,
        experiment.loss,
        optimizer,
        warmed_cosine(optimizer, total),
        torch.amp.GradScaler(torch.device(config.device).type, enabled=config.amp),
        config.clip_norm,
        config.amp,
    )


def alignment(loss: Combination) -> tuple[str, ...]:
    """Return the terms that are computed from the true positions' steering vectors."""
    return tuple(term.name for term in loss.terms if "true-steering" in term.traits)


@torch.no_grad()
def validate(model: LearnedModel, loss: Combination, truth: Truth) -> dict[str, float | None]:
    """Return the mean loss and terms over scenes, in eval mode and without gradients."""
    model.eval()
    values: dict[str, list[float]] = {"loss": []}
    for chunk in torch.arange(truth.problem.scenes).split(CHUNK):
        part = truth.select(chunk)
        parts = loss.parts(model.predict(part.problem), part)
        for name, value in {"loss": loss.weighted(parts), **parts}.items():
            values.setdefault(name, []).extend(value.tolist())
    return {
        name: average(several) if all(map(math.isfinite, several)) else None
        for name, several in values.items()
    }
