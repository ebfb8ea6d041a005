"""Peaks taken one after the other, each with what cannot be told apart from it."""

from __future__ import annotations

import pytest
import torch

from risdoa.arrays import Array
from risdoa.conventions import invert_range
from risdoa.grid import resolution, search_grid
from risdoa.scan import Apart, Scale
from tests.draws import generator
from tests.estimation.scenes import REGION

ARRAY = Array.planar(12, 12, 0.3)
GRID = search_grid(ARRAY, REGION, 2.0)
SCALE = Scale(ARRAY, REGION)
WIDTHS = resolution(ARRAY, REGION)


def hills(*tops, along=1.0):
    """Return Gaussian hills a half-width wide around (height, φ, θ, w), (1, P).

    ``along`` stretches them along range.
    """
    points = GRID.points()
    total = torch.zeros(len(points), dtype=torch.float64)
    for height, *place in tops:
        off = SCALE.directions(points) - SCALE.directions(torch.tensor(place).double())
        depth = (points[:, 2] - place[2]) / (along * WIDTHS.inverse_range)
        total = torch.maximum(total, height * torch.exp(-off.square().sum(-1) - depth**2))
    return (total + 1e-9)[None]


def taken(spectrum, count, scale=SCALE):
    """Return the places and heights of up to ``count`` peaks."""
    apart = Apart(spectrum, GRID, scale)
    found = []
    for _ in range(count):
        peak, there = apart.take()
        if bool(there.all()):
            found.append((peak.places[0, 0].tolist(), float(peak.heights)))
    return found


def near(place, expected):
    return bool(SCALE.close(torch.tensor(place).double(), torch.tensor(expected).double()))


def test_peaks_come_in_falling_order():
    found = taken(hills((1.0, -0.4, 0.1, 0.5), (0.3, 0.5, -0.2, 1.0), (0.6, 0.1, 0.3, 0.2)), 3)
    assert near(found[0][0], (-0.4, 0.1, 0.5))
    assert near(found[1][0], (0.1, 0.3, 0.2))
    assert near(found[2][0], (0.5, -0.2, 1.0))
    heights = [height for _, height in found]
    assert heights == sorted(heights, reverse=True)


def test_a_rough_ridge_along_range_is_one_peak():
    noise = 1 + 0.2 * torch.rand(1, len(GRID.points()), generator=generator(0)).double()
    found = taken(hills((1.0, -0.4, 0.1, 0.5), (0.3, 0.5, -0.2, 1.0), along=10) * noise, 2)
    assert abs(found[0][0][0] + 0.4) < WIDTHS.azimuth
    assert abs(found[1][0][0] - 0.5) < WIDTHS.azimuth


@pytest.mark.parametrize(("apart", "count"), [(4.0, 2), (0.6, 1)])
def test_in_one_direction_ranges_with_a_valley_between_are_two_peaks(apart, count):
    beyond = 0.3 + apart * WIDTHS.inverse_range
    found = taken(hills((1.0, 0.1, 0.1, 0.3), (0.8, 0.1, 0.1, beyond)), 3)
    close = [place for place, height in found if height > 1e-6]
    assert len(close) == count
    assert near(close[0], (0.1, 0.1, 0.3))
    assert count == 1 or near(close[1], (0.1, 0.1, beyond))


def test_where_there_is_none_left_it_says_so():
    spectrum = torch.ones(1, len(GRID.points()))
    apart = Apart(spectrum, GRID, SCALE)
    count = 0
    while bool(apart.take()[1]):
        count += 1
    # every point goes with one that was taken: directions a half-width apart, not points
    assert 1 < count < GRID.shape[1] * GRID.shape[2]
    assert not bool(apart.take()[1])


def test_scenes_are_apart():
    first, second = hills((1.0, -0.4, 0.1, 0.5)), hills((1.0, 0.5, -0.2, 1.0))
    together = Apart(torch.cat((first, second)), GRID, SCALE)
    alone = Apart(second, GRID, SCALE)
    for _ in range(2):
        both, there = together.take()
        one, also = alone.take()
        torch.testing.assert_close(both.places[1], one.places[0])
        assert bool(there[1]) == bool(also[0])


def test_scenes_that_are_kept_go_on_as_they_were():
    spectra = [hills((1.0, -0.4, 0.1, 0.5), (each, 0.5, -0.2, 1.0)) for each in (0.2, 0.5, 0.8)]
    some, alone = Apart(torch.cat(spectra), GRID, SCALE), Apart(spectra[2], GRID, SCALE)
    some.take()
    some.keep(torch.tensor([0, 2]))
    alone.take()
    torch.testing.assert_close(some.take()[0].places[1], alone.take()[0].places[0])


def test_around_an_array_in_space_closeness_is_the_angle():
    points = torch.randn((16, 3), dtype=torch.float64, generator=generator(3)) * 0.15
    scale = Scale(Array(points, 0.3), REGION)
    width = resolution(Array(points, 0.3), REGION).azimuth
    behind = torch.tensor([[3.1, 0.0, 2.0], [-3.1, 0.0, 2.0], [3.1 - 1.1 * width, 0.0, 2.0]])
    search = invert_range(behind.double())
    assert bool(scale.close(search[0], search[1]))  # over ±180°
    assert not bool(scale.close(search[0], search[2]))


def test_a_peak_over_the_seam_of_a_full_circle_is_taken_once():
    points = torch.randn((16, 3), dtype=torch.float64, generator=generator(3)) * 0.15
    array = Array(points, 0.3)
    region = torch.tensor([[-torch.pi, torch.pi], [-0.3, 0.3], [0.5, 10.0]]).double()
    grid, scale = search_grid(array, region, 2.0), Scale(array, region)
    top = torch.tensor([179.9, 0.0, 1.0]).double()
    top[0] = top[0].deg2rad()
    off = scale.directions(grid.points()) - scale.directions(top)
    depth = (grid.points()[:, 2] - 1.0) / scale.depth
    apart = Apart(torch.exp(-off.square().sum(-1) - depth**2)[None] + 1e-9, grid, scale)
    first, there = apart.take()
    second, _ = apart.take()
    assert bool(there)
    assert bool(scale.close(first.places[0, 0], top))
    # a parabola through neighbours half a half-width away
    assert abs(float(first.places[0, 0, 0].abs() - top[0])) < 0.1 * float(grid.steps()[0])
    assert float(second.heights) < 0.1
