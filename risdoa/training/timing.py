"""What the time of a training step goes into."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from statistics import median

import torch

from risdoa.training.experiment import Experiment
from risdoa.training.loop import training_step

PHASES = ("data", "forward", "loss", "backward", "optimizer")
"""Scenes drawn; network; loss of its covariance; gradients; unscaling, norms, clipping, update."""

WARM_UP = 2
"""Steps before the first that is timed: memory is fetched and code loaded in them."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Phase:
    """One phase of a step.

    Attributes:
        seconds: Median over the steps.
        cpu_seconds: Time of all processor cores in it, the median; waiting threads count.
        share: Of the sum of the medians of all phases.
    """

    name: str
    seconds: float
    cpu_seconds: float
    share: float


@dataclass
class Stopwatch:
    """Takes the time of every phase of every step, waiting for an accelerator to be done."""

    device: str
    wall: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def start(self) -> None:
        """Begin a step."""
        self._last = self._now()

    def lap(self, name: str) -> None:
        """End a phase."""
        now = self._now()
        self.wall.setdefault(name, []).append(now[0] - self._last[0])
        self.cpu.setdefault(name, []).append(now[1] - self._last[1])
        self._last = now

    def medians(self, draws: int) -> tuple[dict[str, float], dict[str, float]]:
        """Return wall and CPU time of the phases of a step, all but the last in ``draws`` parts."""
        parts = {name: 1 if name == PHASES[-1] else draws for name in PHASES}
        wall = {name: parts[name] * median(self.wall[name]) for name in PHASES}
        cpu = {name: parts[name] * median(self.cpu[name]) for name in PHASES}
        return wall, cpu

    def _now(self) -> tuple[float, float]:
        if torch.device(self.device).type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter(), time.process_time()


def step_split(experiment: Experiment, steps: int, progress: Progress | None = None) -> list[Phase]:
    """Time the phases of training steps, each on a batch of its own."""
    config = experiment.config
    step = training_step(experiment, WARM_UP + steps)
    watch = Stopwatch(config.device)
    experiment.model.train()
    for index in range(WARM_UP + steps):
        if index == WARM_UP:
            step.lap = watch.lap
        watch.start()
        step(*(partial(experiment.scenes.batch, index, draw) for draw in range(config.draws)))
        if progress is not None:
            progress(index + 1, WARM_UP + steps)
    wall, cpu = watch.medians(config.draws)
    total = sum(wall.values())
    return [Phase(name, wall[name], cpu[name], wall[name] / total) for name in PHASES]
