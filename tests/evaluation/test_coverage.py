"""Coverage of error bars whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from risdoa.backends.base import Backend
from risdoa.backends.music import Music
from risdoa.backends.nf_mle import NfMle
from risdoa.errors import InputError
from risdoa.evaluation.comparison import Setup
from risdoa.evaluation.coverage import coverage
from risdoa.problem import Estimates
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.digital import Digital

SPREAD = torch.tensor([[4.0, 1.5, 0.6], [1.5, 2.0, -0.5], [0.6, -0.5, 1.0]]).double() * 1e-6
"""A covariance in (φ, θ, w), correlated on purpose."""


class Remembering(Digital):
    """Keeps the truth that it drew, so that a backend can know it."""

    def sample(self, count, generator, *, sources=None, snr_db=None):
        problem, self.truth = super().sample(count, generator, sources=sources, snr_db=snr_db)
        return problem, self.truth


class Claiming(Backend):
    """Errs by ``SPREAD`` in (φ, θ, w) and claims ``claim`` times that; sources in another order."""

    def __init__(self, scenario, claim=1.0):
        self.scenario, self.claim = scenario, claim
        self.generator = torch.Generator().manual_seed(4)

    def __call__(self, problem, covariance, start):
        places = self.scenario.truth.positions.clone()
        drawn = torch.randn(places.shape, generator=self.generator, dtype=torch.float64)
        places[..., 2] = 1 / places[..., 2]
        places += drawn @ torch.linalg.cholesky(SPREAD).mT
        places[..., 2] = 1 / places[..., 2]
        scale = torch.ones_like(places)
        scale[..., 2] = -(places[..., 2] ** 2)
        errors = self.claim * SPREAD * scale.unsqueeze(-1) * scale.unsqueeze(-2)
        found = Estimates.at(places.flip(1), torch.zeros(len(places)))
        return replace(found, error_covariance=errors.flip(1))


def cell(claim=1.0, level=0.9, sources=2):
    scenario = Remembering(nx=6, ny=6)
    setup = Setup(scenario, (20.0,), (sources,), 1000, 3)
    return coverage(setup, Claiming(scenario, claim), level)[0]


# Chi-square laws with 3 and 1 degrees of freedom; 1500 sources or more count, so four standard
# deviations of a rate of 0.9 are 0.031, and of 0.5 they are 0.052.
@pytest.mark.statistical
@pytest.mark.parametrize(
    ("claim", "level", "joint", "alone"),
    [(1.0, 0.9, 0.9, 0.9), (1.0, 0.5, 0.5, 0.5), (0.25, 0.9, 0.332, 0.589), (4.0, 0.9, 1.0, 0.999)],
)
def test_honest_error_bars_cover_as_often_as_they_say(claim, level, joint, alone):
    found = cell(claim, level)
    assert found.counted > 1500
    bound = 4 * math.sqrt(0.25 / found.counted)
    assert found.covered / found.counted == pytest.approx(joint, abs=bound)
    for covered in found.covered_alone:
        assert covered / found.counted == pytest.approx(alone, abs=bound)


def test_a_row_has_an_interval_around_the_rate():
    scenario = Remembering(nx=6, ny=6)
    setup = Setup(scenario, (20.0,), (1,), 50, 3)
    steps = []
    found = coverage(setup, Claiming(scenario), 0.9, lambda *step: steps.append(step))[0]
    row = found.row()
    assert row["coverage_low"] < row["coverage"] <= row["coverage_high"]
    assert list(row["coverage_alone"]) == ["azimuth", "elevation", "inverse_range"]
    assert steps == [(50, 50)]


def test_only_the_free_coordinates_count():
    class Flat(Remembering):
        region_deg_m = ((-60, 60), (5, 5), (0.5, 10))

    class Held(Claiming):
        def __call__(self, problem, covariance, start):
            found = super().__call__(problem, covariance, start)
            places, errors = found.positions.clone(), found.error_covariance.clone()
            places[..., 1] = problem.region[1, 0]
            errors[..., 1, :] = errors[..., 1] = 0
            return replace(found, positions=places, error_covariance=errors)

    scenario = Flat(nx=6, ny=6)
    found = coverage(Setup(scenario, (20.0,), (1,), 200, 3), Held(scenario), 0.9)[0]
    assert 0.8 < found.covered / found.counted < 1
    assert found.covered_alone[1] == found.counted


def test_where_nothing_counts_there_is_no_rate():
    class Lost(Claiming):
        def __call__(self, problem, covariance, start):
            found = super().__call__(problem, covariance, start)
            return replace(found, valid=torch.zeros_like(found.valid))

    scenario = Remembering(nx=6, ny=6)
    row = coverage(Setup(scenario, (20.0,), (1,), 50, 3), Lost(scenario), 0.9)[0].row()
    assert row["counted"] == 0
    assert row["coverage"] is None
    assert row["coverage_low"] is None


def test_a_backend_without_error_bars_is_refused():
    with pytest.raises(InputError, match="error bars"):
        coverage(Setup(Digital(nx=4, ny=4), (20.0,), (1,), 2, 0), Music(), 0.9)


# 88 % are covered; the inverse of the curvature that is expected alone would cover 79 %. 1.8 % is
# the standard deviation over 300 sources.
@pytest.mark.statistical
def test_the_error_bars_of_maximum_likelihood_cover_with_few_snapshots():
    setup = Setup(Canonical(), (10.0,), (3,), 150, 3, bound="deterministic")
    found = coverage(setup, NfMle("conditional"), 0.9)[0]
    assert found.counted > 250
    assert found.covered / found.counted > 0.83
