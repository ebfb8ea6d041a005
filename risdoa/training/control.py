"""What a trained network must beat on scenes it has not seen: itself untrained, and itself misled.

A network that ignores its input can still lower a loss. So the trained network is compared with the
untrained one, and with itself fed the snapshots of *another* scene beside this scene's codes and
channel; both must be worse, by more than chance.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from risdoa.losses.base import Loss
from risdoa.losses.gt_projection import GtProjection
from risdoa.losses.nmse import Nmse
from risdoa.models.learned import LearnedModel
from risdoa.problem import Problem, Truth
from risdoa.training.data import Stream, stream_seed
from risdoa.training.experiment import Experiment, fresh_model

log = logging.getLogger("risdoa.training")

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over scenes with its bootstrap interval (percentiles, 95 %)."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray[Any, Any], resamples: np.ndarray[Any, Any]) -> Interval:
        """Return the mean of values (S,) and its interval from resampled scenes (B, S)."""
        means = values[resamples].mean(1)
        low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return cls(float(values.mean()), float(low), float(high))

    def record(self) -> dict[str, float | None]:
        """Return the interval as JSON; None for what is not finite."""
        return {name: value if math.isfinite(value) else None for name, value in vars(self).items()}


@dataclass(frozen=True)
class Row:
    """One figure of the trained network and of a control, on the same scenes."""

    figure: str
    control: str
    trained: Interval
    controlled: Interval
    excess: Interval

    @property
    def beaten(self) -> bool:
        """Whether the control is worse beyond its interval."""
        return self.excess.low > 0

    def record(self) -> dict[str, Any]:
        """Return the row as JSON."""
        intervals = {
            name: getattr(self, name).record() for name in ("trained", "controlled", "excess")
        }
        return {"figure": self.figure, "control": self.control, **intervals, "beaten": self.beaten}


def held_out_table(experiment: Experiment) -> list[Row]:
    """Compare the experiment's trained model with its controls on its held-out scenes."""
    config = experiment.config
    parts = experiment.scenes.held_out()
    source = torch.Generator().manual_seed(stream_seed(config.seed, Stream.SHUFFLE))
    shuffled = [shuffle_snapshots(part.problem, source) for part in parts]
    trained = figures(experiment.model, parts)
    controls = {
        "untrained": figures(fresh_model(config, experiment.registry), parts),
        "shuffled": figures(experiment.model, parts, shuffled),
    }
    for name, found in {"trained": trained, **controls}.items():
        lost = int((~np.isfinite(list(found.values())).all(0)).sum())
        if lost:
            total = config.held_out_scenes
            log.warning("warning: %s, R is not finite in %d of %d scenes", name, lost, total)
    return compare(trained, controls, stream_seed(config.seed, Stream.BOOTSTRAP))


def compare(
    trained: Mapping[str, np.ndarray[Any, Any]],
    controls: Mapping[str, Mapping[str, np.ndarray[Any, Any]]],
    seed: int,
) -> list[Row]:
    """Return a row for every figure and control from values (S,) of the same scenes."""
    count = len(next(iter(trained.values())))
    resamples = np.random.default_rng(seed).integers(count, size=(RESAMPLES, count))
    return [
        Row(
            figure,
            control,
            Interval.of(values, resamples),
            Interval.of(controlled[figure], resamples),
            Interval.of(controlled[figure] - values, resamples),
        )
        for figure, values in trained.items()
        for control, controlled in controls.items()
    ]


@torch.no_grad()
def figures(
    model: LearnedModel, parts: Sequence[Truth], shown: Sequence[Problem] | None = None
) -> dict[str, np.ndarray[Any, Any]]:
    """Return NMSE and projection loss of every scene, (S,) each.

    ``shown`` is what the model is shown in place of the problems that the truths belong to.
    """
    losses: dict[str, Loss] = {"nmse": Nmse(), "gt-projection": GtProjection()}
    problems = shown or [part.problem for part in parts]
    values: dict[str, list[torch.Tensor]] = {name: [] for name in losses}
    model.eval()
    for truth, problem in zip(parts, problems, strict=True):
        covariance = model.predict(problem)
        for name, loss in losses.items():
            values[name].append(loss(covariance, truth).cpu())
    return {name: torch.cat(several).double().numpy() for name, several in values.items()}


def shuffle_snapshots(problem: Problem, source: torch.Generator) -> Problem:
    """Return the problem with every scene's snapshots taken from another scene."""
    count = problem.scenes
    order = torch.randperm(count, generator=source)
    other = torch.empty_like(order)
    other[order] = order.roll(1)
    values = problem.snapshots.values
    snapshots = replace(problem.snapshots, values=values[other.to(values.device)])
    return replace(problem, snapshots=snapshots)
