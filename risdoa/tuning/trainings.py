"""A trial: a training that is judged after every epoch."""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.trial import Trial
from torch.linalg import LinAlgError  # type: ignore[attr-defined]

from risdoa.backends.base import Backend
from risdoa.problem import Truth
from risdoa.registry import Registry
from risdoa.training.config import TrainConfig
from risdoa.training.experiment import Experiment
from risdoa.training.history import History
from risdoa.training.loop import Trainer
from risdoa.training.rundir import RunDirectory
from risdoa.tuning.judge import backends_of, capped_angle, check_judges, judged, outputs, together
from risdoa.tuning.plan import Plan
from risdoa.tuning.spaces import drawn
from risdoa.tuning.study import DEFAULT, ROLE

log = logging.getLogger("risdoa.tuning")

CONFIG, REASON, SECONDS = "config", "reason", "cpu_seconds"
"""What a trial says about itself: its configuration, why it was pruned, what it took."""


Told = Callable[[int, float], None]
"""Hears of an epoch and its figure; may end the training by an exception."""


def unheard(_epoch: int, _figure: float) -> None:
    """Take no notice of an epoch."""


class UnfitError(Exception):
    """A training that cannot come to anything."""


@dataclass
class Watch:
    """Hears of every batch of a training: ends it where it breaks down, judges it every epoch.

    Attributes:
        judges: The scenes; without any there is no figure.
        backends: The chain behind the network.
        told: Called with the epoch and the figure.
        figures: One an epoch.
    """

    judges: list[Truth]
    backends: list[Backend]
    told: Told
    figures: list[float] = field(default_factory=list)
    trainer: Trainer | None = None

    def __call__(self, step: int, _steps: int) -> None:
        """Hear of a step.

        Raises:
            UnfitError: where loss, gradient or covariance is not finite.
        """
        assert self.trainer is not None
        result = self.trainer.place.results[-1]
        if result.skipped and not result.overflow:
            raise UnfitError(f"loss or gradient not finite in step {step}")
        if step % self.trainer.experiment.config.steps_per_epoch == 0:
            with self.trainer.ema.in_place():
                self.figures.append(self._figure(self.trainer))
            self.told(len(self.figures), self.figures[-1])

    def _figure(self, trainer: Trainer) -> float:
        if not self.judges:
            return math.nan
        made = outputs(trainer.experiment.model, self.judges)
        if not all(each.finite for each in made):
            raise UnfitError(f"covariance not finite after epoch {len(self.figures) + 1}")
        try:
            return capped_angle(judged(made, self.backends))
        except LinAlgError as error:
            raise UnfitError(f"no subspace after epoch {len(self.figures) + 1}: {error}") from error


def train(experiment: Experiment, path: Path, watch: Watch) -> tuple[History, float]:
    """Train into a new run directory; return the history and the figure of the weights kept.

    These are those of the epoch with the lowest validation loss, as in every training.

    Raises:
        UnfitError: if the training breaks down.
    """
    if path.exists():
        shutil.rmtree(path)
    run = RunDirectory.create(path)
    watch.trainer = Trainer(experiment, run, watch)
    history = watch.trainer.fit()
    for state in run.states():
        state.unlink()
        state.with_suffix(".json").unlink(missing_ok=True)
    return history, watch.figures[history.best_epoch - 1]


class Trainings:
    """The objective of a study over trainings: min(ψ, 5°), the mean over validation sources.

    Args:
        plan: What is searched.
        discover: Makes the registry of a training, which then knows what it used itself.
        folder: Where the run directories are; those of pruned trials are removed.

    Raises:
        InputError: for scenes that cannot judge.
    """

    def __init__(self, plan: Plan, discover: Callable[[], Registry], folder: Path) -> None:
        self.plan, self.discover, self.folder = plan, discover, folder
        self.backends = backends_of(discover(), plan.chain, plan.fixed)
        self.judges = together(self._experiment(plan.base).scenes.validation())
        check_judges(self.judges)

    def __call__(self, trial: Trial) -> float:
        """Train and return the figure.

        Raises:
            optuna.TrialPruned: if the trial is bad, or breaks down.
        """
        plan, begun = self.plan, time.process_time()
        config = plan.base
        if trial.user_attrs[ROLE] != DEFAULT:
            config = drawn(trial, plan, self.discover())
        trial.set_user_attr(CONFIG, config.model_dump(mode="json"))
        path = run_path(self.folder, trial.number)
        watch = Watch(self.judges, self.backends, _Report(trial, config.epochs))
        try:
            _, figure = train(self._experiment(config), path, watch)
        except (UnfitError, optuna.TrialPruned) as error:
            shutil.rmtree(path, ignore_errors=True)
            trial.set_user_attr(REASON, str(error))
            log.info("trial %d pruned: %s", trial.number, error)
            raise optuna.TrialPruned(str(error)) from error
        finally:
            trial.set_user_attr(SECONDS, round(time.process_time() - begun, 3))
        log.info("trial %d: %.3f°", trial.number, figure)
        return figure

    def _experiment(self, config: TrainConfig) -> Experiment:
        return Experiment.of(config, self.discover())


@dataclass(frozen=True)
class _Report:
    """Passes the figure of every epoch on to the study, and ends a trial that is bad.

    Raises:
        optuna.TrialPruned: if it is.
    """

    trial: Trial
    epochs: int

    def __call__(self, epoch: int, figure: float) -> None:
        self.trial.report(figure, epoch)
        if epoch < self.epochs and self.trial.should_prune():
            raise optuna.TrialPruned(f"{figure:.3f}° after epoch {epoch}: worse than most")


def run_path(folder: Path, number: int) -> Path:
    """Return the run directory of a trial."""
    return folder / "runs" / f"trial-{number:04d}"
