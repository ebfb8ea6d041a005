"""Scenes with known sources, and covariances to judge: what losses are checked on.

Everything is deterministic, and ordered from small to large.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.covariance import Covariance
from risdoa.problem import Problem, Truth
from risdoa.sensing import Direct
from risdoa.snapshots import Snapshots
from risdoa.steering.base import Steering
from risdoa.steering.spherical import Spherical

SMALL = Array.planar(3, 2, 0.3)
SQUARE = Array.planar(4, 4, 0.3)
REGION = torch.tensor([[-1.0, 1.0], [-0.5, 0.5], [0.5, 10.0]], dtype=torch.float64)

NOISE_POWER = 0.1

# Sources half a beam apart along u or v, so that 4 x 4 elements tell all five apart.
_U = torch.tensor([-0.5, 0.0, 0.5, -0.45, 0.45], dtype=torch.float64)
_V = torch.tensor([-0.25, 0.2, -0.2, 0.3, 0.28], dtype=torch.float64)
_RANGE = torch.tensor([1.5, 2.5, 1.1, 4.0, 2.0], dtype=torch.float64)
_POWERS = torch.tensor([1.0, 0.8, 0.6, 0.9, 0.7], dtype=torch.float64)


@dataclass(frozen=True)
class Scenes:
    """The truth of some scenes, and what failures call them."""

    name: str
    truth: Truth

    @property
    def count(self) -> int:
        """The number of scenes S."""
        return self.truth.problem.scenes

    @property
    def elements(self) -> int:
        """The number of elements N."""
        return self.truth.problem.array.count

    @property
    def most(self) -> int:
        """The largest number of sources in a scene."""
        return int(self.truth.mask.sum(-1).max())


def scenes(name: str, array: Array, *sources: int, steering: Steering | None = None) -> Scenes:
    """Return one scene for every number of sources.

    Their snapshots are such that the sample covariance is A P Aᴴ + σ²I to rounding.
    """
    count, width = len(sources), max(sources)
    turn = torch.arange(count, dtype=torch.float64).unsqueeze(-1)  # no two scenes are alike
    azimuth_cosine, elevation = _U[:width] + 0.02 * turn, torch.asin(_V[:width] - 0.03 * turn)
    azimuth = torch.asin(azimuth_cosine / torch.cos(elevation))
    distance = (_RANGE[:width] * 1.1**turn).expand(count, width)
    positions = torch.stack((azimuth, elevation, distance), -1)
    mask = torch.arange(width) < torch.tensor(sources).unsqueeze(-1)
    model = Spherical() if steering is None else steering
    return Scenes(name, _truth(array, model, positions, mask, _POWERS[:width].expand(count, width)))


def small() -> Scenes:
    """Return the smallest scenes: one source, six elements."""
    return scenes("1 scene, 1 source, 3 x 2 elements", SMALL, 1)


def mixed() -> Scenes:
    """Return three scenes of 1 to 3 sources."""
    return scenes("3 scenes of 2, 1 and 3 sources, 4 x 4 elements", SQUARE, 2, 1, 3)


def every() -> Iterator[Scenes]:
    """Yield scenes of all sorts."""
    yield small()
    yield scenes("1 scene, 2 sources, 4 x 4 elements", SQUARE, 2)
    yield mixed()
    yield own_arrays()
    yield scenes("1 scene, 5 sources, 4 x 4 elements", SQUARE, 5)


def own_arrays() -> Scenes:
    """Return two scenes with arrays of their own."""
    sizes = torch.tensor([1.0, 0.9], dtype=torch.float64)[:, None, None]
    array = Array(SQUARE.positions * sizes, SQUARE.wavelength)
    return scenes("2 scenes of 2 sources, 4 x 4 elements in 2 sizes", array, 2, 2)


def moved(each: Scenes) -> Truth:
    """Return the truth if the sources stood half a beam from where they are."""
    offset = torch.tensor([0.25, -0.2, 0.3], dtype=torch.float64)
    return relocated(each.truth, each.truth.positions + offset)


def relocated(truth: Truth, positions: Tensor) -> Truth:
    """Return the truth of the same problem with the sources elsewhere."""
    return Truth.of(positions, truth.mask, truth.powers, truth.problem, truth.signals)


def alone(truth: Truth, scene: int) -> Truth:
    """Return one scene without its masked entries."""
    one = truth.select(torch.tensor([scene]))
    kept = one.mask[0]
    signals = None if one.signals is None else one.signals[..., kept]
    return Truth.of(
        one.positions[:, kept], one.mask[:, kept], one.powers[:, kept], one.problem, signals
    )


def without(truth: Truth, source: int) -> Covariance:
    """Return R_true without one source."""
    factor = truth.covariance.factor.clone()
    factor[..., source] = 0
    return Covariance(factor)


def drawn(each: Scenes, width: int = 6, load: float | None = None, seed: int = 0) -> Covariance:
    """Return random covariances with tr R = tr R_true."""
    shape = (each.count, each.elements, width)
    generator = torch.Generator().manual_seed(seed)
    factor = torch.randn(shape, dtype=torch.complex128, generator=generator)
    loads = None if load is None else torch.full(shape[:1], load * width, dtype=torch.float64)
    return scaled_like(Covariance(factor, loads), each.truth)


def scaled_like(covariance: Covariance, truth: Truth) -> Covariance:
    """Return R with the trace of R_true."""
    return covariance.scaled(truth.covariance.trace() / covariance.trace())


def covariances(each: Scenes) -> Iterator[tuple[str, Covariance]]:
    """Yield covariances of all sorts, with their names."""
    if each.most == 1:
        yield "R of rank 1", drawn(each, 1)
    yield "R of width 6", drawn(each)
    yield "R wider than the array", drawn(each, each.elements + 4)
    yield "R with a load", drawn(each, 6, load=0.1)
    yield "R = R_true", each.truth.covariance
    yield "R = I", white(each)
    yield "R times 1e-6", drawn(each).scaled(torch.tensor(1e-6, dtype=torch.float64))
    yield "R times 1e6", drawn(each).scaled(torch.tensor(1e6, dtype=torch.float64))


def white(each: Scenes) -> Covariance:
    """Return R = I with the trace of R_true."""
    eye = torch.eye(each.elements, dtype=torch.complex128)
    return scaled_like(Covariance(eye.repeat(each.count, 1, 1)), each.truth)


def single(covariance: Covariance) -> Covariance:
    """Return R in single precision."""
    load = covariance.load
    return Covariance(
        covariance.factor.to(torch.complex64), None if load is None else load.to(torch.float32)
    )


def _truth(
    array: Array, steering: Steering, positions: Tensor, mask: Tensor, powers: Tensor
) -> Truth:
    """Return the truth whose snapshots have the sample covariance A P Aᴴ + σ²I."""
    powers = torch.where(mask, powers, 0.0)
    count, width = mask.shape
    rows = _orthogonal_rows(width + array.count, 32)
    signals = (powers.sqrt().unsqueeze(-1) * rows[:width]).mT
    noise = (NOISE_POWER**0.5 * rows[width:]).mT
    field = signals @ steering(array, positions).mT + noise
    noise_power = torch.full((count,), NOISE_POWER, dtype=torch.float64)
    snapshots = Snapshots(field, Direct(), noise_power=noise_power)
    problem = Problem(snapshots, array, steering, REGION, mask.sum(-1))
    return Truth.of(positions, mask, powers, problem, signals)


def _orthogonal_rows(count: int, length: int) -> Tensor:
    """Return rows of a Fourier matrix, (count, length), with W Wᴴ/length = I."""
    row, column = (torch.arange(n, dtype=torch.float64) for n in (count, length))
    phase = torch.outer(row, column) * (2 * math.pi / length)
    return torch.polar(torch.ones_like(phase), phase)


def with_steering(truth: Truth, steering: Steering) -> Truth:
    """Return the truth of the same scene under another steering model."""
    problem = replace(truth.problem, steering=steering)
    return Truth.of(truth.positions, truth.mask, truth.powers, problem, truth.signals)


def padded(truth: Truth, filler: Sequence[float]) -> Truth:
    """Return the truth with an entry more for every scene, and this position where masked."""
    count = truth.mask.shape[0]
    spare = truth.positions.new_tensor(filler)
    mask = torch.cat((truth.mask, torch.zeros((count, 1), dtype=torch.bool)), -1)
    positions = torch.cat((truth.positions, spare.expand(count, 1, 3)), 1)
    positions = torch.where(mask.unsqueeze(-1), positions, spare)
    powers = torch.nn.functional.pad(truth.powers, (0, 1))
    signals = truth.signals
    if signals is not None:
        signals = torch.nn.functional.pad(signals, (0, 1))
    return Truth.of(positions, mask, powers, truth.problem, signals)
