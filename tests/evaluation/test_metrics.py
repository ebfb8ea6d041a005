"""The figures against a literal transcription of their definitions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from risdoa.conventions import to_radians
from risdoa.evaluation.metrics import Reference, Scores, rate_interval, summarise
from risdoa.problem import Estimates
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.digital import Digital

SIGMAS = np.array([0.5, 0.4, 0.05])


def scene(scenes=400, sources=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Canonical(nx=4, ny=4, snapshots=2).sample(scenes, generator, sources=sources)[1]


def bound(truth, sigmas=SIGMAS):
    """Return a bound of the same standard deviations (deg, deg, m) for every source."""
    scale = torch.tensor(sigmas) * torch.tensor([np.pi / 180, np.pi / 180, 1])
    return torch.diag(scale**2).expand(*truth.mask.shape, 3, 3)


def estimates(truth, spread=1.0, seed=1):
    """Return the truth plus noise of the bound's covariance, in another order."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=truth.positions.shape) * SIGMAS * spread
    found = truth.positions + to_radians(torch.from_numpy(noise))
    flipped = Estimates.at(found.flip(1), torch.zeros(truth.mask.shape[0]))
    return replace(flipped, valid=truth.mask.flip(1))


def figures(truth, found, crb=None):
    crb = bound(truth) if crb is None else crb
    return summarise(Scores.of(truth, found), Reference.of(truth, crb))


def test_an_efficient_estimator_has_efficiency_one():
    truth = scene()
    summary = figures(truth, estimates(truth))
    assert summary.outliers == summary.missing == 0
    assert 0 < summary.counted < summary.sources
    for each in summary.deviations[:3]:
        # A root mean square of n numbers is within 1/√(2n) of its expectation: four of them.
        assert each.efficiency == pytest.approx(1, abs=4 / (2 * summary.counted) ** 0.5)
    assert [each.sqrt_crb for each in summary.deviations[:3]] == pytest.approx(SIGMAS.tolist())


def test_figures_equal_a_literal_transcription():
    truth = scene(scenes=60, sources=2)
    found = estimates(truth, spread=5.0)
    found = replace(
        found, valid=torch.rand(60, 2, generator=torch.Generator().manual_seed(2)) > 0.1
    )
    scores, summary = Scores.of(truth, found), figures(truth, found)
    region = np.array([[-60, 60], [-30, 30], [0.5, 10]])
    errors, counted, outliers = [], [], 0
    for s in range(60):
        for k in range(2):
            if not scores.found[s, k]:
                outliers += 1
                continue
            place = truth.positions[s, k].numpy() * [180 / np.pi, 180 / np.pi, 1]
            error = scores.errors[s, k, :3].numpy()
            guess = place + error
            phi, theta = np.radians(np.stack((place, guess))[:, :2]).T
            cosine = np.sin(theta).prod() + np.cos(theta).prod() * np.cos(phi[0] - phi[1])
            assert np.degrees(np.arccos(cosine)) == pytest.approx(float(scores.angle[s, k]))
            if np.degrees(np.arccos(cosine)) > 5:
                outliers += 1
                continue
            errors.append(error)
            room = np.minimum(place - region[:, 0], region[:, 1] - place)
            counted.append((room >= 3 * SIGMAS).all())
    errors, counted = np.array(errors), np.array(counted)
    assert summary.sources == 120
    assert summary.missing == int((~found.valid).sum())
    assert summary.outliers == outliers
    assert summary.counted == counted.sum()
    assert summary.outlier_rate == pytest.approx(outliers / 120)
    for axis in range(3):
        deviation = summary.deviations[axis]
        assert deviation.rmse_inliers == pytest.approx(np.sqrt((errors[:, axis] ** 2).mean()))
        expected = np.sqrt((errors[counted, axis] ** 2).mean()) / SIGMAS[axis]
        assert deviation.efficiency == pytest.approx(expected)


