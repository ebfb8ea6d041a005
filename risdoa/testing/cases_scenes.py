"""Small scenes with known truth: what backends, models and scenarios are checked on.

Everything is deterministic, and ordered from small to large.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import permutations

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import direction_cosines
from risdoa.covariance import Covariance
from risdoa.grid import resolution
from risdoa.models.sample import Sample
from risdoa.problem import Estimates, Problem, Truth
from risdoa.scenarios.draws import complex_normal, uniform
from risdoa.scenarios.simulation import simulate
from risdoa.sensing import Direct, RisCoded, Sensing
from risdoa.steering.base import Steering
from risdoa.steering.canonical import Canonical
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical

NOISELESS_DB = 200.0
"""An SNR at which the noise is at the rounding level of double precision."""


def generator(seed: int) -> torch.Generator:
    """Return a generator with a seed."""
    return torch.Generator().manual_seed(seed)


def tensor(values: Sequence[Sequence[float]]) -> Tensor:
    """Return rows of numbers in double precision."""
    return torch.tensor(values, dtype=torch.float64)


@dataclass(frozen=True)
class Scene:
    """Problems with their truth and a covariance, and what to call them in a failure."""

    name: str
    problem: Problem
    truth: Truth
    covariance: Covariance

    def select(self, *scenes: int) -> Scene:
        """Return the chosen scenes."""
        index = torch.tensor(scenes)
        return Scene(
            self.name,
            self.problem.select(index),
            self.truth.select(index),
            self.covariance.select(index),
        )

    def with_sources(self, *sources: int) -> Scene:
        """Return the scenes with other numbers of sources for the estimator to look for."""
        counts = torch.tensor(sources).expand(self.problem.scenes)
        return replace(self, problem=replace(self.problem, sources=counts))


@dataclass(frozen=True)
class Setting:
    """An array, how it is read, and sources that it tells apart easily.

    Shapes:
        region: (3, 2) rad, rad, m. places: (K, 3) rad, rad, m.
    """

    name: str
    array: Array
    steering: Steering
    region: Tensor
    places: Tensor
    coded: bool = False

    @cached_property
    def widths(self) -> Tensor:
        """The −3 dB half-widths along u, v and w = 1/r, inf where nothing is resolved, (3,)."""
        found = resolution(self.array, self.region)
        return tensor([[found.azimuth, found.elevation, found.inverse_range]])[0]

    def scene(
        self,
        sources: int,
        *,
        scenes: int = 1,
        snapshots: int = 8,
        snr_db: float = NOISELESS_DB,
        seed: int = 0,
        places: Tensor | None = None,
        blocks: Tensor | None = None,
    ) -> Scene:
        """Return scenes with the first sources of the setting, or others at ``places``.

        The covariance is the true one without noise, and the classical one, if any, with it.

        Shapes:
            places: (K, 3) or (S, K, 3) rad, rad, m. blocks: (L,) labels.
        """
        where = self.places[:sources] if places is None else places
        where = where.expand(scenes, *where.shape[-2:]).contiguous()
        mask = torch.ones(where.shape[:2], dtype=torch.bool)
        powers = mask.to(torch.float64)
        taken, signals = simulate(
            positions=where,
            powers=powers,
            array=self.array,
            steering=self.steering,
            sensing=self._sensing(scenes, snapshots, seed),
            snr_db=torch.full((scenes,), snr_db, dtype=torch.float64),
            snapshots=snapshots,
            generator=generator(seed),
            blocks=blocks,
        )
        problem = Problem(taken, self.array, self.steering, self.region, mask.sum(-1))
        truth = Truth.of(where, mask, powers, problem, signals)
        exact = snr_db >= NOISELESS_DB or not Sample().supports(problem)
        covariance = truth.covariance if exact else Sample()(problem)
        return Scene(self._named(sources, scenes, snr_db), problem, truth, covariance)

    def _named(self, sources: int, scenes: int, snr_db: float) -> str:
        """Return what a failure calls the scenes."""
        name = f"{counted(sources, 'source')}, {self.name}"
        if snr_db < NOISELESS_DB:
            name += f", {snr_db:g} dB"
        return f"{name}, {scenes} scenes" if scenes > 1 else name

    def _sensing(self, scenes: int, snapshots: int, seed: int) -> Sensing:
        """Return a random channel to 8 outputs with random codes, or none."""
        if not self.coded:
            return Direct()
        drawn = generator(seed + 1000)
        shape = (scenes, 8 + snapshots, self.array.count)
        channel, codes = complex_normal(shape, drawn).split((8, snapshots), dim=1)
        return RisCoded(channel, codes)

    def jittered(self, sources: int, scenes: int, seed: int = 0) -> Tensor:
        """Return the places moved by up to a third of a half-width, new in every scene, (S, K, 3).

        So far they still are told apart, and lie at random between the points of any grid.
        """
        step = torch.where(self.widths.isfinite(), self.widths / 3, 0.0)
        moves = uniform((scenes, sources, 3), -1.0, 1.0, generator(seed)) * step
        moves[..., 2] *= -(self.places[:sources, 2] ** 2)  # Δr = -r² Δw
        moved = self.places[:sources] + moves * (self.region[:, 1] > self.region[:, 0])
        return moved.clamp(self.region[:, 0], self.region[:, 1])


_NEAR = tensor([[-1.0, 1.0], [-0.5, 0.5], [0.5, 10.0]])
_PLACES = tensor([[-0.5, 0.1, 2.0], [0.45, -0.2, 4.0], [0.0, 0.3, 1.2], [0.8, 0.35, 1.6]])
_DISTANT = 1000.0
_SQUARE = Array.planar(6, 6, 0.3)


def _distant(bounds: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Return a region and places with the range held at a kilometre."""
    bounds, places = bounds.clone(), places.clone()
    bounds[2], places[:, 2] = _DISTANT, _DISTANT
    return bounds, places


