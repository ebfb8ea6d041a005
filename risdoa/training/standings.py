"""How the arms of a contest came out: figures with intervals, and paired differences.

An interval has two parts, added in quadrature: the spread over seeds, by Student's t with one
degree of freedom less than seeds, and that over scenes, from a bootstrap within every point. With
one seed there is the second part alone. All arms of a seed share its scenes and its first weights,
and all seeds share the held-out scenes, so differences are paired in both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from scipy.stats import norm, t

from risdoa.training.arms import Arm
from risdoa.training.contest import FIELDS, Entry
from risdoa.training.control import LEVEL, Interval

RESAMPLES = 1000

Sums = np.ndarray[Any, Any]
"""Sums over scenes: of ``FIELDS``, and the number of scenes, in the last axis."""


FIGURES = ("outlier_rate", "angle_deg", "inverse_range_per_m", "nmse", "projection")
"""Share of the sources that are outliers; RMSE of the inliers' direction and 1/r; mean losses."""


def figures(sums: Sums) -> dict[str, Sums]:
    """Return ``FIGURES`` of sums; not finite where there is no inlier."""
    sources, outliers, angle, inverse, nmse, projection, scenes = np.moveaxis(sums, -1, 0)
    inliers = sources - outliers
    with np.errstate(invalid="ignore", divide="ignore"):
        roots = np.sqrt(angle / inliers), np.sqrt(inverse / inliers)
        values = (outliers / sources, *roots, nmse / scenes, projection / scenes)
    return dict(zip(FIGURES, values, strict=True))


@dataclass(frozen=True)
class Standing:
    """One arm in one scenario.

    Attributes:
        seeds: Those whose trainings are done.
        figures: By name, the mean over the seeds; None where there is no inlier.
        differences: The same minus those of the first arm, over the seeds that both have.
        points: The figures at every number of sources and SNR, without intervals.
        cpu_seconds: Mean of the trainings that were done in one go.
        skipped: Batches without an update, all seeds together.
        digests: Of the weights, by seed.
    """

    scenario: str
    arm: Arm
    data_model: str
    steering: str
    seeds: tuple[int, ...]
    figures: dict[str, Interval | None]
    differences: dict[str, Interval | None]
    points: list[dict[str, Any]]
    cpu_seconds: float | None
    steps: int
    skipped: int
    digests: dict[int, str]


def standings(
    todo: Sequence[Entry], records: Mapping[str, Mapping[str, Any]], seed: int
) -> list[Standing]:
    """Return every arm that has a finished training, scenario by scenario in the order given.

    Args:
        todo: The trainings, the reference first.
        records: By :attr:`risdoa.training.contest.Entry.key`.
        seed: Of the bootstrap.
    """
    made = []
    for scenario in dict.fromkeys(entry.scenario for entry in todo):
        groups: dict[Arm, dict[int, Mapping[str, Any]]] = {}
        for entry in todo:
            if entry.scenario == scenario and entry.key in records:
                groups.setdefault(entry.arm, {})[entry.seed] = records[entry.key]
        if not groups:
            continue
        sums = {
            arm: {number: _resampled(record["points"], seed) for number, record in group.items()}
            for arm, group in groups.items()
        }
        reference = sums.get(todo[0].arm, {})
        made += [
            _standing(scenario, arm, group, sums[arm], reference) for arm, group in groups.items()
        ]
    return made


def _standing(
    scenario: str,
    arm: Arm,
    group: Mapping[int, Mapping[str, Any]],
    sums: Mapping[int, Sums],
    reference: Mapping[int, Sums],
) -> Standing:
    first = next(iter(group.values()))
    both = [seed for seed in sums if seed in reference]
    values = figures(np.stack(list(sums.values())))
    gaps: dict[str, Sums] = {}
    if both:
        mine, theirs = (figures(np.stack([of[seed] for seed in both])) for of in (sums, reference))
        with np.errstate(invalid="ignore"):
            gaps = {name: mine[name] - theirs[name] for name in FIGURES}
    seconds = [record["cpu_seconds"] for record in group.values()]
    known = [each for each in seconds if each is not None]
    return Standing(
        scenario,
        arm,
        first["data_model"],
        first["steering"],
        tuple(group),
        {name: interval(each) for name, each in values.items()},
        {name: interval(gaps[name]) if both else None for name in FIGURES},
        _points([record["points"] for record in group.values()]),
        fmean(known) if known else None,
        first["steps"],
        sum(record["skipped"] for record in group.values()),
        {seed: record["weights"] for seed, record in group.items()},
    )


def interval(values: Sums) -> Interval | None:
    """Return the mean over seeds and its interval; None where a figure is not defined.

    Shapes:
        values: (seeds, 1 + B), of all scenes, then of every resample.
    """
    if not np.isfinite(values).all():
        return None
    count, (mean, *resampled) = len(values), values.mean(0)
    tail = (1 + LEVEL) / 2
    scenes = norm.ppf(tail) * np.std(resampled)
    seeds = 0.0
    if count > 1:
        seeds = t.ppf(tail, count - 1) * values[:, 0].std(ddof=1) / math.sqrt(count)
    half = math.hypot(scenes, seeds)
    return Interval(float(mean), float(mean - half), float(mean + half))


def _resampled(points: Sequence[Mapping[str, Any]], seed: int) -> Sums:
    """Return sums over all scenes, then over each of B resamples within points, (1 + B, 7)."""
    generator = np.random.default_rng(seed)
    total: Sums = np.zeros((1 + RESAMPLES, len(FIELDS) + 1))
    for point in points:
        scenes = _scenes(point)
        count = len(scenes)
        drawn = generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
        total = total + np.concatenate((np.ones((1, count)), drawn)) @ scenes
    return total


def _scenes(point: Mapping[str, Any]) -> Sums:
    """Return the fields of the scenes of a point and a column of ones, (S, 7)."""
    fields = np.array(point["scenes"])
    return np.concatenate((fields, np.ones((len(fields), 1))), axis=1)


def _points(several: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the figures of every point, means over the seeds."""
    made = []
    for same in zip(*several, strict=True):
        sums = np.stack([_scenes(point).sum(0) for point in same])
        means = {name: float(each.mean()) for name, each in figures(sums).items()}
        known = {name: value if math.isfinite(value) else None for name, value in means.items()}
        made.append({"sources": same[0]["sources"], "snr_db": same[0]["snr_db"], **known})
    return made


def pooled(several: Sequence[Mapping[str, Any]], figure: str) -> float | None:
    """Return a figure over points, each point counting alike: of an RMSE the root mean square."""
    values = [point[figure] for point in several]
    if any(value is None for value in values):
        return None
    if figure in {"angle_deg", "inverse_range_per_m"}:
        return math.sqrt(fmean(value**2 for value in values))
    return fmean(values)
