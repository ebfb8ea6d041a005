"""Peaks on a grid: told apart, placed and valued between the points."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from risdoa.arrays import Array
from risdoa.grid import Grid, search_grid
from risdoa.scan import peaks
from risdoa.scan.peaks import local_maxima, neighbours
from tests.draws import generator

GRID = Grid(
    torch.linspace(-1.0, 1.0, 9, dtype=torch.float64),
    torch.linspace(-0.5, 0.5, 7, dtype=torch.float64),
    torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9], dtype=torch.float64),
)
STEPS = torch.tensor([0.25, 1 / 6, 0.2], dtype=torch.float64)


def hill(place, height=1.0, grid=GRID):
    """Return a paraboloid around a place, (P,), falling by 1 for every step away from it."""
    return height - (((grid.points() - torch.tensor(place)) / STEPS) ** 2).sum(-1)


@given(
    azimuth=st.floats(-0.7, 0.7),
    elevation=st.floats(-0.3, 0.3),
    inverse_range=st.floats(0.35, 0.65),
)
def test_a_paraboloid_is_found_at_its_top(azimuth, elevation, inverse_range):
    place = (azimuth, elevation, inverse_range)
    found = peaks(hill(place)[None], GRID, 1)
    assert torch.allclose(found.places[0, 0], torch.tensor(place, dtype=torch.float64), atol=1e-9)
    assert abs(float(found.heights[0, 0]) - 1) < 1e-9


def test_peaks_come_in_falling_order_and_apart():
    two = torch.maximum(hill((-0.5, 0.0, 0.3), 1.0), hill((0.5, 0.0, 0.7), 2.0))
    found = peaks(two[None], GRID, 2)
    assert torch.allclose(found.places[0, :, 0], torch.tensor([0.5, -0.5], dtype=torch.float64))
    assert found.heights[0].tolist() == [2.0, 1.0]
    assert [round(value, 9) for value in two[found.points[0]].tolist()] == [2.0, 1.0]


def test_what_lies_between_the_points_counts_in_the_order():
    """On the points alone the second peak is higher; between them the first one is."""
    between, on = (-0.5 + 0.125, 0.0, 0.3), (0.5, 0.0, 0.7)
    spectrum = torch.maximum(hill(between, 1.0), hill(on, 0.9))
    assert float(spectrum.max()) < 0.91
    found = peaks(spectrum[None], GRID, 2)
    assert float(found.places[0, 0, 0]) == torch.tensor(between[0], dtype=torch.float64)


def test_the_highest_stands_in_where_there_are_too_few():
    found = peaks(hill((0.0, 0.0, 0.5))[None], GRID, 3)
    assert torch.equal(found.places[0], found.places[0, :1].expand(3, 3))
    one = Grid(*(torch.zeros(1, dtype=torch.float64) for _ in range(3)))
    assert peaks(torch.ones(2, 1), one, 4).places.shape == (2, 4, 3)


def test_a_peak_on_the_edge_is_taken_as_it_is():
    found = peaks(hill((-1.4, -0.5, 0.1))[None], GRID, 1)
    assert found.places[0, 0].tolist() == [-1.0, -0.5, 0.1]


def test_local_maxima_are_those_of_all_26_neighbours():
    for shape in ((3, 4, 5, 6), (2, 1, 7, 1)):
        volume = torch.randn(shape, generator=generator(1)).mul(2).round()  # with plateaus
        kept = volume.clone()
        around = torch.nn.functional.max_pool3d(volume.unsqueeze(1), 3, 1, 1).squeeze(1)
        expected = torch.where(volume >= around, volume, -torch.inf)
        assert torch.equal(local_maxima(volume), expected)
        assert torch.equal(volume, kept)


ROUND = Grid(
    torch.arange(-6, 6, dtype=torch.float64) * torch.pi / 6,
    torch.linspace(-0.5, 0.5, 7, dtype=torch.float64),
    torch.tensor([0.1, 0.3, 0.5], dtype=torch.float64),
    full_circle=True,
)


def round_hill(azimuth):
    """Return a paraboloid around an azimuth on a circle, (P,)."""
    points = ROUND.points()
    away = torch.remainder(points[:, 0] - azimuth + torch.pi, 2 * torch.pi) - torch.pi
    off = torch.stack((away / (torch.pi / 6), points[:, 1] * 6, (points[:, 2] - 0.3) / 0.2), -1)
    return 1 - off.square().sum(-1)


@given(azimuth=st.floats(-180.0, 180.0))
def test_on_a_full_circle_a_peak_over_the_seam_is_one_peak_at_its_top(azimuth):
    azimuth = torch.tensor(azimuth).double().deg2rad()
    spectrum = round_hill(azimuth)[None]
    maxima = local_maxima(spectrum.unflatten(1, ROUND.shape), full_circle=True)
    away = (azimuth * 6 / torch.pi).remainder(1) - 0.5
    assert int((maxima > -torch.inf).sum()) == 1 or abs(float(away)) < 1e-6  # or two, as high
    found = peaks(spectrum, ROUND, 1)
    assert float(found.places[0, 0, 0].abs()) <= torch.pi
    turn = torch.remainder(found.places[0, 0, 0] - azimuth + torch.pi, 2 * torch.pi) - torch.pi
    assert abs(float(turn)) < 1e-9
    assert abs(float(found.heights[0, 0]) - 1) < 1e-9


def test_the_seam_of_less_than_a_circle_is_an_edge():
    volume = round_hill(torch.tensor(torch.pi - 0.1)).unflatten(0, ROUND.shape)[None]
    assert int((local_maxima(volume) > -torch.inf).sum()) == 2


def test_a_search_grid_says_whether_it_goes_round():
    array = Array.circular(9, 0.3)
    region = torch.tensor([[-180.0, 180.0], [-30, 30]]).double().deg2rad()
    region = torch.cat((region, torch.tensor([[0.5, 10.0]]).double()))
    assert search_grid(array, region).full_circle
    region[0, 1] = 3.0
    assert not search_grid(array, region).full_circle


def test_the_neighbours_of_a_point_are_the_next_on_every_axis():
    whole = torch.linspace(-3, 3, 7, dtype=torch.float64)
    grid = Grid(whole, whole[:3], whole[:1] + 4)
    points = grid.points()
    inside, corner = 7 + 3, 0
    found = neighbours(grid, torch.tensor([[inside], [corner]]))
    apart = points[found] - points[torch.tensor([inside, corner])].unsqueeze(1)
    expected = [[0, -1, 0], [0, 1, 0], [-1, 0, 0], [1, 0, 0]]
    assert apart[0].tolist() == expected
    assert apart[1].tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]]


def test_the_neighbours_on_a_circle_go_round():
    circle = torch.linspace(-3, 3, 7, dtype=torch.float64)
    grid = Grid(circle, circle[:1], circle[:1] + 4, full_circle=True)
    assert neighbours(grid, torch.tensor([[0], [6]])).tolist() == [[6, 1], [5, 0]]


def test_a_single_point_has_no_neighbours():
    one = torch.ones(1, dtype=torch.float64)
    assert neighbours(Grid(one, one, one), torch.tensor([[0]])).shape == (1, 0)
