"""Scenes for training, validation and the last table, each a function of the seed and its place.

Batch n of a training is drawn from generators of its own, so that a training goes on from any step
and several processes draw parts of one batch without knowing of each other.
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from risdoa.errors import InputError
from risdoa.problem import Truth
from risdoa.reading import read_recording
from risdoa.registry import Registry
from risdoa.scenarios.base import Scenario
from risdoa.steering.base import Steering
from risdoa.training.config import TrainConfig

PART = 10
"""Scenes of a validation or of the last table that are drawn at once: a scenario that draws one
kind of scenes at a time shows all its kinds then."""


class Stream(IntEnum):
    """What a stream of random numbers is for; streams of one seed do not overlap."""

    WEIGHTS = 0
    TRAINING = 1
    VALIDATION = 2
    HELD_OUT = 3
    SHUFFLE = 4
    BOOTSTRAP = 5
    NETWORK = 6


def stream_seed(seed: int, stream: Stream, *place: int) -> int:
    """Return the seed of a stream, or of a place in it."""
    state = np.random.SeedSequence([seed, int(stream), *place]).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


def generator(config: TrainConfig, stream: Stream, *place: int) -> torch.Generator:
    """Return the generator of a stream, or of a place in it, on the training's device."""
    made = torch.Generator(device=config.device)
    return made.manual_seed(stream_seed(config.seed, stream, *place))


def scenes(scenario: Scenario, config: TrainConfig, count: int, source: torch.Generator) -> Truth:
    """Draw scenes in single precision; the problem is ``truth.problem``."""
    _, truth = scenario.sample(count, source, sources=config.sources, snr_db=config.snr_db)
    return truth.to(config.device, torch.complex64)


class Scenes(Protocol):
    """Where the scenes of a training come from.

    Attributes:
        label: What their data are: the steering model that made them, and what else is off.
    """

    label: str

    def batch(self, step: int, draw: int) -> Truth:
        """Return part ``draw`` of batch ``step``, both counted from 0."""

    def validation(self) -> list[Truth]:
        """Return the scenes that every epoch is validated on, in parts."""

    def held_out(self) -> list[Truth]:
        """Return the scenes of the last table, in parts."""


class Drawn:
    """Scenes drawn on the fly, on the device of the training; none is seen twice."""

    def __init__(self, scenario: Scenario, config: TrainConfig) -> None:
        self.scenario, self.config = scenario, config
        self.label = scenario.data_label

    def batch(self, step: int, draw: int) -> Truth:
        """Return part ``draw`` of batch ``step``; see :class:`Scenes`."""
        config = self.config
        source = generator(config, Stream.TRAINING, step, draw)
        return scenes(self.scenario, config, config.batch_size // config.draws, source)

    def validation(self) -> list[Truth]:
        """Return the validation scenes; see :class:`Scenes`."""
        return self._parts(self.config.validation_scenes, Stream.VALIDATION)

    def held_out(self) -> list[Truth]:
        """Return the scenes of the last table; see :class:`Scenes`."""
        return self._parts(self.config.held_out_scenes, Stream.HELD_OUT)

    def _parts(self, count: int, stream: Stream) -> list[Truth]:
        source = generator(self.config, stream)
        sizes = [len(part) for part in in_parts(torch.arange(count))]
        return [scenes(self.scenario, self.config, size, source) for size in sizes]


class Recorded:
    """Scenes of a recording: the first ones validate, the next are held out, the rest train.

    A pass over the scenes that train takes each once, in an order of its own.

    Raises:
        InputError: if the file lacks the truth, or has too few scenes.
    """

    def __init__(self, truth: Truth, config: TrainConfig, label: str) -> None:
        self.truth, self.config, self.label = truth, config, label
        self.first = config.validation_scenes + config.held_out_scenes
        self.count = truth.problem.scenes - self.first
        self._order = (-1, torch.empty(0, dtype=torch.int64))
        if self.count < config.batch_size:
            raise InputError(
                f"{config.recording} has {truth.problem.scenes} scenes: too few for "
                f"{config.validation_scenes} of validation, {config.held_out_scenes} held out and "
                f"a batch of {config.batch_size}",
                "simulate more, or lower these numbers",
            )

    @classmethod
    def of(cls, config: TrainConfig, steering: Steering, registry: Registry) -> Recorded:
        """Read the recording of a configuration; ``steering`` is what estimators are told."""
        recording = read_recording(Path(str(config.recording)), registry=registry)
        truth = recording.truth(recording.problem(steering))
        label = recording.steering or "measured"
        return cls(truth.to(config.device, torch.complex64), config, label)

    def batch(self, step: int, draw: int) -> Truth:
        """Return part ``draw`` of batch ``step``; see :class:`Scenes`."""
        size = self.config.batch_size // self.config.draws
        start = step * self.config.batch_size + draw * size
        places = [divmod(place, self.count) for place in range(start, start + size)]
        return self._select(
            torch.stack([self.first + self._pass(number)[at] for number, at in places])
        )

    def _pass(self, number: int) -> torch.Tensor:
        """Return the order of a pass, (count,)."""
        if self._order[0] != number:
            seed = stream_seed(self.config.seed, Stream.TRAINING, number)
            order = torch.randperm(self.count, generator=torch.Generator().manual_seed(seed))
            self._order = (number, order)
        return self._order[1]

    def validation(self) -> list[Truth]:
        """Return the first scenes; see :class:`Scenes`."""
        return self._parts(0, self.config.validation_scenes)

    def held_out(self) -> list[Truth]:
        """Return the scenes behind them; see :class:`Scenes`."""
        return self._parts(self.config.validation_scenes, self.config.held_out_scenes)

    def _parts(self, first: int, count: int) -> list[Truth]:
        return [self._select(part) for part in in_parts(torch.arange(first, first + count))]

    def _select(self, places: torch.Tensor) -> Truth:
        return self.truth.select(places.to(self.truth.positions.device))


def in_parts(places: torch.Tensor) -> list[torch.Tensor]:
    """Return places in parts of about ``PART``, none of which holds one scene alone if it can."""
    return list(places.tensor_split(-(-len(places) // PART))) if len(places) else []
