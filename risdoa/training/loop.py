"""The training loop: batches, a validation an epoch, checkpoints."""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import torch

from risdoa.checkpoints import load_weights, read_checkpoint
from risdoa.losses.combination import Combination
from risdoa.models.learned import LearnedModel
from risdoa.problem import Truth
from risdoa.training.data import Stream, stream_seed
from risdoa.training.ema import Ema
from risdoa.training.experiment import Experiment
from risdoa.training.history import EpochRecord, History, grad_text
from risdoa.training.rundir import RunDirectory
from risdoa.training.saving import Keeper, Place
from risdoa.training.schedule import warmed_cosine
from risdoa.training.step import StepResult, TrainingStep
from risdoa.training.team import Team

log = logging.getLogger("risdoa.training")

Progress = Callable[[int, int], None]
"""Told the steps done and the steps in all."""

ALONE = Team()


class Trainer:
    """Trains the model of an experiment into a run directory."""

    def __init__(
        self,
        experiment: Experiment,
        run: RunDirectory,
        progress: Progress | None = None,
        team: Team = ALONE,
    ) -> None:
        self.experiment, self.run, self.team = experiment, run, team
        self.progress = progress
        self.total = experiment.config.steps
        self.step = training_step(experiment, self.total, team)
        self.ema = Ema(experiment.model, experiment.config.ema)
        self.keeper = Keeper(experiment, run, self.step, self.ema)
        self.history = History(alignment(experiment.loss), experiment.steering)
        self.place = Place()

    def resume(self) -> int:
        """Go to where the run was saved last; return the steps done.

        Raises:
            InputError: if what was saved cannot be read or is not of this run.
        """
        self.place = self.keeper.restore(self.history)
        self.history.resumed = (*self.history.resumed, self.place.step)
        return self.place.step

    def fit(self) -> History:
        """Train, and leave the weights of the best epoch in the model of the leading process."""
        if not self.history.resumed:
            self.run.describe(self.experiment.config, self.experiment.registry)
        with _own_generators(self.experiment.config.device), _noted_warnings(self.history):
            validation = self.experiment.scenes.validation()
            while self.place.step < self.total and not self.stopped:
                self._batch()
                if len(self.place.results) == self.experiment.config.steps_per_epoch:
                    self._end_epoch(validation)
                elif self.keeper.due(self.place):
                    self.keeper.save_state(self.place, self.history)
        if self.stopped:
            log.info("stopped: no better validation in %d epochs", self.history.idle_epochs)
        if self.team.leads:
            best = self.run.best()
            load_weights(self.experiment.model, read_checkpoint(best)[0], best)
        return self.history

    @property
    def stopped(self) -> bool:
        """Whether too many epochs have passed without a better one."""
        patience = self.experiment.config.patience
        return patience is not None and self.history.idle_epochs >= patience

    def _batch(self) -> None:
        started = time.monotonic()
        self.experiment.model.train()
        draws = self.team.share(self.experiment.config.draws)
        result = self.step(*(partial(self._draw, self.place.step, draw) for draw in draws))
        if result.skipped:
            why = "the scale for float16 was too large" if result.overflow else "not finite"
            log.warning("skipped a batch: loss or gradient %s (loss %.3g)", why, result.loss)
        else:
            self._note_update(result)
        self.history.scheduler_steps = self.step.scheduler.last_epoch
        self.place.results.append(result)
        self.place.step += 1
        self.place.seconds += time.monotonic() - started
        if self.progress is not None:
            self.progress(self.place.step, self.total)

    def _draw(self, step: int, draw: int) -> Truth:
        """Return a part of a batch, and let what the network itself draws depend on it alone."""
        seed = stream_seed(self.experiment.config.seed, Stream.NETWORK, step, draw)
        torch.manual_seed(seed)
        return self.experiment.scenes.batch(step, draw)

    def _note_update(self, result: StepResult) -> None:
        self.history.optimizer_steps += 1
        self.ema.update(self.history.optimizer_steps)
        if not self.history.first_gradients:
            self.history.first_gradients = result.gradients
            log.info("[grad] %s (first batch)", grad_text(result.gradients))

    def _end_epoch(self, validation: Sequence[Truth]) -> None:
        config, place = self.experiment.config, self.place
        started = time.monotonic()
        with self.ema.in_place():
            figures = validate(self.experiment.model, self.experiment.loss, validation, self.team)
            record = EpochRecord.of(
                len(self.history.epochs) + 1,
                place.results,
                figures,
                float(self.step.scheduler.get_last_lr()[0]),
                place.seconds + time.monotonic() - started,
            )
            self.history.epochs.append(record)
            self.run.append(record.record())
            self._keep_if_best(record)
        place.results, place.seconds = [], 0.0
        self.keeper.save_state(place, self.history)
        log.info("%s", record.line(config.epochs))

    def _keep_if_best(self, record: EpochRecord) -> None:
        value = record.validation["loss"]
        better = value is not None and value < self.place.best
        if better or self.history.best_epoch == 0:
            self.place.best = math.inf if value is None else value
            self.history.best_epoch = record.epoch
            self.keeper.save_best(record)


def training_step(experiment: Experiment, total: int, team: Team = ALONE) -> TrainingStep:
    """Return the step of an experiment: AdamW, a warmed cosine, a scaler for float16."""
    config = experiment.config
    optimizer = torch.optim.AdamW(
        experiment.model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    precision = None if config.amp == "off" else getattr(torch, config.amp)
    scaled = config.amp == "float16"
    return TrainingStep(
        experiment.model,
        experiment.loss,
        optimizer,
        warmed_cosine(optimizer, total),
        torch.amp.GradScaler(torch.device(config.device).type, enabled=scaled),
        config.clip_norm,
        total,
        precision,
        team,
    )


def alignment(loss: Combination) -> tuple[str, ...]:
    """Return the terms that are computed from the true positions' steering vectors."""
    return tuple(term.name for term in loss.terms if "true-steering" in term.traits)


@torch.no_grad()
def validate(
    model: LearnedModel, loss: Combination, parts: Sequence[Truth], team: Team = ALONE
) -> dict[str, float | None]:
    """Return the mean loss and terms over scenes, in eval mode and without gradients.

    The processes of a team share the work. Weights that change over the training are those of its
    end, so that epochs can be compared; a mean that is not finite is None.
    """
    model.eval()
    names = ["loss", *(term.name for term in loss.terms)]
    sums = torch.zeros(len(names) + 1, dtype=torch.float64)
    for index in team.share(len(parts)):
        truth = parts[index]
        terms = loss.parts(model.predict(truth.problem), truth)
        values = [loss.weighted(terms), *(terms[name] for name in names[1:])]
        sums[:-1] += torch.stack([value.double().sum() for value in values]).cpu()
        sums[-1] += truth.problem.scenes
    device = next(model.parameters()).device
    *totals, count = team.total(sums.to(device)).tolist()
    return {
        name: total / count if math.isfinite(total) else None
        for name, total in zip(names, totals, strict=True)
    }


@contextmanager
def _own_generators(device: str) -> Iterator[None]:
    """Leave the global generators as they are; a network may draw from them, seeded every batch."""
    cuda = torch.device(device).type == "cuda"
    with torch.random.fork_rng([torch.cuda.current_device()] if cuda else []):
        yield


@contextmanager
def _noted_warnings(history: History) -> Iterator[None]:
    """Write down what libraries warn about."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield
    history.note_warnings(str(one.message) for one in caught)
