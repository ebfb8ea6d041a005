"""Coordinates, units and signs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from risdoa import conventions
from tests import oracles

angles = st.floats(-math.pi, math.pi)
elevations = st.floats(-1.57, 1.57)
ranges = st.floats(1e-3, 1e4)


def row(*values):
    return torch.tensor([values], dtype=torch.float64)


@given(azimuth=angles, elevation=elevations)
def test_a_direction_is_the_one_of_the_formula(azimuth, elevation):
    expected = oracles.direction(azimuth, elevation)
    found = conventions.unit_vectors(row(azimuth, elevation, 1.0))[0]
    np.testing.assert_allclose(found, expected, atol=1e-15)  # rounding of products of cosines


@pytest.mark.parametrize(
    ("degrees", "axis"),
    [((0, 0), (0, 0, 1)), ((90, 0), (1, 0, 0)), ((0, 90), (0, 1, 0)), ((180, 0), (0, 0, -1))],
)
def test_broadside_is_z_azimuth_turns_to_x_and_elevation_to_y(degrees, axis):
    place = conventions.to_radians(row(*map(float, degrees), 2.0))
    found = conventions.cartesian(place)[0].tolist()
    assert found == pytest.approx([2 * part for part in axis], abs=1e-15)  # cos(π/2) ≈ 6e-17


@given(azimuth=angles, elevation=elevations, distance=ranges)
def test_cartesian_coordinates_and_back(azimuth, elevation, distance):
    place = row(azimuth, elevation, distance)
    back = conventions.from_cartesian(conventions.cartesian(place))
    same = conventions.great_circle(place, back)
    assert float(same) < 1e-14  # some roundings; angles themselves are ill-defined near the poles
    assert float(back[0, 2]) == pytest.approx(distance, rel=1e-14)


@given(distance=ranges | st.just(math.inf))
def test_inverting_the_range_twice_changes_nothing(distance):
    place = row(0.1, 0.2, distance)
    twice = conventions.invert_range(conventions.invert_range(place))
    torch.testing.assert_close(twice, place, rtol=1e-15, atol=0)  # two roundings


def test_an_infinite_range_is_zero_inverse_range():
    assert float(conventions.invert_range(row(0.0, 0.0, math.inf))[0, 2]) == 0.0


@given(azimuth=angles, elevation=elevations, distance=ranges)
def test_degrees_and_back(azimuth, elevation, distance):
    place = row(azimuth, elevation, distance)
    degrees = conventions.to_degrees(place)
    assert degrees[0].tolist() == pytest.approx(
        [math.degrees(azimuth), math.degrees(elevation), distance], rel=1e-15
    )
    torch.testing.assert_close(conventions.to_radians(degrees), place, rtol=1e-15, atol=0)


@given(azimuth=angles, elevation=elevations, other=angles, tilt=elevations)
def test_the_angle_between_directions_is_the_one_of_the_dot_product(
    azimuth, elevation, other, tilt
):
    cosine = oracles.direction(azimuth, elevation) @ oracles.direction(other, tilt)
    found = conventions.great_circle(row(azimuth, elevation, 1.0), row(other, tilt, 2.0))
    # cos is flat at 0 and π: comparing cosines keeps the oracle's own precision
    assert math.cos(float(found)) == pytest.approx(cosine, abs=1e-15)


@pytest.mark.parametrize("angle", [1e-12, 1e-9, 1e-6])
def test_tiny_angles_are_not_lost(angle):
    # arccos of the dot product would give 0 below 1e-8; 1e-16/1e-12 is the rounding of the input
    found = float(conventions.great_circle(row(0.3, 0.0, 1.0), row(0.3 + angle, 0.0, 1.0)))
    assert found == pytest.approx(angle, rel=2e-4)


def test_opposite_directions_are_half_a_turn_apart():
    found = conventions.great_circle(row(0.3, 0.2, 1.0), row(0.3 + math.pi, -0.2, 1.0))
    assert float(found) == pytest.approx(math.pi, rel=1e-15)


@given(azimuth=st.floats(-9, 9), elevation=st.floats(-4, 4))
def test_folding_keeps_the_direction_and_brings_the_angles_into_bounds(azimuth, elevation):
    place = row(azimuth, elevation, 2.0)
    found = conventions.folded(place)
    assert bool((found[0, :2].abs() <= torch.tensor([math.pi, math.pi / 2]).double() + 1e-15).all())
    torch.testing.assert_close(
        conventions.cartesian(found), conventions.cartesian(place), rtol=0, atol=1e-14
    )
    if abs(azimuth) <= math.pi and abs(elevation) <= math.pi / 2:
        assert torch.equal(found, place)


@given(turn=st.floats(-20, 20))
def test_the_short_way_round_ends_where_the_turn_does(turn):
    short = float(conventions.short_way(torch.tensor(turn, dtype=torch.float64)))
    assert -math.pi <= short <= math.pi  # rounding may reach the open end
    assert math.cos(short - turn) == pytest.approx(1, abs=1e-12)