def test_one_wild_source_is_an_outlier_and_moves_only_the_overall_error():
    truth = scene(scenes=50, sources=1)
    found = estimates(truth)
    wild = found.positions.clone()
    wild[0, 0, 0] += np.radians(30)
    clean, spoilt = figures(truth, found), figures(truth, replace(found, positions=wild))
    assert spoilt.outliers == 1
    assert spoilt.scene_outlier_rate == pytest.approx(1 / 50)
    assert spoilt.deviations[0].rmse > 4
    assert spoilt.deviations[0].efficiency == pytest.approx(clean.deviations[0].efficiency, rel=0.2)


def test_median_and_90th_percentile_are_of_all_that_were_found():
    truth = scene(scenes=50, sources=2)
    found = estimates(truth)
    known = replace(found, valid=torch.arange(100).reshape(50, 2) < 80)
    scores = Scores.of(truth, known)
    error = scores.errors[..., 0][scores.found].abs().numpy()
    assert len(error) == 80
    azimuth = figures(truth, known).deviations[0]
    assert azimuth.median == pytest.approx(np.median(error))
    assert azimuth.percentile_90 == pytest.approx(np.percentile(error, 90))
    nothing = figures(truth, replace(found, valid=torch.zeros_like(found.valid))).deviations[0]
    assert nothing.median is None
    assert nothing.percentile_90 is None


def test_missing_sources_are_outliers_without_an_error():
    truth = scene(scenes=5, sources=2)
    found = estimates(truth)
    summary = figures(truth, replace(found, valid=torch.zeros_like(found.valid)))
    assert (summary.missing, summary.outliers, summary.outlier_rate) == (10, 10, 1.0)
    assert all(each.rmse is None and each.efficiency is None for each in summary.deviations)


def test_azimuth_errors_go_the_short_way_round():
    problem, truth = Digital(nx=3, ny=3, snapshots=1).sample(1, torch.Generator(), sources=1)
    region = problem.region.clone()
    region[0] = torch.tensor([-torch.pi, torch.pi], dtype=torch.float64)
    problem = replace(problem, region=region)
    place = to_radians(torch.tensor([[[179.0, 0, 2]]], dtype=torch.float64))
    truth = replace(truth, problem=problem, positions=place)
    found = Estimates.at(
        to_radians(torch.tensor([[[-179.5, 0, 2]]], dtype=torch.float64)), torch.zeros(1)
    )
    summary = figures(truth, found)
    assert summary.deviations[0].rmse == pytest.approx(1.5)
    assert summary.counted == 1, "a full circle has no edge"


def test_inverse_range_follows_from_the_range():
    truth = scene(scenes=3, sources=1)
    reference = Reference.of(truth, bound(truth))
    expected = SIGMAS[2] ** 2 / truth.positions[..., 2] ** 4
    torch.testing.assert_close(reference.variances[..., 3], expected)


def test_the_position_error_is_the_distance_in_space():
    truth = scene(scenes=3, sources=1)
    r = truth.positions[..., 2].numpy()
    theta = truth.positions[..., 1].numpy()
    reference = Reference.of(truth, bound(truth))
    across = r * np.radians(SIGMAS[0]) * np.cos(theta)
    space = across**2 + (r * np.radians(SIGMAS[1])) ** 2 + SIGMAS[2] ** 2
    np.testing.assert_allclose(reference.variances[..., 4].numpy(), space)
    found = Estimates.at(
        truth.positions * torch.tensor([1, 1, 1.1], dtype=torch.float64), torch.zeros(3)
    )
    np.testing.assert_allclose(Scores.of(truth, found).errors[..., 4].numpy(), 0.1 * r)


def test_unknown_bounds_count_for_nothing():
    truth = scene(scenes=3, sources=1)
    crb = bound(truth) * torch.tensor([1.0, float("nan"), float("inf")])[:, None, None, None]
    summary = figures(truth, estimates(truth), crb)
    assert summary.counted <= 1


@given(total=st.integers(1, 500), share=st.floats(0, 1))
def test_the_interval_is_wilsons(total, share):
    hits = round(share * total)
    low, high = rate_interval(hits, total)
    z, rate = 1.959964, hits / total
    centre = (rate + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z * np.sqrt(rate * (1 - rate) / total + z**2 / (4 * total**2)) / (1 + z**2 / total)
    assert low == pytest.approx(max(0, centre - half), abs=1e-6)
    assert high == pytest.approx(min(1, centre + half), abs=1e-6)
