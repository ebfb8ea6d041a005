"""The power that a unit source at a grid point brings to the outputs, against G_l a itself."""

from __future__ import annotations

import pytest
import torch

from risdoa.arrays import Array
from risdoa.frozen import changed
from risdoa.grid import Grid, search_grid
from risdoa.scan import norms as module
from risdoa.scan.lags import norms_by_lags
from risdoa.scan.norms import block_norms
from risdoa.scan.polynomial import lattice
from risdoa.scan.table import steering_table
from risdoa.scenarios.canonical import Canonical as CanonicalScenario
from risdoa.sensing import RisCoded
from risdoa.steering.canonical import Canonical
from tests.draws import normal
from tests.estimation.scenes import SHARING, scene

GRID = Grid(
    torch.linspace(-0.8, 0.8, 5, dtype=torch.float64),
    torch.linspace(-0.4, 0.4, 3, dtype=torch.float64),
    torch.tensor([0.1, 0.5, 1.5], dtype=torch.float64),
)


def expected(problem, sensing):
    matrix, steering = sensing.matrix(), problem.steering(problem.array, GRID.positions())
    matrix = matrix if matrix.ndim == 4 else matrix.unsqueeze(0)
    seen = matrix @ (steering if steering.ndim == 2 else steering.unsqueeze(1))
    norms = (seen.abs() ** 2).sum(-2)
    blocks = problem.snapshots.block_index
    return torch.stack([norms[:, blocks == block].sum(1) for block in blocks.unique()], dim=1)


@pytest.mark.parametrize("labels", SHARING.values(), ids=SHARING.keys())
@pytest.mark.parametrize("shared", ["nothing", "channel", "codes", "both"])
@pytest.mark.parametrize(("outputs", "rows"), [(8, 6), (2, 6), (8, 1)], ids=["gram", "few", "line"])
def test_the_norms_are_those_of_the_products(labels, shared, outputs, rows, monkeypatch):
    known = scene(1, scenes=3, blocks=labels, array=Array.planar(6, rows, 0.3), outputs=outputs)
    problem, length, elements = known.problem, known.problem.snapshots.count, 6 * rows
    monkeypatch.setattr(module, "CHUNK", 1)
    sensing = RisCoded(
        normal((*(() if shared in {"channel", "both"} else (3,)), outputs, elements), 1),
        normal((*(() if shared in {"codes", "both"} else (3,)), length, elements), 2),
    )
    problem = changed(problem, snapshots=changed(problem.snapshots, sensing=sensing))
    table = steering_table(problem.steering, problem.array, GRID)
    found = block_norms(problem, table, GRID).flatten(2).to(torch.float64)
    reference = expected(problem, sensing)
    torch.testing.assert_close(found, reference, rtol=0, atol=1e-5 * float(reference.max()))


def test_arrays_of_their_own_have_norms_of_their_own_behind_one_surface():
    known = scene(1, scenes=3, outputs=4)
    problem, elements = known.problem, known.problem.array.count
    gains = 1 + 0.5 * normal((3, elements), 5)
    sensing = RisCoded(normal((4, elements), 1), normal((problem.snapshots.count, elements), 2))
    problem = changed(
        problem,
        array=changed(problem.array, gains=gains),
        snapshots=changed(problem.snapshots, sensing=sensing),
    )
    table = steering_table(problem.steering, problem.array, GRID)
    found = block_norms(problem, table, GRID).flatten(2).to(torch.float64)
    reference = expected(problem, sensing)
    assert found.shape[0] == 3
    torch.testing.assert_close(found, reference, rtol=0, atol=1e-5 * float(reference.max()))


@pytest.mark.parametrize("shared", ["nothing", "channel", "codes", "both"])
@pytest.mark.parametrize("size", [(6, 5), (4, 1), (1, 4)], ids=["plane", "row", "column"])
def test_lags_on_a_lattice_give_the_same_norms(shared, size):
    array = Array.planar(*size, 0.3)
    problem = scene(1, scenes=3, array=array, steering=Canonical()).problem
    length, elements = problem.snapshots.count, array.count
    sensing = RisCoded(
        normal((*(() if shared in {"channel", "both"} else (3,)), 8, elements), 1),
        normal((*(() if shared in {"codes", "both"} else (3,)), length, elements), 2),
    )
    waves = lattice(problem.steering, problem.array, GRID)
    found = norms_by_lags(sensing.to(None, torch.complex64), waves).flatten(2).to(torch.float64)
    matrix, steering = sensing.matrix(), problem.steering(problem.array, GRID.positions())
    seen = (matrix if matrix.ndim == 4 else matrix.unsqueeze(0)) @ steering
    reference = seen.abs().square().sum(-2)
    torch.testing.assert_close(found, reference, rtol=0, atol=1e-5 * float(reference.max()))


def test_a_weak_channel_has_the_norms_that_it_has_alone():
    problem, _ = CanonicalScenario().sample(2, torch.Generator().manual_seed(0), sources=1)
    grid = search_grid(problem.array, problem.region)
    waves = lattice(problem.steering, problem.array, grid)
    sensing = problem.snapshots.sensing.to(None, torch.complex64)
    strength = torch.tensor([1.0, 1e-4]).view(2, 1, 1)
    both = norms_by_lags(changed(sensing, channel=sensing.channel * strength), waves)
    alone = norms_by_lags(sensing, waves) * strength.view(2, 1, 1, 1) ** 2
    for found, expected_norms in zip(both, alone, strict=True):
        largest = float(expected_norms.max())
        torch.testing.assert_close(found, expected_norms, rtol=0, atol=1e-5 * largest)


def test_the_canonical_scenario_goes_by_lags(monkeypatch):
    problem, _ = CanonicalScenario().sample(2, torch.Generator().manual_seed(0), sources=1)
    grid = search_grid(problem.array, problem.region)
    table = steering_table(problem.steering, problem.array, grid)
    by_lags = block_norms(problem, table, grid)
    monkeypatch.setattr(module, "lags_are_fewer", lambda *_: False)
    by_lines = block_norms(problem, table, grid)
    torch.testing.assert_close(by_lags, by_lines, rtol=0, atol=1e-5 * float(by_lines.max()))
    assert not torch.equal(by_lags, by_lines)
