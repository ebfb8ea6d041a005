"""Which places a search tries, and which sources it leaves alone."""

from __future__ import annotations

import pytest
import torch

from risdoa.backends.ml_effort import QUICK, Effort
from risdoa.backends.ml_places import (
    CLOSE,
    EDGE,
    FEW,
    HOPELESS,
    MANY,
    OWN,
    SMALLER,
    Places,
    steps,
)
from risdoa.grid import search_grid
from risdoa.scan import Matched, Peaks
from tests.estimation.scenes import scene

THOROUGH = Effort.of(8, 3, 2)


@pytest.fixture(scope="module")
def matched():
    problem = scene(1).problem
    return Matched.prepare(problem, search_grid(problem.array, problem.region))


def middle_of(grid):
    """Return the index of the point in the middle of every axis."""
    place = 0
    for size in grid.shape:
        place = place * size + size // 2
    return place


def peaked(matched, *heights):
    """Return places of one set that are worth so much, the first in the middle of the grid."""
    points = middle_of(matched.grid) + 2 * torch.arange(len(heights))
    gain = torch.zeros((1, len(matched.points)))
    gain[0, points] = torch.tensor(heights)
    found = Peaks(matched.points[points][None], torch.tensor([heights]), points[None])
    return Places(found, gain, gain / 2)


def doubted(matched, *heights, off=0.0, unit=1.0):
    """Return whether a source is doubted that stands so many steps off the highest place."""
    return looked_at(matched, *heights, off=off, unit=unit)[1]


def looked_at(matched, *heights, off=0.0, unit=1.0):
    """Return whether such a source is tried elsewhere, and whether it is doubted."""
    places = peaked(matched, *heights)
    place = places.found.places[:, 0] + off * steps(matched)
    return tuple(bool(each) for each in places.doubtful(matched, place, torch.tensor([unit])))


def test_a_source_stays_where_no_place_comes_near_to_its_own(matched):
    assert not doubted(matched, 100.0, 0.9 * SMALLER * 100)
    assert doubted(matched, 100.0, 1.1 * SMALLER * 100)
    assert not doubted(matched, 1000.0, 999.0 - MANY)  # nearly as much, but less by many units
    assert doubted(matched, 12.0, 13.0 - FEW)  # less than half as much, but by a few units only
    assert not doubted(matched, 12.0, 11.0 - FEW)
    assert doubted(matched, 12.0, 11.0 - FEW, unit=2.0)


def test_places_worth_nearly_as_much_are_tried_by_however_many_units_they_are_less(matched):
    assert looked_at(matched, 1000.0, 1010 * CLOSE) == (True, False)
    assert looked_at(matched, 1000.0, 990 * CLOSE) == (False, False)
    assert looked_at(matched, 1000.0, 999.0) == (True, True)


def test_a_source_that_is_not_at_the_highest_place_is_doubted(matched):
    assert not doubted(matched, 100.0, 1.0, off=0.9 * OWN)
    assert doubted(matched, 100.0, 1.0, off=1.1 * OWN)


def test_a_source_held_at_an_edge_beside_the_highest_place_is_doubted(matched):
    beside, step = middle_of(matched.grid) % matched.grid.shape[2], steps(matched)[2]
    point = beside + matched.grid.shape[2] * matched.grid.shape[1]  # one step off the edge of w
    gain = torch.zeros((1, len(matched.points)))
    gain[0, point] = 100.0
    index = torch.tensor([[point]])
    places = Places(Peaks(matched.points[index], torch.full((1, 1), 100.0), index), gain, gain)
    edge = float(matched.points[beside, 2])
    for off, expected in ((0.9 * EDGE, True), (1.1 * EDGE, False)):
        place = places.found.places[:, 0].clone()
        place[:, 2] = edge + off * step
        assert places.doubtful(matched, place, torch.ones(1))[1].tolist() == [expected]


def test_hopeless_places_are_not_tried(matched):
    unit = torch.ones(1)
    places = peaked(matched, 100.0, 90.0, 99.0 - HOPELESS).to_try(matched, QUICK, unit)
    assert places.found.heights.tolist() == [[100.0, 90.0]]
    assert places.powers_found().tolist() == [[50.0, 45.0]]
    places = peaked(matched, 1000.0, 1010 * CLOSE, 990 * CLOSE).to_try(matched, QUICK, unit)
    assert places.found.heights.tolist() == [[1000.0, 1010 * CLOSE]]


def test_a_thorough_search_tries_the_points_beside_the_highest_place_too(matched):
    places = peaked(matched, 50.0, 40.0).to_try(matched, THOROUGH, torch.ones(1))
    index = set(places.found.points[0].tolist())
    middle, (_, rows, columns) = middle_of(matched.grid), matched.grid.shape
    assert {middle - 1, middle + 1, middle + columns, middle + rows * columns} <= index
    heights = places.found.heights[0]
    assert bool((heights[:-1] >= heights[1:]).all())
