"""Scenes for training, validation and the last table: each a stream of its own from one seed."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import torch

from risdoa.problem import Truth
from risdoa.scenarios.base import Scenario
from risdoa.training.config import TrainConfig


class Stream(IntEnum):
    """What a stream of random numbers is for; streams of one seed do not overlap."""

    WEIGHTS = 0
    TRAINING = 1
    VALIDATION = 2
    HELD_OUT = 3
    SHUFFLE = 4
    BOOTSTRAP = 5


def stream_seed(seed: int, stream: Stream) -> int:
    """Return the seed of a stream."""
    state = np.random.SeedSequence([seed, int(stream)]).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


def generator(config: TrainConfig, stream: Stream) -> torch.Generator:
    """Return the generator of a stream on the training's device."""
    made = torch.Generator(device=config.device)
    return made.manual_seed(stream_seed(config.seed, stream))


def scenes(scenario: Scenario, config: TrainConfig, count: int, source: torch.Generator) -> Truth:
    """Draw scenes in single precision; the problem is ``truth.problem``."""
    _, truth = scenario.sample(count, source, sources=config.sources, snr_db=config.snr_db)
    return truth.to(config.device, torch.complex64)
