"""Medians of bounds over scenes, and what is estimated where a recording lacks it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from risdoa import bounds, likelihood
from risdoa.conventions import RAD_PER_DEG, invert_range
from risdoa.evaluation.comparison import Setup
from risdoa.evaluation.limits import limit
from risdoa.evaluation.mismatch import Mismatch
from risdoa.evaluation.nuisances import completed
from risdoa.problem import Truth
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.canonical_sep10 import CanonicalSep10
from risdoa.steering.canonical import Canonical as CanonicalSteering
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical
from tests.draws import generator
from tests.estimation.scenes import SHARING, scene


def setup_of(scenario, trials, bound="deterministic", steering=None):
    return Setup(scenario, (10.0,), (1,), trials, 0, steering, bound)


def test_a_limit_is_the_quartiles_over_the_scenes_that_a_comparison_draws():
    setup = setup_of(Canonical(nx=6, ny=6, outputs=8, snapshots=6), 7)
    found = limit(setup, 10.0, 2)
    [(_, truth)] = setup.chunks(10.0, 2)
    variances = bounds.deterministic(truth).diagonal(dim1=-2, dim2=-1).mean(1).sqrt()
    expected = variances.median(0).values[:2] / RAD_PER_DEG
    torch.testing.assert_close(found.quartiles[1, :2], expected)
    assert (found.bound, found.scenes) == ("deterministic", 7)
    assert bool((found.quartiles.diff(dim=0) > 0).all())


def test_what_is_not_seen_has_no_figure():
    setup = setup_of(Canonical(nx=4, ny=4, outputs=6, snapshots=4), 2, "auto", PlaneWave())
    row = limit(setup, 10.0, 1).row()
    assert row["bound"] == "stochastic"
    assert row["median"]["range_m"] is None
    assert row["median"]["azimuth_deg"] > 0
    assert list(row["median"]) == [
        "azimuth_deg", "elevation_deg", "range_m", "inverse_range_per_m", "position_m",
    ]  # fmt: skip


@pytest.mark.parametrize("known_noise", [False, True])
def test_powers_and_noise_are_those_of_greatest_likelihood(known_noise):
    known = scene(2, scenes=3, seed=3, snr_db=10.0)
    mask = torch.tensor([[True, True], [True, False], [True, True]])
    truth = Truth.of(known.truth.positions, mask, known.truth.powers, known.problem)
    if not known_noise:
        silent = replace(known.problem.snapshots, noise_power=None)
        truth = replace(truth, problem=replace(known.problem, snapshots=silent))
    found, notes = completed(truth)
    assert len(notes) == 1 + (not known_noise)
    stats = likelihood.grams(known.problem, invert_range(truth.positions))
    slope = likelihood.stochastic(stats, found.powers, found.problem.snapshots.noise_power)
    for index in (0, 2):
        last = slope.gradient[index, 6:-1] if known_noise else slope.gradient[index, 6:]
        # curvature in log p and log σ² is of the order of the snapshots and outputs, 8 and 64
        assert float(last.abs().max()) < 1e-2
    assert float(found.powers[1, 1]) == 0.0
    if known_noise:
        torch.testing.assert_close(
            found.problem.snapshots.noise_power, known.problem.snapshots.noise_power
        )


@pytest.mark.parametrize("shared", SHARING)
def test_signals_are_found_at_the_truth_without_noise(shared):
    known = scene(2, blocks=SHARING[shared])
    found, _ = completed(replace(known.truth, signals=None))
    torch.testing.assert_close(found.signals, known.truth.signals, rtol=1e-6, atol=1e-6)


def test_a_recording_has_nearly_the_bound_of_the_scenario_it_came_from():
    """Estimated powers of 16 snapshots spread by 1/√16 each; the bound goes with their root."""
    _, truth = Canonical().sample(40, generator(1), sources=1, snr_db=15.0)
    told = completed(replace(truth, signals=None))[0]
    for bound in (bounds.deterministic, bounds.stochastic):
        ratio = bound(told)[..., 0, 0] / bound(truth)[..., 0, 0]
        assert float(ratio.median()) == pytest.approx(1, abs=0.15)


def test_the_model_of_the_waves_may_be_chosen():
    small = Canonical(nx=6, ny=6, outputs=8, snapshots=6)
    one = limit(setup_of(small, 5), 10.0, 1)
    other = limit(setup_of(small, 5, steering=Spherical()), 10.0, 1)
    assert not torch.allclose(one.quartiles, other.quartiles, rtol=1e-3)


def rich(factor):
    class Rich(CanonicalSep10):
        region_deg_m = ((-60, 60), (-30, 30), (2, 10))
        rician_range = (factor, factor)

    return Rich()


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("factor", "sources", "expected"),
    [
        (0, 1, (0.0958, 0.0797, 0.150)),
        (3, 2, (0.236, 0.188, 0.40)),
        (10, 3, (0.531, 0.414, 0.91)),
    ],
)
def test_the_medians_of_the_page_are_reproduced(factor, sources, expected):
    """Medians over 1000 scenes, whose own standard error is about 1.5 %, within 5 %."""
    found = limit(setup_of(rich(factor), 1000), 10.0, sources).quartiles[1, :3].tolist()
    assert found == pytest.approx(expected, rel=0.05)


def test_a_mismatch_is_signed_for_a_source_and_pooled_for_a_scene():
    known = scene(2, scenes=2, seed=5, snr_db=10.0)
    found = Mismatch.of(known.truth, CanonicalSteering())
    told = bounds.misspecified(known.truth, CanonicalSteering())
    torch.testing.assert_close(found.bias[..., 0] * RAD_PER_DEG, told.bias[..., 0])
    inverse = 1 / told.positions[..., 2] - 1 / known.truth.positions[..., 2]
    torch.testing.assert_close(found.bias[..., 3], inverse)
    bias, _, best, ratio = found.rms()
    torch.testing.assert_close(bias, found.bias.square().mean(1).sqrt())
    expected = bounds.levels(
        known.truth.positions, known.truth.mask, bounds.deterministic(known.truth)
    )
    torch.testing.assert_close(best, expected)
    torch.testing.assert_close(ratio, bias / best)
    record = found.records()[1]["sources"][0]
    assert record["bias"]["range_m"] == pytest.approx(float(found.bias[1, 0, 2]))
