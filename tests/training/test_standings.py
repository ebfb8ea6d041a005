"""Figures and intervals of a contest, against closed forms and a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t

from risdoa.training.arms import Arm
from risdoa.training.contest import Entry
from risdoa.training.standings import FIGURES, pooled, standings

FIRST, SECOND = Arm("first", "nmse=1"), Arm("second", "chordal=1")


def scenes(outliers, angle=1.0, projection=0.1):
    """Return scenes of one source; of an outlier there is no error."""
    return [[1, off, 0 if off else angle, 0 if off else 0.01, 0.5, projection] for off in outliers]


def record(*points, weights="a"):
    return {
        "cpu_seconds": 2.0,
        "data_model": "canonical",
        "steering": "canonical",
        "steps": 4,
        "skipped": 1,
        "weights": weights,
        "points": [
            {"sources": 1, "snr_db": 10.0 * index, "scenes": each}
            for index, each in enumerate(points)
        ],
    }


def found(records):
    """Return the standings of records by arm and seed."""
    todo = [Entry("canonical", seed, arm) for arm, seed in records]
    keyed = {entry.key: records[entry.arm, entry.seed] for entry in todo}
    return standings(todo, keyed, seed=1)


def half(interval):
    return (interval.high - interval.low) / 2


def test_figures_are_those_of_a_plain_loop():
    rows = [[2, 1, 4.0, 0.09, 0.5, 0.1], [2, 0, 5.0, 0.01, 0.7, 0.3]]
    [standing] = found({(FIRST, 0): record(rows)})
    means = {name: standing.figures[name].mean for name in FIGURES}
    assert means == pytest.approx(
        {
            "outlier_rate": 1 / 4,
            "angle_deg": math.sqrt(9 / 3),
            "inverse_range_per_m": math.sqrt(0.10 / 3),
            "nmse": 0.6,
            "projection": 0.2,
        }
    )
    [point] = standing.points
    assert {name: point[name] for name in FIGURES} == pytest.approx(means)
    assert (standing.skipped, standing.cpu_seconds, standing.seeds) == (1, 2.0, (0,))


def test_with_one_seed_the_interval_is_that_of_a_rate_over_scenes():
    flags = [1] * 60 + [0] * 140
    [standing] = found({(FIRST, 0): record(scenes(flags))})
    interval = standing.figures["outlier_rate"]
    assert interval.mean == 0.3
    # the standard error of a bootstrap of 1000 varies by 2.2 %; four times that
    assert half(interval) == pytest.approx(1.96 * math.sqrt(0.3 * 0.7 / 200), rel=0.09)


def test_scenes_are_resampled_within_their_point():
    """Two points without spread of their own: what differs between points is no uncertainty."""
    [standing] = found({(FIRST, 0): record(scenes([0] * 20), scenes([1] * 20))})
    interval = standing.figures["outlier_rate"]
    assert (interval.mean, half(interval)) == (0.5, pytest.approx(0.0, abs=1e-12))


def test_the_spread_over_seeds_is_students():
    """Scenes that are all alike leave the seeds alone."""
    values = [0.10, 0.14, 0.21]
    records = {
        (FIRST, seed): record(scenes([0] * 10, projection=value))
        for seed, value in enumerate(values)
    }
    [standing] = found(records)
    interval = standing.figures["projection"]
    expected = t.ppf(0.975, 2) * np.std(values, ddof=1) / math.sqrt(3)
    assert interval.mean == pytest.approx(0.15)
    assert half(interval) == pytest.approx(expected, rel=1e-9)


def test_differences_are_paired_over_scenes_and_seeds():
    """A constant gain in every scene is certain, whatever scenes and seeds do to both."""
    generator = np.random.default_rng(0)
    records = {}
    for seed in range(3):
        noise = generator.uniform(0.2, 0.8, 50) + seed
        for arm, gain in ((FIRST, 0.0), (SECOND, -0.05)):
            rows = [[1, 0, 1.0, 0.01, 0.5, value + gain] for value in noise]
            records[arm, seed] = record(rows)
    first, second = found(records)
    assert half(second.figures["projection"]) > 1
    gap = second.differences["projection"]
    assert gap.mean == pytest.approx(-0.05)
    assert half(gap) == pytest.approx(0.0, abs=1e-9)
    assert first.differences["projection"].mean == 0


def test_differences_are_over_the_seeds_that_both_have():
    records = {(FIRST, seed): record(scenes([0], projection=0.1)) for seed in (0, 1)}
    records |= {(SECOND, seed): record(scenes([0], projection=0.1 + 0.1 * seed)) for seed in (1, 2)}
    _, second = found(records)
    assert second.seeds == (1, 2)
    assert second.figures["projection"].mean == pytest.approx(0.25)
    assert second.differences["projection"].mean == pytest.approx(0.1)


def test_an_arm_without_the_reference_has_no_difference():
    todo = [Entry("canonical", 0, arm) for arm in (FIRST, SECOND)]
    [standing] = standings(todo, {todo[1].key: record(scenes([0]))}, seed=0)
    assert standing.arm == SECOND
    assert set(standing.differences.values()) == {None}


def test_without_an_inlier_there_is_no_error():
    [standing] = found({(FIRST, 0): record(scenes([1, 1]))})
    assert standing.figures["outlier_rate"].mean == 1
    assert standing.figures["angle_deg"] is None
    assert standing.points[0]["angle_deg"] is None
    assert pooled(standing.points, "angle_deg") is None


def test_points_are_pooled_each_counting_alike():
    points = [{"outlier_rate": 0.1, "angle_deg": 3.0}, {"outlier_rate": 0.3, "angle_deg": 4.0}]
    assert pooled(points, "outlier_rate") == pytest.approx(0.2)
    assert pooled(points, "angle_deg") == pytest.approx(math.sqrt(12.5))
