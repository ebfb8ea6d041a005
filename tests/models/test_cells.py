"""Cells of a grid: two places along each axis, pooled by their mass."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from risdoa.conventions import invert_range
from risdoa.grid import Grid, search_grid
from risdoa.models.anchors import offsets_of, shifted
from risdoa.models.cells import halved, pooled, volumes
from risdoa.testing.strategies import seeds
from tests.models.small import drawn

counts = st.integers(1, 5)


def grid(azimuths, elevations, ranges, full_circle=False):
    axes = [
        torch.linspace(low, high, count, dtype=torch.float64)
        for low, high, count in ((-0.9, 0.8, azimuths), (-0.4, 0.5, elevations), (0.1, 1.4, ranges))
    ]
    return Grid(*(axis.sin() for axis in axes), full_circle=full_circle)


@given(counts, counts, counts)
def test_every_place_is_in_its_cell_and_on_the_axis(azimuths, elevations, ranges):
    coarse = grid(azimuths, elevations, ranges)
    finer = halved(coarse)
    for axis, fine in zip(coarse.axes, finer.axes, strict=True):
        assert len(fine) == (1 if len(axis) == 1 else 2 * len(axis))
        assert bool((fine.diff() > 0).all())
        assert axis[0] <= fine[0]
        assert fine[-1] <= axis[-1]
        nearest = (fine[:, None] - axis).abs().argmin(1)
        assert torch.equal(nearest, torch.arange(len(fine)) // (len(fine) // len(axis)))


def test_on_a_full_circle_the_places_are_evenly_apart():
    azimuth = torch.arange(8, dtype=torch.float64) * math.tau / 8 - math.pi
    lone = torch.zeros(1, dtype=torch.float64)
    fine = halved(Grid(azimuth, lone, lone, full_circle=True)).azimuth
    steps = torch.cat((fine, fine[:1] + math.tau)).diff()
    torch.testing.assert_close(steps, torch.full_like(steps, math.tau / 16))


@given(counts, counts, counts, seeds)
def test_a_cell_has_the_mass_of_its_places(azimuths, elevations, ranges, seed):
    coarse = grid(azimuths, elevations, ranges)
    finer = halved(coarse).points()
    values = torch.rand(3, len(finer), generator=torch.Generator().manual_seed(seed))
    total, best = pooled(coarse, values)
    apart = (finer[:, None] - coarse.points()).square()
    cell = apart.sum(-1).argmin(1)
    for scene in range(3):
        for point in range(len(coarse.points())):
            members = torch.nonzero(cell == point).flatten()
            expected = float(values[scene, members].logsumexp(0))
            assert float(total[scene, point]) == pytest.approx(expected, rel=1e-6)
            assert int(best[scene, point]) == int(members[values[scene, members].argmax()])


@given(counts, counts, counts)
def test_volumes_are_those_of_boxes_in_angles_and_range(azimuths, elevations, ranges):
    coarse = grid(azimuths, elevations, ranges)
    share = volumes(coarse)
    assert float(share.sum()) == pytest.approx(1)
    drawn = torch.rand(200_000, 3, generator=torch.Generator().manual_seed(1)).double()
    bounds = torch.stack([torch.stack((x[0], x[-1])) for x in coarse.axes])
    bounds[2] = bounds[2].flip(0).reciprocal()
    places = bounds[:, 0] + drawn * bounds.diff(dim=1).squeeze(1)
    places[:, 2] = places[:, 2].reciprocal()
    inside = [
        cell_of(axis, place.contiguous())
        for axis, place in zip(coarse.axes, places.unbind(1), strict=True)
    ]
    shape = halved(coarse).shape
    flat = (inside[2] * shape[1] + inside[1]) * shape[2] + inside[0]
    expected = torch.bincount(flat, minlength=len(share)) / len(drawn)
    scatter = (share / len(drawn)).sqrt()
    assert float(((share - expected.double()) / scatter).abs().max()) < 6


def cell_of(axis, places):
    """Return the halves of cells in which places lie."""
    if len(axis) == 1:
        return torch.zeros(len(places), dtype=torch.int64)
    edges = torch.cat((axis[:1], (axis[1:] + axis[:-1]) / 2, axis[-1:]))
    middles = (edges[1:] + edges[:-1]) / 2
    return torch.bucketize(places, torch.cat((edges[1:-1], middles)).sort().values)


def test_offsets_lead_from_the_grid_to_the_place():
    problem, _ = drawn(2)
    coarse = search_grid(problem.array, problem.region, 0.7)
    index = torch.arange(len(coarse.points())).expand(2, -1)
    places = coarse.points() * torch.tensor((0.97, 0.96, 1.0), dtype=torch.float64)
    back = shifted(coarse, index, offsets_of(coarse, places).expand(2, -1, -1), problem)
    torch.testing.assert_close(invert_range(back[0]), places)
