"""Trainings that differ in their loss alone, each tried on the same held-out scenes."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from risdoa.checkpoints import WEIGHTS, read_checkpoint
from risdoa.errors import InputError
from risdoa.evaluation.comparison import Setup
from risdoa.evaluation.journal import Budget, Journal
from risdoa.evaluation.metrics import Scores
from risdoa.models.learned import LearnedModel
from risdoa.pipeline import Chain, build_chain
from risdoa.problem import Problem, Truth
from risdoa.registry import Registry, options_of, unused
from risdoa.training.arms import Arm
from risdoa.training.config import TrainConfig
from risdoa.training.control import figures
from risdoa.training.experiment import Experiment
from risdoa.training.run import resume_training, run_training
from risdoa.training.rundir import RunDirectory

log = logging.getLogger("risdoa.contest")

VALIDATION = 20
"""Scenes after the last step. There is one epoch, so that no loss picks its own best one."""
CHECKPOINTS = 10
"""States that a training leaves on its way, to go on from when it is killed."""

Progress = Callable[[int, int], None]


class BudgetSpentError(Exception):
    """The budget ended in the middle of a training."""


@dataclass(frozen=True)
class Contest:
    """What all trainings and their trials share: equal steps on equal scenes from equal weights.

    Attributes:
        steps: Of every training.
        batch_size: Scenes in a step.
        chain: The backends behind the network.
        snr_db: Of the held-out scenes, each with each number of ``sources``.
        trials: Held-out scenes at each point.
        seed: Of the held-out scenes, the same for all trainings.
        options: Options of the plugins, by plugin name.
    """

    model: str
    steps: int
    batch_size: int
    chain: tuple[str, ...]
    snr_db: tuple[float, ...]
    sources: tuple[int, ...]
    trials: int
    seed: int
    options: Mapping[str, Mapping[str, Any]]

    def config(self, entry: Entry) -> TrainConfig:
        """Return the configuration of a training."""
        values: dict[str, Any] = {
            "scenario": entry.scenario,
            "model": self.model,
            "loss": entry.arm.loss,
            "detached": entry.arm.detached,
            "seed": entry.seed,
            "epochs": 1,
            "steps_per_epoch": self.steps,
            "batch_size": self.batch_size,
            "validation_scenes": VALIDATION,
            "held_out_scenes": 0,
            "checkpoint_steps": -(-self.steps // CHECKPOINTS),
        }
        names = [entry.scenario, self.model, *TrainConfig.of(values).weights()]
        others = unused(self.options, names)
        kept = {name: dict(one) for name, one in self.options.items() if name not in others}
        return TrainConfig.of(values | {"options": kept})

    def setup(self, scenario: str, registry: Registry) -> Setup:
        """Return which scenes are held out."""
        options = options_of(self.options, "scenario", scenario)
        made = registry.create("scenario", scenario, **options)
        return Setup(made, self.snr_db, self.sources, self.trials, self.seed)


@dataclass(frozen=True)
class Entry:
    """One training of a contest."""

    scenario: str
    seed: int
    arm: Arm

    @property
    def key(self) -> str:
        """What the journal knows it by, and its folder."""
        loss = self.arm.loss.replace("/", "-").replace(",", "+")
        cut = "".join(f"-{name}-detached" for name in self.arm.detached).replace("/", "-")
        return f"{self.scenario.replace('/', '-')}-{loss}{cut}-seed{self.seed}"


def entries(scenarios: Sequence[str], seeds: Sequence[int], arms: Sequence[Arm]) -> list[Entry]:
    """Return the trainings in order: all arms of a seed, then the next seed."""
    return [Entry(*each) for each in product(scenarios, seeds, arms)]


def check_contest(contest: Contest, todo: Sequence[Entry], registry: Registry) -> None:
    """Make everything that the trainings and trials name, before hours are spent on them.

    Raises:
        InputError: for a name or an option that cannot be, or scenes that a scenario cannot draw.
    """
    for name in contest.chain:
        registry.create("backend", name, **options_of(contest.options, "backend", name))
    for entry in {(each.scenario, each.arm): each for each in todo}.values():
        Experiment.of(contest.config(entry), registry)
    for scenario in {entry.scenario for entry in todo}:
        setup = contest.setup(scenario, registry)
        for sources, snr_db in product(contest.sources, contest.snr_db):
            setup.scenario.sample(1, torch.Generator(), sources=sources, snr_db=snr_db)


def run_contest(
    contest: Contest,
    todo: Sequence[Entry],
    folder: Path,
    journal: Journal,
    budget: Budget,
    discover: Callable[[], Registry],
    progress: Progress | None = None,
) -> None:
    """Train and try what the journal lacks, as far as the budget goes.

    A training that the budget or a kill ends goes on from its last state the next time.

    Args:
        contest: What all share.
        todo: The trainings.
        folder: Where their run directories are.
        journal: Gets a record of each by :attr:`Entry.key`.
        budget: Of all together, trials included.
        discover: Makes the registry of a training, which then knows what it used itself.
        progress: Told steps done and steps in all.

    Raises:
        InputError: for a name or an option that cannot be, or a run directory of another training.
    """
    for number, entry in enumerate(todo):
        if entry.key in journal:
            continue
        if not budget.allows_another():
            return
        watch = _Watch(budget, number * contest.steps, len(todo) * contest.steps, progress)
        try:
            record = _outcome(contest, entry, folder / entry.key, discover(), watch)
        except BudgetSpentError:
            return
        journal.add(entry.key, record)
        log.info("%s: %.0f s of processor time so far", entry.key, budget.spent)


@dataclass(frozen=True)
class _Watch:
    """Counts the steps of one training among those of all, and ends it where the budget does."""

    budget: Budget
    before: int
    total: int
    progress: Progress | None

    def __call__(self, step: int, _steps: int) -> None:
        """Hear of a step.

        Raises:
            BudgetSpentError: where the budget is spent.
        """
        if self.progress is not None:
            self.progress(self.before + step, self.total)
        if self.budget.spent > self.budget.seconds:
            raise BudgetSpentError


def _outcome(
    contest: Contest, entry: Entry, path: Path, registry: Registry, progress: Progress
) -> dict[str, Any]:
    """Train if that is not done yet, try the network, and return the record of both."""
    begun = time.process_time()
    whole = _trained(contest.config(entry), path, registry, progress)
    seconds = time.process_time() - begun
    run = RunDirectory.existing(path)
    summary = run.summary() or {}
    for state in run.states():
        state.unlink()
        state.with_suffix(".json").unlink(missing_ok=True)
    return {
        "cpu_seconds": round(seconds, 3) if whole else None,
        "data_model": summary["data_model"],
        "steering": summary["steering"],
        "steps": summary["steps"],
        "skipped": summary["skipped"],
        "weights": digest(run.best()),
        "points": tried(contest, entry.scenario, path, registry),
    }


def _trained(config: TrainConfig, path: Path, registry: Registry, progress: Progress) -> bool:
    """Train, or go on with a training; return whether it was done in one go.

    Raises:
        InputError: if the folder holds another training.
    """
    if not (path / "plugins.json").exists():  # killed before it was described, or not begun
        for name in ("config.toml", "environment.json"):
            (path / name).unlink(missing_ok=True)
        run_training(config, registry, path, progress)
        return True
    asked = Experiment.of(config, registry).config.text()
    if (path / "config.toml").read_text("utf-8") != asked:
        raise InputError(f"{path} holds another training", "give another --out, or remove it")
    resume_training(path, registry, progress)
    return False


def digest(checkpoint: Path) -> str:
    """Return a digest of the weights in a checkpoint."""
    state = hashlib.sha256()
    for name, value in sorted(read_checkpoint(checkpoint)[0].items()):
        if name.startswith(WEIGHTS):
            state.update(name.encode() + b"\0" + value.cpu().numpy().tobytes())
    return state.hexdigest()[:16]


FIELDS = ("sources", "outliers", "angle", "inverse_range", "nmse", "projection")
"""Of a scene: sources; outliers among them; Σψ² [deg²] and Σ(Δ1/r)² [1/m²] of the inliers; NMSE;
projection loss."""


def tried(contest: Contest, scenario: str, run: Path, registry: Registry) -> list[dict[str, Any]]:
    """Return the fields of every held-out scene, point by point.

    The network's covariance goes through the chain; its losses are those of R itself.
    """
    settings = {name: dict(options) for name, options in contest.options.items()}
    chain = build_chain(
        registry, model=contest.model, chain=contest.chain, settings=settings, checkpoint=run
    )
    setup = contest.setup(scenario, registry)
    points = []
    for sources, snr_db in product(contest.sources, contest.snr_db):
        parts = [_fields(chain, *drawn) for drawn in setup.chunks(snr_db, sources)]
        scenes = torch.cat(parts).tolist()
        points.append({"sources": sources, "snr_db": snr_db, "scenes": scenes})
    return points


def _fields(chain: Chain, problem: Problem, truth: Truth) -> Tensor:
    """Return ``FIELDS`` of every scene, (S, 6)."""
    assert isinstance(chain.model, LearnedModel)
    scores = Scores.of(truth, chain(problem))
    inlier = scores.inlier
    squares = torch.stack((scores.angle, scores.errors[..., 3]), -1).square()
    sums = torch.where(inlier.unsqueeze(-1), squares, 0.0).sum(1)
    counts = torch.stack((scores.mask.sum(-1), (scores.mask & ~inlier).sum(-1)), -1)
    losses = figures(chain.model, [truth.to(dtype=torch.complex64)])
    pair = torch.from_numpy(np.stack((losses["nmse"], losses["gt-projection"]), -1))
    return torch.cat((counts.double(), sums.double(), pair), -1)
