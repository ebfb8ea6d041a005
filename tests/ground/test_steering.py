"""Steering models against the formulas of the physics, and what they have in common."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.arrays import Array
from risdoa.errors import InputError
from risdoa.steering.base import Steering
from risdoa.steering.canonical import Canonical
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical
from risdoa.testing.strategies import arrays, positions
from tests import oracles
from tests.draws import generator, radius

MODELS = [Canonical(), Spherical(), PlaneWave()]
NEAR = [Canonical(), Spherical()]
every = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
near = pytest.mark.parametrize("model", NEAR, ids=lambda model: type(model).__name__)


def places(count, seed, low=0.5, high=10.0):
    """Return positions drawn in front of an array."""
    unit = torch.rand((count, 3), dtype=torch.float64, generator=generator(seed))
    return torch.stack((2 * unit[:, 0] - 1, unit[:, 1] - 0.5, low + (high - low) * unit[:, 2]), -1)


def drawn(data, model, gains=False):
    array = data.draw(arrays(planar=model is MODELS[0], gains=gains))
    return array, data.draw(positions(array))


@every
@settings(max_examples=40)
@given(data=st.data(), dtype=st.sampled_from([torch.float32, torch.float64]), gains=st.booleans())
def test_unit_norm_for_every_array_position_and_precision(model, data, dtype, gains):
    array, at = drawn(data, model, gains)
    steering = model(array, at.to(dtype))
    assert steering.dtype == dtype.to_complex()
    assert steering.shape == (array.count, len(at))
    norms = torch.linalg.vector_norm(steering, dim=0)
    # a sum of N squares, each with a few roundings
    tolerance = 4 * array.count * torch.finfo(dtype).eps
    assert float((norms - 1).abs().max()) < tolerance


@settings(max_examples=40)
@given(data=st.data())
def test_spherical_is_the_exact_distance(data):
    array, at = drawn(data, MODELS[1])
    steering = Spherical()(array, at).numpy()
    for k, place in enumerate(at.tolist()):
        expected = oracles.spherical_steering(*place, array.positions.numpy(), array.wavelength)
        # rounding of the coordinates times the phase they make, a few times over
        tolerance = 16 * np.finfo(float).eps * (1 + array.wavenumber * radius(array))
        assert np.abs(steering[:, k] - expected).max() < tolerance


@settings(max_examples=40)
@given(data=st.data())
def test_canonical_is_the_seeds_formula(data):
    array, at = drawn(data, MODELS[0])
    steering = Canonical()(array, at).numpy()
    for k, place in enumerate(at.tolist()):
        expected = oracles.seed_steering(*place, array.positions.numpy(), array.wavelength)
        # the seed takes r off a number near r: its own rounding is k·r·ε
        tolerance = 16 * np.finfo(float).eps * (1 + array.wavenumber * (radius(array) + place[2]))
        assert np.abs(steering[:, k] - expected).max() < tolerance


@settings(max_examples=40)
@given(data=st.data())
def test_plane_wave_is_its_formula(data):
    array, at = drawn(data, MODELS[2])
    steering = PlaneWave()(array, at).numpy()
    for k, (azimuth, elevation, _) in enumerate(at.tolist()):
        expected = oracles.plane_wave_steering(
            azimuth, elevation, array.positions.numpy(), array.wavelength
        )
        tolerance = 16 * np.finfo(float).eps * (1 + array.wavenumber * radius(array))
        assert np.abs(steering[:, k] - expected).max() < tolerance


def test_spherical_keeps_single_precision_where_the_naive_difference_loses_it():
    array, at = Array.planar(12, 12, 0.3), places(400, 0)
    exact = np.stack(
        [oracles.spherical_steering(*place, array.positions.numpy(), 0.3) for place in at.tolist()],
        axis=1,
    )
    single = at.to(torch.float32)
    found = Spherical()(array, single).numpy()
    elements = array.positions.to(torch.float32).numpy()
    angles, r = single[:, :2].numpy(), single[:, 2].numpy()
    source = r * oracles.direction(angles[:, 0], angles[:, 1])
    rho = np.sqrt(((source.T[None] - elements[:, None]) ** 2).sum(-1))
    naive = np.exp(-1j * np.float32(array.wavenumber) * (rho - r)) / np.float32(12)

    def rms(vectors):
        return float(np.sqrt((np.abs(vectors - exact) ** 2).mean()))

    assert 5 * rms(found) < rms(naive)


@near
@settings(max_examples=30)
@given(data=st.data())
def test_the_far_field_limit_is_the_plane_wave_and_is_reached_as_one_over_range(model, data):
    array = data.draw(arrays(planar=True))
    at = data.draw(positions(array, front=True))
    flat = PlaneWave()(array, at)
    infinite = torch.cat((at[:, :2], torch.full_like(at[:, 2:], math.inf)), -1)
    torch.testing.assert_close(model(array, infinite), flat, rtol=0, atol=1e-12)

    # ψ - s = -(|p|² - …)/(2r) + O(1/r²): half as much at twice the range
    far = 100 * radius(array) * (1 + array.wavenumber * radius(array))

    def difference(distance):
        there = torch.cat((at[:, :2], torch.full_like(at[:, 2:], distance)), -1)
        return torch.linalg.vector_norm(model(array, there) - flat, dim=0)

    once, twice = difference(far), difference(2 * far)
    bound = array.wavenumber * radius(array) ** 2 / (2 * far)
    assert bool((once <= bound * 1.05).all())  # 1.05: terms of second order, |p|/r = 1 %
    # broadside to a line the first order vanishes with |p|² - s²: nothing to compare there
    seen = once > 0.01 * bound
    ratio = (once / twice)[seen]
    assert bool(((ratio - 2).abs() < 0.1).all())


@settings(max_examples=30)
@given(nx=st.integers(1, 6), ny=st.integers(1, 6), data=st.data())
def test_canonical_factors_into_x_and_y(nx, ny, data):
    array = Array.planar(nx, ny, 0.3)
    at = places(3, data.draw(st.integers(0, 1000)))
    steering = Canonical()(array, at).reshape(ny, nx, 3)
    along_x, along_y = steering[0], steering[:, 0]
    expected = along_y[:, None] * along_x[None] / steering[0, 0]
    torch.testing.assert_close(steering, expected, rtol=0, atol=1e-13)  # phases below 1e3 rad


def test_canonical_refuses_arrays_out_of_the_plane():
    array = Array(torch.tensor([[0.0, 0.0, 0.0], [0.1, 0.0, 1e-9]], dtype=torch.float64), 0.3)
    with pytest.raises(InputError, match="x-y plane") as caught:
        Canonical()(array, places(1, 0))
    assert "spherical" in caught.value.hint
    with pytest.raises(InputError, match="x-y plane"):
        Canonical().derivatives(array, places(1, 0))


@every
@settings(max_examples=30)
@given(data=st.data(), gains=st.booleans())
def test_closed_derivatives_are_those_of_forward_differentiation(model, data, gains):
    array, at = drawn(data, model, gains)
    steering, slopes = model.derivatives(array, at)
    expected, forward = Steering.derivatives(model, array, at)
    torch.testing.assert_close(steering, expected, rtol=0, atol=1e-13)
    scale = array.wavenumber * radius(array) * (1 + radius(array))
    # phases up to k·radius rad are good to some ε of themselves, and so is what they multiply
    tolerance = 1e-13 * scale * (1 + array.wavenumber * radius(array))
    torch.testing.assert_close(slopes, forward, rtol=0, atol=tolerance)


@near
def test_phases_fall_with_the_distance(model):
    """Fields follow exp(-jkρ): an element nearer to the source leads."""
    array = Array.linear(2, 1.0, spacing=0.1)
    steering = model(array, torch.tensor([[0.5, 0.0, 20.0]], dtype=torch.float64))
    lead = float(torch.angle(steering[1, 0] / steering[0, 0]))
    # the right element is 0.1·sin(0.5) m nearer; curvature cancels in a centred pair to 1e-4
    assert lead == pytest.approx(2 * math.pi * 0.1 * math.sin(0.5), rel=1e-3)


@near
def test_conjugated_data_look_like_a_source_behind_infinity(model):
    """The conjugate of a near field at (φ, θ) fits the direction (-φ, -θ) with w < 0 alone."""
    array = Array.planar(8, 8, 0.3)
    at = torch.tensor([[0.3, 0.2, 1.5]], dtype=torch.float64)
    conjugated = model(array, at)[:, 0].conj()
    mirrored = torch.tensor([[-0.3, -0.2, 1.5]], dtype=torch.float64)
    behind = torch.tensor([[-0.3, -0.2, -1.5]], dtype=torch.float64)

    def correlation(place):
        return float((model(array, place)[:, 0].conj() @ conjugated).abs())

    assert correlation(behind) > 1 - 1e-9
    assert correlation(mirrored) < 0.7  # twice the curvature of 1/1.5 m over 1.5 m of aperture


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_default_derivatives_are_finite_at_infinity(dtype):
    array = Array.planar(3, 2, 0.3)
    positions = torch.tensor([[0.3, 0.2, torch.inf], [0.3, 0.2, 5.0]], dtype=dtype)
    for model in (Spherical(), Canonical()):
        _, slopes = Steering.derivatives(model, array, positions)
        _, closed = model.derivatives(array, positions)
        # the range of the far one goes through 1/w and back: a few roundings more
        torch.testing.assert_close(slopes, closed, rtol=1e-4, atol=1e-4)
