"""Steering tables: two short products where the model factors, one long one elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings

from risdoa.arrays import Array
from risdoa.backends.music import Music
from risdoa.backends.nf_mle import NfMle
from risdoa.conventions import invert_range
from risdoa.grid import search_grid
from risdoa.scan import Correlations, steering_table, steering_vectors
from risdoa.scan.dense import DIRECT, DenseTable, PassingTable, bytes_a_row
from risdoa.scan.low_rank import LOSS, LowRankTable
from risdoa.scan.table import SeparableTable
from risdoa.scenarios.spherical_data import SphericalData
from risdoa.steering.canonical import Canonical
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical
from risdoa.testing.strategies import seeds
from tests.draws import generator, normal
from tests.estimation.scenes import REGION

ARRAYS = {
    "planar": Array.planar(5, 3, 0.3),
    "along x": Array.linear(6, 0.3),
    "along y": Array(Array.linear(6, 0.3).positions[:, [1, 0, 2]], 0.3),
    "uneven": Array(
        torch.cartesian_prod(torch.tensor([-0.2, 0.0, 0.5]), torch.tensor([-0.3, 0.1]))
        .flip(-1)
        .to(torch.float64)
        .mul(torch.tensor([1.0, 1.0]))
        .matmul(torch.eye(2, 3, dtype=torch.float64)),
        0.3,
    ),
}
OTHERS = {
    "circle": Array.circular(8, 0.3),
    "gains": Array(ARRAYS["planar"].positions, 0.3, normal((15,), 6)),
    "another order": Array(ARRAYS["planar"].positions[[1, 0, *range(2, 15)]], 0.3),
    "depth": Array(ARRAYS["planar"].positions + torch.tensor([0.0, 0.0, 0.1]), 0.3),
    "one missing": Array(ARRAYS["planar"].positions[:-1], 0.3),
    "scenes": Array(ARRAYS["planar"].positions.expand(2, -1, -1), 0.3),
}


def products(steering, array, grid, fields):
    """Return aᴴx in double precision, (S, X, P)."""
    vectors = steering(array, invert_range(grid.points()))
    return fields @ vectors.conj()


@settings(max_examples=10)
@given(seed=seeds)
@pytest.mark.parametrize("model", [Canonical(), PlaneWave(), Spherical()])
@pytest.mark.parametrize("name", ARRAYS)
def test_a_table_correlates_fields_with_the_steering_vectors(name, model, seed):
    array = ARRAYS[name]
    grid = search_grid(array, REGION)
    fields = normal((2, 3, array.count), seed)
    table = steering_table(model, array, grid)
    found = table.correlate(fields.to(torch.complex64))
    assert found.shape == (2, 3, table.rows, table.columns)
    expected = products(model, array, grid, fields)
    # 1e-7 for each of N products, and phases of a few hundred rad in single precision
    torch.testing.assert_close(found.flatten(-2), expected.to(torch.complex64), rtol=0, atol=1e-4)


@pytest.mark.parametrize("model", [Canonical(), PlaneWave()])
@pytest.mark.parametrize("name", ARRAYS)
def test_models_that_factor_take_the_short_way_on_product_arrays(name, model):
    array = ARRAYS[name]
    assert isinstance(steering_table(model, array, search_grid(array, REGION)), SeparableTable)


@pytest.mark.parametrize("name", OTHERS)
def test_other_arrays_take_the_long_way_and_say_so(name):
    assert OTHERS[name].lines() is None
    model = Canonical() if OTHERS[name].is_planar else PlaneWave()
    table = steering_table(model, OTHERS[name], search_grid(ARRAYS["planar"], REGION))
    assert isinstance(table, DenseTable)
    assert table.notes == (DIRECT,)


def test_a_table_of_several_arrays_selects_theirs():
    shifts = torch.tensor([0.0, 0.01, 0.02], dtype=torch.float64)[:, None, None]
    array = Array(ARRAYS["planar"].positions + shifts, 0.3)
    table = steering_table(Spherical(), array, search_grid(ARRAYS["planar"], REGION))
    fields = normal((3, 2, 15), 0).to(torch.complex64)
    chosen = torch.tensor([2, 0])
    part = table.select(chosen).correlate(fields[chosen])
    torch.testing.assert_close(part, table.correlate(fields)[chosen])


def own_gains(scenes=3):
    """Return an array whose gains every scene has of its own."""
    return Array(ARRAYS["planar"].positions, 0.3, normal((scenes, 15), 7))


def own_places(scenes=3):
    """Return an array whose elements stand elsewhere in every scene."""
    shifts = 0.02 * normal((scenes, 15, 3), 8).real
    return Array(ARRAYS["planar"].positions + shifts, 0.3)


@pytest.mark.parametrize("array", [ARRAYS["planar"], own_gains(), own_places()])
def test_what_does_not_fit_the_memory_is_made_in_passing(monkeypatch, array):
    grid = search_grid(ARRAYS["planar"], REGION)
    fields = normal((3, 2, 15), 9).to(torch.complex64)
    kept = steering_table(Spherical(), array, grid)
    monkeypatch.setattr("risdoa.scan.dense.KEPT", 1)
    seen = Witness()
    passing = steering_table(seen, array, grid)
    assert isinstance(kept, DenseTable)
    assert isinstance(passing, PassingTable)
    assert (passing.rows, passing.columns, passing.notes) == (kept.rows, kept.columns, kept.notes)
    seen.most, rows = 0, 2 * bytes_a_row(array, passing.columns)
    monkeypatch.setattr("risdoa.scan.dense.AT_ONCE", rows)
    torch.testing.assert_close(passing.correlate(fields), kept.correlate(fields))
    assert seen.most == rows
    monkeypatch.setattr("risdoa.scan.dense.KEPT", 2**30)
    again = steering_table(Spherical(), array, grid)
    torch.testing.assert_close(again.correlate(fields), kept.correlate(fields))
    chosen = torch.tensor([2, 0])
    part = passing.select(chosen).correlate(fields[chosen])
    torch.testing.assert_close(part, kept.correlate(fields)[chosen])


class Witness(Spherical):
    """Remembers the most bytes that it was asked for at once."""

    most = 0

    def __call__(self, array, positions):
        vectors = super().__call__(array, positions)
        self.most = max(self.most, vectors.numel() * vectors.element_size())
        return vectors


SURFACE = Array.planar(12, 12, 0.3)


@pytest.mark.parametrize("nearest", [0.5, 2.0])
@pytest.mark.parametrize("rows_at_once", [1, 7, 1000])
def test_spherical_waves_on_a_lattice_are_sums_of_a_few_products(
    monkeypatch, nearest, rows_at_once
):
    region = torch.cat((REGION[:2], torch.tensor([[nearest, 10.0]]).double()))
    grid = search_grid(SURFACE, region)
    size = rows_at_once * bytes_a_row(SURFACE, len(grid.azimuth))
    monkeypatch.setattr("risdoa.scan.dense.AT_ONCE", size)
    table = steering_table(Spherical(), SURFACE, grid)
    assert isinstance(table, LowRankTable)
    assert 1 < table.rank <= 4
    fields = normal((1, 40, 144), 10)
    found = table.correlate(fields.to(torch.complex64)).flatten(2)
    expected = products(Spherical(), SURFACE, grid, fields)
    off = (found - expected).abs() / torch.linalg.vector_norm(fields, dim=-1, keepdim=True)
    assert 0 < table.lost <= LOSS
    # what is left out is orthogonal to what is kept: ‖a - ã‖² = 1 - ‖ã‖²
    assert float(off.max()) <= table.lost**0.5
    [note] = table.notes
    assert f"sum of {table.rank} products" in note
    assert "at most 0.0" in note


def test_what_a_sum_loses_is_no_less_than_it_says():
    """The steering vectors themselves, as fields: ã is a projection of a, so that ãᴴa = ‖ã‖²."""
    grid = search_grid(SURFACE, REGION)
    table = steering_table(Spherical(), SURFACE, grid)
    vectors = Spherical()(SURFACE, invert_range(grid.points()))
    kept = table.correlate(vectors.mT[None].to(torch.complex64)).flatten(2)[0].diagonal().real
    assert float(1 - kept.min()) == pytest.approx(table.lost, abs=1e-5)


def test_sums_that_take_too_much_memory_are_not_kept(monkeypatch):
    monkeypatch.setattr("risdoa.scan.dense.KEPT", 2**20)
    monkeypatch.setattr("risdoa.scan.dense.AT_ONCE", 2**20)
    table = steering_table(Spherical(), SURFACE, search_grid(SURFACE, REGION))
    assert isinstance(table, PassingTable)


def test_gains_that_factor_make_one_product():
    gains = torch.kron(normal((12,), 11), normal((12,), 12))
    array = Array(SURFACE.positions, 0.3, gains)
    grid = search_grid(SURFACE, REGION)
    table = steering_table(Canonical(), array, grid)
    assert isinstance(table, LowRankTable)
    assert table.rank == 1
    fields = normal((2, 3, 144), 13)
    found = table.correlate(fields.to(torch.complex64)).flatten(2)
    expected = products(Canonical(), array, grid, fields).to(torch.complex64)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-4)


@pytest.mark.parametrize("model", [Canonical(), Spherical()], ids=["factors", "sum"])
def test_a_few_fields_at_a_time_are_all_of_them(monkeypatch, model):
    table = steering_table(model, SURFACE, search_grid(SURFACE, REGION))
    fields = normal((2, 3, 144), 14).to(torch.complex64)
    whole = table.correlate(fields)
    monkeypatch.setattr("risdoa.scan.base.CACHE", 1)
    monkeypatch.setattr("risdoa.scan.base.FEWEST", 1)
    torch.testing.assert_close(table.correlate(fields), whole, rtol=1e-5, atol=1e-5)
    assert table.select(torch.tensor([1])) is table


@pytest.mark.parametrize("model", [Canonical(), Spherical()], ids=["short", "long"])
def test_energies_are_the_same_in_little_memory(monkeypatch, model):
    array = ARRAYS["planar"]
    grid = search_grid(array, REGION)
    fields = normal((3, 15, 2), 4)
    table = steering_table(model, array, grid)
    whole = Correlations(table).energies(fields)
    expected = products(model, array, grid, fields.mT).abs().square().sum(1)
    torch.testing.assert_close(whole, expected.float(), rtol=1e-4, atol=1e-4)
    monkeypatch.setattr("risdoa.scan.energy.MEMORY", 1)
    torch.testing.assert_close(Correlations(table).energies(fields), whole)


@pytest.mark.parametrize("model", [Canonical(), PlaneWave(), Spherical()])
@pytest.mark.parametrize("name", [*ARRAYS, "circle", "another order", "one missing", "scenes"])
def test_steering_vectors_are_those_of_the_model_either_way(name, model):
    array = (ARRAYS | OTHERS)[name]
    positions = invert_range(search_grid(ARRAYS["planar"], REGION).points()[:40])
    positions = positions.unflatten(0, (2, 20))
    expected = model(array, positions)
    found = steering_vectors(model, array, positions)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("backend", [NfMle(), Music()], ids=["nf-mle", "music"])
def test_what_is_found_by_sums_is_what_is_found_directly(monkeypatch, backend):
    """Spherical waves from 0.5 m behind a surface: the same optimum, not just a similar one."""
    problem, _ = SphericalData().sample(6, generator(3), sources=2, snr_db=10.0)
    problem = replace(problem, steering=Spherical())
    by_sums = backend(problem, None, None).positions
    monkeypatch.setattr("risdoa.scan.low_rank.GAIN", 0.0)
    grid = search_grid(problem.array, problem.region)
    assert isinstance(steering_table(Spherical(), problem.array, grid), DenseTable)
    torch.testing.assert_close(
        by_sums, backend(problem, None, None).positions, rtol=1e-4, atol=1e-5
    )
