"""Steering tables: two short products where the model factors, one long one elsewhere."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings

from risdoa.arrays import Array
from risdoa.conventions import invert_range
from risdoa.grid import search_grid
from risdoa.scan import Correlations, steering_table, steering_vectors
from risdoa.scan.table import DenseTable, SeparableTable
from risdoa.steering.canonical import Canonical
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical
from risdoa.testing.strategies import seeds
from tests.draws import normal
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
    "gains": Array(ARRAYS["planar"].positions, 0.3, torch.ones(15, dtype=torch.complex128)),
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
def test_other_arrays_take_the_long_way(name):
    assert OTHERS[name].lines() is None
    model = Canonical() if OTHERS[name].is_planar else PlaneWave()
    table = steering_table(model, OTHERS[name], search_grid(ARRAYS["planar"], REGION))
    assert isinstance(table, DenseTable)


def test_a_table_of_several_arrays_selects_theirs():
    shifts = torch.tensor([0.0, 0.01, 0.02], dtype=torch.float64)[:, None, None]
    array = Array(ARRAYS["planar"].positions + shifts, 0.3)
    table = steering_table(Spherical(), array, search_grid(ARRAYS["planar"], REGION))
    fields = normal((3, 2, 15), 0).to(torch.complex64)
    chosen = torch.tensor([2, 0])
    part = table.select(chosen).correlate(fields[chosen])
    torch.testing.assert_close(part, table.correlate(fields)[chosen])


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
