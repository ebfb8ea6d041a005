"""The bias of a model against figures known otherwise, and the facts of a geometry."""

from __future__ import annotations

import math

import pytest
import torch

from risdoa import bounds
from risdoa.arrays import Array
from risdoa.conventions import RAD_PER_DEG, to_degrees
from risdoa.diagnosis.cost import bands, edges, model_cost, overall, recorded_truth, scenario_truth
from risdoa.diagnosis.fits import fitted
from risdoa.diagnosis.geometry import geometry, least_range, shape_of
from risdoa.scenarios.canonical import Canonical as CanonicalScenario
from risdoa.steering.canonical import Canonical
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical
from tests.estimation.scenes import region_with, scene

SURFACE = Array.planar(12, 12, 0.3)
WIDE = region_with(azimuth=(-1.2, 1.2), elevation=(-0.9, 0.9))


def truth_at(azimuth, elevation, r, snr_db=20.0):
    place = torch.tensor([[azimuth * RAD_PER_DEG, elevation * RAD_PER_DEG, r]])
    made = scene(array=SURFACE, direct=True, places=place.double(), region=WIDE, snr_db=snr_db)
    return made.truth


# Pseudo-true biases of the canonical model on this array, from a brute-force fit.
KNOWN = {
    (30, 15, 1): (-6.8, -2.9, 0.30),
    (30, 15, 2): (-2.3, -0.9, 0.41),
    (30, 15, 5): (-0.40, -0.16, 0.91),
    (60, 0, 2): (-4.7, 0.0, 1.1),
    (60, 0, 5): (-0.77, 0.0, 2.9),
}


@pytest.mark.parametrize("place", KNOWN)
def test_the_bias_of_the_canonical_model(place):
    cost = model_cost(truth_at(*place), Canonical())
    # The known figures have two digits.
    for value, known in zip(cost.bias[0].tolist(), KNOWN[place], strict=True):
        assert value == pytest.approx(known, abs=0.06, rel=0.03)


def test_the_bias_is_that_of_the_misspecified_bound_where_it_is_small():
    truth = truth_at(20, -10, 6.0)
    cost = model_cost(truth, Canonical())
    other = to_degrees(bounds.misspecified(truth, Canonical()).bias)[:, 0]
    assert torch.allclose(cost.bias, other, atol=1e-4)
    sigma = bounds.stochastic(truth)[0, 0].diagonal().sqrt()
    assert torch.allclose(cost.crb[0], to_degrees(sigma), rtol=1e-9)


def test_the_exact_model_costs_nothing_and_a_plane_wave_has_no_range():
    truth = truth_at(20, -10, 3.0)
    assert not overall(model_cost(truth, Spherical())).biased
    cost = model_cost(truth, PlaneWave())
    assert math.isnan(float(cost.bias[0, 2]))
    assert overall(cost).biased
    assert math.isnan(overall(cost).median_ratio[2])


def test_bands_hold_every_source_once():
    truth = scenario_truth(CanonicalScenario(4, 4), torch.Generator().manual_seed(3), 2, 1, 10.0)
    limits = edges(truth.problem.region)
    cost = model_cost(truth, Canonical())
    parts = bands(cost, limits)
    assert [part.sources for part in parts] == [2, 2, 2, 2]
    assert (parts[0].low_m, parts[-1].high_m) == pytest.approx((0.5, 10.0))
    whole = overall(cost)
    assert whole.sources == 8
    assert whole.worst == pytest.approx([max(p.worst[axis] for p in parts) for axis in range(3)])
    assert edges(region_with(range=(2.0, 2.0))) == [2.0, 2.0]


def test_a_fit_as_if_it_were_the_truth_has_the_noise_that_is_left():
    made = scene(2, array=SURFACE, direct=True, snr_db=20.0, snapshots=16)
    known = float(made.problem.snapshots.noise_power[0])
    fit = fitted(made.problem)
    truth = recorded_truth(fit)
    assert float(truth.problem.snapshots.noise_power[0]) == known
    blind = scene(2, array=SURFACE, direct=True, snr_db=20.0, snapshots=16).problem
    object.__setattr__(blind.snapshots, "noise_power", None)
    left = float(recorded_truth(fitted(blind)).problem.snapshots.noise_power[0])
    # 16 · 142 complex samples: a relative deviation of 2 %.
    assert left == pytest.approx(known, rel=0.1)
    order = made.truth.positions[0, :, 0].argsort()
    assert torch.allclose(truth.signals, made.truth.signals[..., order], atol=0.2)


def test_shapes_and_distances():
    line = Array.linear(8, 0.3)
    assert shape_of(line) == "linear"
    assert shape_of(SURFACE) == "planar"
    turned = Array(line.positions[:, [2, 1, 0]], 0.3)
    assert shape_of(turned) == "linear"
    cube = torch.cartesian_prod(*[torch.tensor([0.0, 0.1]).double()] * 3)
    assert shape_of(Array(cube, 0.3)) == "three-dimensional"
    assert SURFACE.spacing == pytest.approx(0.15)
    facts = geometry(SURFACE, WIDE)
    assert facts.aperture_m == pytest.approx(11 * 0.15 * math.sqrt(2))
    assert facts.fraunhofer_m == pytest.approx(2 * facts.aperture_m**2 / 0.3)


@pytest.mark.parametrize(("step", "grating"), [(0.5, False), (0.7, True), (1.0, True)])
def test_grating_lobes(step, grating):
    # Two directions of ±60° are λ/d apart in the sine, or more, only if d > λ/(2 sin 60°) = 0.58 λ.
    region = region_with(azimuth=(-math.pi / 3, math.pi / 3), elevation=(0.0, 0.0))
    facts = geometry(Array.linear(16, 0.3, spacing=step), region)
    assert facts.grating is grating


def test_the_reach_of_a_model():
    line = Array.linear(16, 0.3)
    broadside = region_with(azimuth=(0.0, 0.0), elevation=(0.0, 0.0))
    # A plane wave at broadside errs by k(D/2)²/2r, which is π/8 at 2D²/λ; the grid is 4 % wide.
    reach = least_range(PlaneWave(), line, broadside)
    assert reach == pytest.approx(line.fraunhofer_distance, rel=0.06)
    assert least_range(Spherical(), SURFACE, WIDE) == 0
    assert least_range(Canonical(), SURFACE, WIDE) > 0
