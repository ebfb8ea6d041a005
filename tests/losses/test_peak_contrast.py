"""The pseudospectrum at the truth against its neighbours: sign, range, stencil."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given

from risdoa.arrays import Array
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.losses.peak_contrast import PeakContrast, log_capon, stencil
from risdoa.problem import Problem, Truth
from risdoa.sensing import Direct
from risdoa.snapshots import Snapshots
from risdoa.steering.canonical import Canonical
from risdoa.steering.spherical import Spherical
from risdoa.testing.strategies import seeds
from tests.losses.scenes import REGION, covariance, positions, truth_at, truth_of

TWO = positions([[-0.5, 0.1, 1.5], [0.4, -0.2, 0.8]])[None]


def seen_by_many(places, **changes):
    """Return the truth before 12 x 12 elements, which resolve 1/r as well."""
    values = torch.ones((1, 1, 144), dtype=torch.complex128)
    array = Array.planar(12, 12, wavelength=0.3)
    problem = replace(Problem(Snapshots(values, Direct()), array, Canonical(), REGION), **changes)
    mask = torch.ones(places.shape[:2], dtype=torch.bool)
    return Truth.of(places, mask, mask.double(), problem)


def shifted(places, coordinate, amount):
    """Return the places with 1/r, or an angle, moved."""
    moved = places.clone()
    if coordinate == 2:
        moved[..., 2] = 1 / (1 / moved[..., 2] + amount)
    else:
        moved[..., coordinate] += amount
    return truth_at(moved).covariance


@given(seed=seeds)
def test_the_spectrum_is_capons(seed):
    truth = truth_of(seed, 3)
    predicted = covariance(seed, truth.problem, width=7, load=0.1)
    steering = truth.steering_matrix()
    loaded = predicted.unit_trace().dense() + 0.01 / 16 * torch.eye(16)
    output = (steering.conj() * torch.linalg.solve(loaded, steering)).real.sum(-2)
    found = log_capon(predicted, steering, 0.01)[truth.mask]
    torch.testing.assert_close(found, -output[truth.mask].log(), rtol=1e-7, atol=1e-9)


def test_is_low_where_the_spectrum_peaks_at_the_truth():
    """The sign: peaks elsewhere, one source's range alone included, cost more than peaks there."""
    truth = truth_at(TWO)
    best = float(PeakContrast()(truth.covariance, truth))
    for coordinate, amount in ((0, 0.3), (1, 0.3), (2, 0.8), (2, -0.6)):
        assert float(PeakContrast()(shifted(TWO, coordinate, amount), truth)) > 2 * best
    wrong_range = TWO.clone()
    wrong_range[0, 1, 2] = 3.0
    assert float(PeakContrast()(truth_at(wrong_range).covariance, truth)) > 2 * best
    white = Covariance(torch.eye(16, dtype=torch.complex128)[None])
    counts = stencil(truth, 1.0)[1].sum(-1).double()
    expected = float((1 + counts).log().mean())  # all neighbours are as high as the source
    assert float(PeakContrast()(white, truth)) == pytest.approx(expected)
    assert best < expected / 10


def test_neighbours_stand_at_the_half_width_of_each_source():
    truth = seen_by_many(positions([[-0.3, 0.1, 1.0], [0.4, -0.1, 0.7]])[None])
    steering, counts = stencil(truth, 1.0)
    response = (steering[..., :1].conj() * steering).sum(1).abs().square()
    assert response[..., 0] == pytest.approx(torch.ones(1, 2), abs=1e-9)
    assert bool(counts.all())
    assert bool(((response[..., 1:] > 0.4) & (response[..., 1:] < 0.6)).all())
    torch.testing.assert_close(steering[..., 0], truth.steering_matrix())


def test_neighbours_that_no_estimator_searches_do_not_count():
    edge = seen_by_many(positions([[1.0, 0.1, 0.5]])[None])
    assert stencil(edge, 1.0)[1].tolist() == [[[False, True, False, True, True, True]]]
    far = seen_by_many(positions([[0.0, 0.0, 10.0]])[None])
    assert stencil(far, 1.0)[1][0, 0].tolist() == [True, True, True, True, True, False]


def test_neighbours_in_the_beam_of_another_source_do_not_count():
    close = seen_by_many(positions([[0.0, 0.0, 1.0], [0.1, 0.0, 1.0]])[None])
    counts = stencil(close, 1.0)[1][0]
    assert not counts[0, 0]
    assert not counts[1, 3]
    assert bool(counts[0, 3])


def test_fixed_coordinates_and_those_without_resolution_do_not_count():
    region = REGION.clone()
    region[1] = 0.1
    places = positions([[0.2, 0.1, 1.0]])[None]
    line = {"array": Array.linear(144, 0.3), "steering": Spherical()}
    for changes in ({"region": region}, line):
        truth = seen_by_many(places, **changes)
        counts = stencil(truth, 1.0)[1][0, 0]
        assert bool(counts[0])
        assert not counts[1]
        assert bool(PeakContrast()(truth.covariance, truth).isfinite().all())


@given(seed=seeds)
def test_masked_sources_and_their_places_play_no_part(seed):
    truth = truth_of(seed, 3)
    predicted = covariance(seed, truth.problem)
    filled = torch.where(truth.mask.unsqueeze(-1), truth.positions, 1e3)
    other = replace(truth, positions=filled)
    torch.testing.assert_close(PeakContrast()(predicted, other), PeakContrast()(predicted, truth))


def test_any_covariance_has_a_finite_gradient():
    truth = truth_at(TWO)
    for factor in (torch.zeros(1, 16, 3), torch.ones(1, 16, 1), torch.eye(16)[None]):
        leaf = factor.to(torch.complex64).requires_grad_()
        PeakContrast()(Covariance(leaf), truth).sum().backward()
        assert bool(leaf.grad.isfinite().all())


@pytest.mark.parametrize("options", [{"step": 0.0}, {"load": 0.0}, {"step": math.nan}])
def test_impossible_options_are_refused(options):
    with pytest.raises(InputError):
        PeakContrast(**options)
