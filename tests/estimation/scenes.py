"""Small scenes with known truth, for everything that estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import COORDINATES
from risdoa.problem import Problem, Truth
from risdoa.scenarios.simulation import simulate
from risdoa.sensing import Direct, Sensing
from risdoa.steering.base import Steering
from risdoa.steering.spherical import Spherical
from tests.draws import coded, generator

NOISELESS_DB = 200.0
"""An SNR at which the noise is at the rounding level of double precision."""


@dataclass(frozen=True)
class Scene:
    """A problem with its truth."""

    problem: Problem
    truth: Truth


REGION = torch.tensor([[-1.0, 1.0], [-0.5, 0.5], [0.5, 10.0]], dtype=torch.float64)
PLACES = torch.tensor([[-0.5, 0.1, 2.0], [0.45, -0.2, 4.0], [0.0, 0.3, 1.2]], dtype=torch.float64)
"""Three sources that a 6 x 6 array at half of 0.3 m tells apart easily."""


def region_with(**bounds: tuple[float, float]) -> Tensor:
    """Return the region with other bounds on the named coordinates."""
    region = REGION.clone()
    for name, values in bounds.items():
        region[COORDINATES.index(name)] = torch.tensor(values, dtype=torch.float64)
    return region


def scene(
    sources: int = 1,
    *,
    seed: int = 0,
    scenes: int = 1,
    direct: bool = False,
    blocks: Sequence[int] | None = None,
    snr_db: float = NOISELESS_DB,
    array: Array | None = None,
    steering: Steering | None = None,
    places: Tensor | None = None,
    region: Tensor | None = None,
    snapshots: int = 8,
    outputs: int = 8,
    powers: Tensor | None = None,
) -> Scene:
    """Return scenes with sources at ``places`` (K, 3) or (S, K, 3), coded unless ``direct``.

    ``blocks`` are the labels of the snapshots that share a signal, one for all being static.
    """
    array = array or Array.planar(6, 6, 0.3)
    steering = steering or Spherical()
    places = PLACES[:sources] if places is None else places
    places = places.expand(scenes, *places.shape[-2:]).contiguous()
    mask = torch.ones(places.shape[:2], dtype=torch.bool)
    sensing: Sensing = (
        Direct() if direct else coded(array.count, outputs, snapshots, seed + 10, scenes)
    )
    powers = torch.ones_like(places[..., 0]) if powers is None else powers.expand(mask.shape)
    taken, signals = simulate(
        positions=places,
        powers=powers,
        array=array,
        steering=steering,
        sensing=sensing,
        snr_db=torch.full((scenes,), snr_db, dtype=torch.float64),
        snapshots=snapshots,
        generator=generator(seed),
        blocks=None if blocks is None else torch.tensor(blocks),
    )
    counts = mask.sum(-1)
    problem = Problem(taken, array, steering, REGION if region is None else region, counts)
    return Scene(problem, Truth.of(places, mask, powers, problem, signals))


SHARING = {"fresh": None, "blocks": [0, 0, 1, 1, 2, 2, 3, 3], "static": [5] * 8}
"""Which of 8 snapshots share a source signal."""
