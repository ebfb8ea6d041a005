"""Estimation under a wrong steering model: known figures, limits, and Monte Carlo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from risdoa import bounds, likelihood
from risdoa.arrays import Array
from risdoa.backends.nf_mle import NfMle
from risdoa.bounds.pseudo_true import around, cost, misinformed, signals_of
from risdoa.conventions import invert_range, to_degrees, to_radians
from risdoa.errors import InputError
from risdoa.frozen import changed
from risdoa.minimise import minimise
from risdoa.problem import Truth
from risdoa.scenarios.draws import complex_normal
from risdoa.scenarios.spherical_data import SphericalData
from risdoa.steering.canonical import Canonical
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical
from tests.draws import generator
from tests.estimation.scenes import SHARING, region_with, scene

TRUTHS = torch.tensor(
    [[30, 15, 1], [30, 15, 2], [30, 15, 5], [60, 0, 2], [60, 0, 5]], dtype=torch.float64
)
BIASES = [
    (-6.8, -2.9, 0.30),
    (-2.3, -0.9, 0.41),
    (-0.40, -0.16, 0.91),
    (-4.7, 0, 1.1),
    (-0.77, 0, 2.9),
]


def test_the_bias_of_the_canonical_model_on_spherical_waves_is_as_known():
    """One source before a 12 × 12 array at half of 0.3 m; two digits are given."""
    places = to_radians(TRUTHS).unsqueeze(1)
    array = Array.planar(12, 12, 0.3)
    known = scene(1, scenes=5, direct=True, array=array, places=places, snr_db=10.0)
    found = to_degrees(bounds.misspecified(known.truth, Canonical()).bias)[:, 0]
    for bias, expected in zip(found.tolist(), BIASES, strict=True):
        assert bias == pytest.approx(expected, rel=0.05, abs=1e-6)


@pytest.mark.parametrize("shared", SHARING)
@pytest.mark.parametrize("direct", [False, True], ids=["coded", "direct"])
def test_the_right_model_has_no_bias_and_the_deterministic_bound(direct, shared):
    known = scene(2, scenes=2, seed=3, direct=direct, blocks=SHARING[shared], snr_db=10.0)
    found = bounds.misspecified(known.truth, Spherical())
    assert float(found.bias.abs().max()) < 1e-9
    # central differences of the gradient: 1e-7 of the curvature, through condition numbers of 1e2
    torch.testing.assert_close(
        found.covariance, bounds.deterministic(known.truth), rtol=1e-5, atol=1e-12
    )


def test_the_pseudo_true_positions_are_stationary_without_noise():
    known = scene(2, scenes=3, seed=5, snr_db=10.0)
    found = bounds.misspecified(known.truth, Canonical())
    field = known.truth.signals @ known.truth.steering_matrix().mT
    clean = known.problem.snapshots.sensing.forward(field)
    told = replace(known.problem, steering=Canonical())
    here = likelihood.conditional(likelihood.grams(told, invert_range(found.positions), clean))
    at_truth = likelihood.conditional(
        likelihood.grams(told, invert_range(known.truth.positions), clean)
    )
    assert bool((here.cost < at_truth.cost).all())
    # what a gradient is worth: the step that it asks for, in rad and 1/m
    step = torch.linalg.solve(here.curvature, here.gradient.unsqueeze(-1))
    assert float(step.abs().max()) < 1e-8


def test_fixed_coordinates_stay_and_masked_sources_have_nothing():
    held = scene(1, seed=1, snr_db=10.0, region=region_with(elevation=(0.1, 0.1)))
    found = bounds.misspecified(held.truth, Canonical())
    assert float(found.bias[..., 1].abs().max()) == 0.0
    assert float(found.covariance[..., 1, :].abs().max()) == 0.0
    known = scene(2, scenes=2, seed=1, snr_db=10.0)
    mask = torch.tensor([[True, True], [True, False]])
    part = Truth.of(
        known.truth.positions, mask, known.truth.powers, known.problem, known.truth.signals
    )
    found = bounds.misspecified(part, Canonical())
    assert bool(found.positions[mask].isfinite().all())
    assert bool(found.covariance[1, 1].isnan().all())


def test_signals_are_needed():
    known = scene(1, snr_db=10.0)
    with pytest.raises(InputError, match="signals"):
        bounds.misspecified(replace(known.truth, signals=None), Canonical())


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("sources", "shared", "direct"),
    [(1, None, True), (1, None, False), (2, None, False), (2, SHARING["blocks"], False)],
)
def test_maximum_likelihood_under_the_wrong_model_has_this_mean_and_variance(
    sources, shared, direct
):
    """4000 draws of the noise, signals held: the mean within 4.5 standard errors, variances 10 %.

    At 30 dB, so that what is of second order in the noise stays below the standard error; the
    standard error of a variance is √(2/4000) = 2.2 %.
    """
    draws = 4000
    known = scene(sources, seed=2, blocks=shared, direct=direct, snr_db=30.0)
    found = bounds.misspecified(known.truth, Canonical())
    one = torch.zeros(draws, dtype=torch.int64)
    told = replace(known.problem, steering=Canonical()).select(one)
    field = known.truth.signals @ known.truth.steering_matrix().mT
    clean = known.problem.snapshots.sensing.forward(field)
    noise = complex_normal((draws, *clean.shape[1:]), generator(9))
    values = clean + noise * known.problem.snapshots.noise_power.sqrt()

    def evaluate(point, index):
        search = point.unflatten(1, (sources, 3))
        return likelihood.conditional(likelihood.grams(told.select(index), search, values[index]))

    start = invert_range(found.positions).flatten(1).expand(draws, -1)
    room = torch.tensor([0.5, 0.5, 0.3]).double().repeat(sources)
    end = minimise(evaluate, start, start - room, start + room, 60, 1e-12)
    places = invert_range(end.point.unflatten(1, (sources, 3)))
    off = (places - found.positions).mean(0)
    spread = found.covariance[0].diagonal(dim1=-2, dim2=-1)
    assert float((off.abs() / (spread / draws).sqrt()).max()) < 4.5
    ratio = (places.var(0) / spread).numpy()
    np.testing.assert_allclose(ratio, 1.0, atol=0.1)


def test_a_model_that_is_blind_to_a_free_coordinate_is_refused():
    with pytest.raises(InputError, match="sees every free coordinate"):
        bounds.misspecified(scene(1, snr_db=20.0).truth, PlaneWave())


@pytest.mark.parametrize("sources", [1, 2])
def test_no_longer_search_ends_lower(sources):
    """Sources within 1.2 m, where C has many minima and the lowest is seldom next to the truth."""

    class Near(SphericalData):
        region_deg_m = ((-60, 60), (-30, 30), (0.5, 1.2))

    truth = Near().sample(12 // sources, generator(5), sources=sources, snr_db=10.0)[1]
    truth = replace(truth, problem=replace(truth.problem, steering=Spherical()))
    found = bounds.pseudo_true(truth, Canonical())
    told = misinformed(truth, signals_of(truth), Canonical())
    longer = NfMle("conditional", starts=32, kept=8, sweeps=2)
    others = longer(changed(told, region=around(told)), None, None).positions
    mine, theirs = (cost(told, invert_range(each)).cost for each in (found.positions, others))
    energy = told.snapshots.values.abs().square().sum((1, 2))
    assert bool((mine <= theirs + 1e-6 * energy).all())
    # From the truth alone a descent is stuck in a higher minimum somewhere: the search is needed.
    local = minimise(
        lambda point, index: cost(told.select(index), point.unflatten(1, (sources, 3))),
        invert_range(truth.positions).flatten(1),
        torch.tensor([-1.5, -1.5, 1e-6]).double().repeat(sources),
        torch.tensor([1.5, 1.5, 1e6]).double().repeat(sources),
        100,
    )
    assert bool((mine < local.cost - 1e-3 * energy).any())


def test_sources_stay_in_the_order_of_the_truth():
    places = torch.tensor([[[0.5, 0.1, 3.0], [-0.4, -0.2, 4.0], [0.05, 0.3, 5.0]]]).double()
    known = scene(3, seed=2, places=places, snr_db=10.0)
    found = bounds.pseudo_true(known.truth, Canonical()).positions
    assert float((found - places)[..., :2].abs().max()) < 0.1
    assert bool(bounds.pseudo_true(known.truth, Canonical()).seen.all())
    assert bounds.pseudo_true(known.truth, PlaneWave()).seen.tolist() == [True, True, False]
