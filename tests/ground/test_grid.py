"""Search grids follow from the resolution of the array."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.arrays import Array
from risdoa.conventions import invert_range
from risdoa.grid import Grid, resolution, search_grid
from risdoa.steering.canonical import Canonical
from risdoa.steering.spherical import Spherical
from risdoa.testing.strategies import seeds
from tests.draws import generator

FULL = torch.tensor([[-60.0, 60.0], [-30.0, 30.0]], dtype=torch.float64).deg2rad()
REGION = torch.cat((FULL, torch.tensor([[0.5, 10.0]], dtype=torch.float64)))
SURFACE = Array.planar(12, 12, 0.3)


def at(*values):
    return torch.tensor([values], dtype=torch.float64)


def test_half_widths_are_where_the_correlation_halves():
    """At broadside, against the correlation of the steering vectors themselves."""
    widths = resolution(SURFACE, REGION)
    start = Canonical()(SURFACE, at(0.0, 0.0, 2.0))[:, 0]
    moves = [(widths.azimuth, 0.0, 0.0), (0.0, widths.elevation, 0.0)]
    moves.append((0.0, 0.0, widths.inverse_range))
    for azimuth, elevation, inverse in moves:
        moved = at(math.asin(azimuth), math.asin(elevation), 1 / (0.5 + inverse))
        value = float((start.conj() @ Canonical()(SURFACE, moved)[:, 0]).abs() ** 2)
        assert value == pytest.approx(0.5, abs=0.06)  # the parabola stands in for the pattern


@settings(max_examples=15)
@given(seed=seeds, nx=st.integers(3, 12), ny=st.integers(3, 12), density=st.sampled_from([1.0, 2]))
def test_every_position_has_a_grid_point_that_it_resembles(seed, nx, ny, density):
    array = Array.planar(nx, ny, 0.3)
    grid = search_grid(array, REGION, density)
    unit = torch.rand((100, 3), dtype=torch.float64, generator=generator(seed))
    low, high = invert_range(REGION.T).T.sort(-1)[0].T
    drawn = invert_range(low + (high - low) * unit)
    steering = Canonical()(array, grid.positions())
    nearest = (Canonical()(array, drawn).mH @ steering).abs().square().amax(-1)
    # half a step off along all three axes costs three times a quarter of the 3 dB drop, 2.25 dB;
    # 1 dB for the corners of the parabola
    assert float(nearest.min()) > 10 ** (-0.325 / (density**2)) - 0.1


def test_the_azimuth_runs_fastest():
    grid = Grid(torch.tensor([0.0, 0.1]), torch.tensor([0.0, 0.2, 0.4]), torch.tensor([0.5, 1.0]))
    assert grid.shape == (2, 3, 2)
    points = grid.points()
    assert points[:3].tolist() == [
        pytest.approx([0.0, 0.0, 0.5]),
        pytest.approx([0.1, 0.0, 0.5]),
        pytest.approx([0.0, 0.2, 0.5]),
    ]
    assert grid.positions()[-1].tolist() == pytest.approx([0.1, 0.4, 1.0])
    assert grid.steps().tolist() == pytest.approx([0.1, 0.2, 0.5])


def test_ranges_are_uniform_in_inverse_range_and_angles_in_their_sine():
    grid = search_grid(SURFACE, REGION)
    for axis in (grid.inverse_range, grid.azimuth.sin(), grid.elevation.sin()):
        gaps = axis.diff()
        assert float(gaps.max() - gaps.min()) < 1e-6  # made in single precision
    assert 8 <= len(grid.inverse_range) <= 20  # physics: 16 to 20 planes at twice this density


def test_the_bounds_are_on_the_grid():
    grid = search_grid(SURFACE, REGION)
    points = grid.points()
    low, high = invert_range(REGION.T).T.sort(-1)[0].T
    assert points.amin(0).tolist() == pytest.approx(low.tolist(), abs=1e-6)
    assert points.amax(0).tolist() == pytest.approx(high.tolist(), abs=1e-6)


def test_a_fixed_coordinate_gets_its_one_value():
    region = REGION.clone()
    region[1] = 0.25
    region[2] = 3.0
    grid = search_grid(SURFACE, region)
    assert grid.elevation.tolist() == [0.25]
    assert grid.inverse_range.tolist() == pytest.approx([1 / 3])
    assert grid.steps().tolist()[1:] == [0.0, 0.0]


def test_what_the_array_does_not_resolve_gets_one_point():
    grid = search_grid(Array.linear(16, 0.3), REGION)
    assert len(grid.elevation) == 1
    assert len(grid.azimuth) > 16
    assert len(search_grid(Array.circular(12, 0.3), REGION).elevation) > 2


def test_a_sphere_of_directions_is_covered_for_an_array_in_space():
    points = torch.randn((20, 3), dtype=torch.float64, generator=generator(0)) * 0.3
    array = Array(points, 0.3)
    region = array.default_region()
    region[2] = 3.0
    grid = search_grid(array, region)
    unit = torch.rand((200, 2), dtype=torch.float64, generator=generator(1))
    drawn = torch.stack(
        (
            (2 * unit[:, 0] - 1) * math.pi,
            torch.asin(2 * unit[:, 1] - 1),
            torch.full((200,), 3.0, dtype=torch.float64),
        ),
        -1,
    )
    steering = Spherical()(array, grid.positions())
    nearest = (Spherical()(array, drawn).mH @ steering).abs().square().amax(-1)
    assert float(nearest.min()) > 0.5  # two axes half a step off: 1.5 dB, and the same to spare


def test_twice_the_density_is_half_the_step():
    once, twice = search_grid(SURFACE, REGION).steps(), search_grid(SURFACE, REGION, 2.0).steps()
    ratio = (once / twice).tolist()
    assert ratio == pytest.approx([2, 2, 2], rel=0.1)  # a whole number of steps has to fit


def test_a_full_circle_has_each_direction_once_and_no_point_on_a_pole():
    points = torch.randn((12, 3), dtype=torch.float64, generator=generator(2)) * 0.3
    grid = search_grid(Array(points, 0.3), Array(points, 0.3).default_region())
    assert float(grid.azimuth[0]) == pytest.approx(-math.pi)
    assert float(grid.azimuth[-1]) < math.pi - 0.5 * float(grid.steps()[0])
    assert float(grid.elevation.abs().max()) < math.pi / 2 - 0.3 * float(grid.steps()[1])


def test_scenes_of_their_own_arrays_share_the_grid_of_the_widest():
    small, wide = Array.planar(4, 4, 0.3).positions, Array.planar(4, 4, 0.3, 1.5).positions
    both = search_grid(Array(torch.stack((small, wide)), 0.3), REGION)
    expected = search_grid(Array(wide, 0.3), REGION)
    assert both.shape == expected.shape
    torch.testing.assert_close(both.points(), expected.points())
