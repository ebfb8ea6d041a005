"""Energies over a lattice as a trigonometric polynomial, against sums over all elements."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.arrays import Array
from risdoa.backends.mvdr import Mvdr
from risdoa.conventions import invert_range
from risdoa.grid import Grid, search_grid
from risdoa.scan import Correlations, Lattice, energy_scan, lattice
from risdoa.steering.canonical import Canonical
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical
from risdoa.testing.strategies import seeds
from tests.draws import normal
from tests.estimation.matching import errors
from tests.estimation.scenes import REGION, scene

SINGLE = 2e-6
"""Of a spectrum of orthonormal fields, at most 1: coefficients and products in single precision."""

ARRAYS = {
    "planar": Array.planar(5, 3, 0.3),
    "even": Array.planar(4, 6, 0.3),
    "along x": Array.linear(6, 0.3),
    "along y": Array(Array.linear(6, 0.3).positions[:, [1, 0, 2]], 0.3),
    "one": Array.planar(1, 1, 0.3),
    "shifted and reversed": Array(Array.planar(5, 3, 0.3).positions.flip(0) + 0.1, 0.3),
    "single precision": Array.planar(16, 16, 0.3).to(dtype=torch.float32),
}
ARRAYS["shifted and reversed"] = Array(
    ARRAYS["shifted and reversed"].positions * torch.tensor([1.0, 1.0, 0.0]), 0.3
)


class Bent(Canonical):
    """A model that factors, with waves that are not plane."""

    def lead(self, array, search):
        bend = array.positions[..., :1] ** 2 * torch.sin(search[..., None, :, 0])
        return super().lead(array, search) + bend


class Leaning(Canonical):
    """A model that factors, whose wave along y turns with the azimuth."""

    def lead(self, array, search):
        turn = array.positions[..., 1:2] * torch.sin(search[..., None, :, 0])
        return super().lead(array, search) + turn


def expected(steering, array, grid, fields):
    """Return ‖Xᴴa‖² by sums over all elements in double precision, (S, P)."""
    vectors = steering(array, invert_range(grid.points().to(array.positions)))
    return (fields.mH @ vectors.to(fields.dtype)).abs().square().sum(1)


def basis(scenes, elements, width, seed):
    """Return orthonormal fields, so that no energy exceeds 1."""
    return torch.linalg.qr(normal((scenes, elements, width), seed))[0][..., :width]


@settings(max_examples=10)
@given(seed=seeds, width=st.integers(1, 4))
@pytest.mark.parametrize("model", [Canonical(), PlaneWave()])
@pytest.mark.parametrize("name", ARRAYS)
def test_the_polynomial_is_the_sum_over_all_elements(name, model, seed, width):
    array = ARRAYS[name]
    grid = search_grid(ARRAYS["planar"], REGION)
    fields = basis(2, array.count, min(width, array.count), seed)
    found = lattice(model, array, grid).energies(fields)
    assert found.shape == (2, len(grid.points()))
    wanted = expected(model, array, grid, fields)
    torch.testing.assert_close(found, wanted.float(), rtol=0, atol=SINGLE)


def test_behind_the_array_and_at_infinity():
    grid = Grid(
        torch.linspace(-3.1, 3.1, 9).double(),
        torch.linspace(-1.5, 1.5, 4).double(),
        torch.tensor([0.0, 1.0]).double(),
    )
    fields = basis(1, 15, 2, 0)
    found = lattice(Canonical(), ARRAYS["planar"], grid).energies(fields)
    wanted = expected(Canonical(), ARRAYS["planar"], grid, fields)
    torch.testing.assert_close(found, wanted.float(), rtol=0, atol=SINGLE)


def test_a_peak_is_one():
    known = scene(3, steering=Canonical(), array=Array.planar(12, 12, 0.3))
    search = invert_range(known.truth.positions)[0]
    for at in search:
        grid = Grid(*(value.reshape(1) for value in at))
        found = lattice(Canonical(), known.problem.array, grid)
        value = found.energies(known.truth.covariance.signal_subspace(3))
        assert float(value) == pytest.approx(1, abs=SINGLE)


@pytest.mark.parametrize("memory", [1, 60_000])
def test_little_memory_changes_nothing(monkeypatch, memory):
    """One plane of one scene at a time, and some of the planes."""
    array = ARRAYS["planar"]
    grid = search_grid(Array.planar(12, 12, 0.3), REGION)
    fields = basis(3, 15, 2, 1)
    whole = lattice(Canonical(), array, grid).energies(fields)
    monkeypatch.setattr("risdoa.scan.polynomial.MEMORY", memory)
    monkeypatch.setattr("risdoa.scan.polynomial.BUFFER", memory)
    parts = lattice(Canonical(), array, grid).energies(fields)
    torch.testing.assert_close(parts, whole, rtol=0, atol=SINGLE)


def test_the_result_goes_where_it_is_wanted():
    grid = search_grid(ARRAYS["planar"], REGION)
    scan, fields = lattice(Canonical(), ARRAYS["planar"], grid), basis(2, 15, 2, 2)
    out = torch.full((2, len(grid.points())), torch.nan)
    assert scan.energies(fields, out) is out
    torch.testing.assert_close(out, scan.energies(fields))


UNEVEN = Array(Array.planar(5, 3, 0.3).positions ** 3, 0.3)


@pytest.mark.parametrize(
    ("model", "array"),
    [
        (Spherical(), ARRAYS["planar"]),
        (Canonical(), UNEVEN),
        (Canonical(), Array.circular(8, 0.3)),
        (Bent(), ARRAYS["planar"]),
        (Leaning(), ARRAYS["planar"]),
    ],
    ids=["model", "spacing", "product", "waves", "rows"],
)
def test_what_is_no_polynomial_is_correlated(model, array):
    grid = search_grid(Array.planar(20, 20, 0.3), REGION)
    assert lattice(model, array, grid) is None
    assert isinstance(energy_scan(model, array, grid, 4), Correlations)


def test_the_cheaper_scan_is_taken():
    array = Array.planar(12, 12, 0.3)
    coarse, fine = (search_grid(array, REGION, density) for density in (0.5, 4.0))
    assert isinstance(energy_scan(Canonical(), array, coarse, 1), Correlations)
    assert isinstance(energy_scan(Canonical(), array, fine, 3), Lattice)
    fields = basis(2, 144, 3, 3)
    found = energy_scan(Canonical(), array, coarse, 1).energies(fields)
    other = lattice(Canonical(), array, coarse).energies(fields)
    torch.testing.assert_close(found, other, rtol=0, atol=1e-4)  # phases of the table in single


def test_backends_end_at_the_same_places_either_way(monkeypatch):
    known = scene(2, steering=Canonical(), array=Array.planar(12, 12, 0.3), direct=True, scenes=2)
    covariance = known.truth.covariance
    ends = []
    for choice in (1e-9, 1e9):
        monkeypatch.setattr("risdoa.scan.energy.SHORT", choice)
        ends.append(Mvdr()(known.problem, covariance, None).positions)
    assert float(errors(*ends).max()) < 1e-6
