"""The bias of estimates at fixed places, with an exact model in the end and without.

Data come by a scenario's own model (exact, as ``spherical``), one source at a fixed place; sensing,
signals and noise are drawn anew for every draw, as the scenario draws them. Estimated is

- *polished*: searched under the model that the scenario tells estimators (approximate), and from
  there on descended under the one that makes the data. Near the array the approximation may lead
  astray, so that the starts of a search under the exact model race with this one;
- *approximate*: the approximate model throughout, beside the pseudo-true bias that is *predicted*.

Biases are means over the inliers of *polished*, and medians of the other two, which may jump from
one minimum to another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from risdoa import bounds
from risdoa.backends.nf_mle import NfMle
from risdoa.bounds.pseudo_true import around
from risdoa.conventions import to_radians
from risdoa.evaluation.comparison import CHUNK, point_seed
from risdoa.evaluation.journal import Journal
from risdoa.evaluation.limits import bound_of
from risdoa.evaluation.metrics import Reference, Scores
from risdoa.frozen import changed
from risdoa.problem import Estimates, Truth
from risdoa.scenarios.base import Scenario
from risdoa.scenarios.simulation import simulate
from risdoa.steering.base import Steering

DIRECTIONS = ((0.0, 0.0), (30.0, 15.0), (-45.0, 10.0), (15.0, -25.0), (-55.0, -5.0))
"""Azimuth and elevation in degrees."""
PREDICTED = CHUNK
"""Draws over which the pseudo-true bias is predicted."""
SHOWN = (0, 1, 2, 3)
"""Azimuth, elevation, range and inverse range among the errors of scores."""
NAMES = ("azimuth_deg", "elevation_deg", "range_m", "inverse_range_per_m")
FIGURES = ("polished", "approximate", "predicted", "sqrt_crb")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Setting:
    """What is drawn and how it is estimated.

    Attributes:
        exact: The model that makes the data. approximate: the one that estimators are told.
    """

    scenario: Scenario
    exact: Steering
    approximate: Steering
    backend: NfMle
    snr_db: float
    draws: int
    seed: int


@dataclass(frozen=True)
class BiasCell:
    """One place.

    Shapes:
        place: (3,) deg, deg, m. polished, approximate, predicted, sqrt_crb: (4,) of azimuth and
        elevation [deg], range [m] and inverse range [1/m]. outliers: draws of *polished* more than
        5° off.
    """

    place: tuple[float, float, float]
    draws: int
    outliers: int
    polished: Tensor
    approximate: Tensor
    predicted: Tensor
    sqrt_crb: Tensor

    def worst(self) -> float:
        """Return the largest |bias|/√CRB of *polished* in azimuth, elevation and 1/r.

        Not a number where all draws are outliers.
        """
        return float((self.polished / self.sqrt_crb)[[0, 1, 3]].abs().amax())

    def row(self) -> dict[str, object]:
        """Return one row of ``risdoa.bias/1``."""
        row: dict[str, object] = dict(zip(NAMES, self.place, strict=False))
        row |= {"draws": self.draws, "outliers": self.outliers}
        for figure in FIGURES:
            values = getattr(self, figure).tolist()
            known = [value if math.isfinite(value) else None for value in values]
            row[figure] = dict(zip(NAMES, known, strict=True))
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the place whose row this is."""
        azimuth, elevation, distance = (float(row[name]) for name in NAMES[:3])
        every = [
            [math.nan if row[figure][name] is None else row[figure][name] for name in NAMES]
            for figure in FIGURES
        ]
        figures = torch.tensor(every, dtype=torch.float64)
        return cls((azimuth, elevation, distance), row["draws"], row["outliers"], *figures)


def biases(
    setting: Setting,
    ranges: Sequence[float],
    journal: Journal,
    progress: Progress | None = None,
) -> list[BiasCell]:
    """Return the biases at every range in every direction, those of the journal included."""
    places = [(*direction, distance) for distance in ranges for direction in DIRECTIONS]
    for index, place in enumerate(places):
        if _key(place) not in journal:
            journal.add(_key(place), _cell(setting, place, index).row())
        if progress is not None:
            progress(index + 1, len(places))
    return [BiasCell.from_row(journal.records[_key(place)]) for place in places]


def _key(place: tuple[float, float, float]) -> str:
    return " ".join(f"{name}={value:g}" for name, value in zip(NAMES, place, strict=False))


def _cell(setting: Setting, place: tuple[float, float, float], index: int) -> BiasCell:
    errors, wrong, predicted, variances = [], [], [], []
    for chunk in range(-(-setting.draws // CHUNK)):
        truth = _drawn(setting, place, index, chunk)
        told = changed(truth.problem, steering=setting.approximate)
        first = setting.backend(told, None, None)
        exact = Scores.of(truth, setting.backend(truth.problem, None, first))
        errors.append(torch.where(exact.inlier.unsqueeze(-1), exact.errors, torch.nan))
        wrong.append(Scores.of(truth, first).errors)
        variances.append(Reference.of(truth, bound_of(truth, "auto")[1]).variances)
        if chunk * CHUNK < PREDICTED:
            ends = bounds.pseudo_true(truth, setting.approximate).positions
            predicted.append(Scores.of(truth, Estimates.at(ends, ends.new_zeros(len(ends)))).errors)
    every = torch.cat(errors)[:, 0, SHOWN]
    return BiasCell(
        place,
        len(every),
        int(every[:, 0].isnan().sum()),
        every.nanmean(0),
        torch.cat(wrong)[:, 0, SHOWN].median(0).values,
        torch.cat(predicted)[:, 0, SHOWN].median(0).values,
        torch.cat(variances)[:, 0, SHOWN].mean(0).sqrt(),
    )


def _drawn(setting: Setting, place: tuple[float, float, float], index: int, chunk: int) -> Truth:
    """Return draws of a source at a place, told the exact model and a region with room around."""
    count = min(CHUNK, setting.draws - chunk * CHUNK)
    generator = torch.Generator().manual_seed(
        point_seed(setting.seed, setting.snr_db, index, chunk)
    )
    problem, truth = setting.scenario.sample(CHUNK, generator, sources=1, snr_db=setting.snr_db)
    positions = to_radians(torch.tensor(place, dtype=torch.float64)).expand_as(truth.positions)
    snapshots, signals = simulate(
        positions=positions,
        powers=truth.powers,
        array=problem.array,
        steering=setting.exact,
        sensing=problem.snapshots.sensing,
        snr_db=torch.full((CHUNK,), setting.snr_db, dtype=torch.float64),
        snapshots=problem.snapshots.count,
        generator=generator,
        blocks=problem.snapshots.blocks,
    )
    exact = changed(problem, snapshots=snapshots, steering=setting.exact, region=around(problem))
    drawn = Truth.of(positions, truth.mask, truth.powers, exact, signals)
    return drawn.select(torch.arange(count))