_LINE = (
    tensor([[-1.0, 1.0], [0.0, 0.0], [_DISTANT, _DISTANT]]),
    tensor([[-0.7, 0.0, _DISTANT], [0.05, 0.0, _DISTANT], [0.8, 0.0, _DISTANT]]),
)
_FAR = _distant(_NEAR, _PLACES)
_READ = "36 elements in a square, read directly"
_CODED = "36 elements in a square behind a surface with 8 outputs"

LINE = Setting("4 elements in a line, read directly", Array.linear(4, 0.3), Spherical(), *_LINE)
SQUARE = Setting(_READ, _SQUARE, Spherical(), _NEAR, _PLACES)
SURFACE = Setting(_CODED, _SQUARE, Spherical(), _NEAR, _PLACES, coded=True)
NEAR = (LINE, SQUARE, SURFACE)

SEPARABLE = tuple(
    replace(each, steering=Canonical(), name=f"{each.name}, canonical steering") for each in NEAR
)
FAR = (
    replace(LINE, steering=PlaneWave(), name=f"{LINE.name}, plane waves"),
    Setting(f"{_READ}, plane waves", _SQUARE, PlaneWave(), *_FAR),
    Setting(f"{_CODED}, plane waves", _SQUARE, PlaneWave(), *_FAR, coded=True),
)
BLIND = replace(SQUARE, steering=PlaneWave(), name=f"{_READ}, plane waves, range free")


def counted(number: int, what: str) -> str:
    """Return a number with its noun: ``1 source``, ``2 sources``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def noiseless(settings: Sequence[Setting]) -> Iterator[Scene]:
    """Yield scenes without noise: every number of sources before one array after the other."""
    for setting in settings:
        most = setting.scene(1).problem.most_sources()
        for sources in range(1, min(most, len(setting.places)) + 1):
            yield setting.scene(sources)


def deviation(setting: Setting, found: Tensor, places: Tensor) -> Tensor:
    """Return the largest error in u, v or w in −3 dB half-widths, in the best order, (S,).

    Shapes:
        found, places: (S, K, 3) rad, rad, m.
    """
    return _every_order(setting, found, places)[1].amin(0)


def in_order(setting: Setting, found: Tensor, places: Tensor) -> Tensor:
    """Return for every place which of the found sources is its own, (S, K) indices."""
    orders, errors = _every_order(setting, found, places)
    return orders[errors.argmin(0)]


def _every_order(setting: Setting, found: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Return all orders (K!, K), and the largest error in each, (K!, S)."""
    orders = torch.tensor(list(permutations(range(places.shape[1]))))
    off = (_searched(found)[:, orders] - _searched(places).unsqueeze(1)).abs() / setting.widths
    return orders, off.amax((-2, -1)).T


def _searched(positions: Tensor) -> Tensor:
    """Return (u, v, w) of positions in double precision."""
    azimuth, elevation, distance = positions.to(torch.float64).unbind(-1)
    u, v, _ = direction_cosines(azimuth, elevation)
    return torch.stack((u, v, distance.reciprocal()), dim=-1)


def near_truth(setting: Setting, scene: Scene) -> Estimates:
    """Return a start a quarter of a half-width beside the truth along every free coordinate."""
    step = torch.where(setting.widths.isfinite(), setting.widths / 4, 0.0)
    places = scene.truth.positions
    step = step.expand_as(places).clone()
    step[..., 2] *= places[..., 2] ** 2
    beside = places + step * scene.problem.free
    low, high = scene.problem.region.unbind(-1)
    return Estimates.at(beside.clamp(low, high), torch.zeros(len(places), dtype=torch.float64))
