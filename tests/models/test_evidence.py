"""The evidence for a source beside others, against likelihoods written out."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from risdoa.conventions import invert_range
from risdoa.grid import search_grid
from risdoa.models.atoms import Atoms
from risdoa.models.evidence import Places, beside, nearest_atom, of_atoms
from risdoa.scan import Matched, likelihood_gain
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.digital import Digital
from risdoa.scenarios.static import Static
from risdoa.testing.strategies import seeds
from tests.models.small import drawn

SCENARIOS = [Canonical, Static, Digital]


def likelihood(problem, scene, positions, powers, noise):
    """Return the log-likelihood of a scene but for a constant, block by block, dense."""
    snapshots = problem.snapshots
    steering = problem.steering(problem.array, positions)
    seen = snapshots.sensing.select(torch.tensor([scene])).observe(steering[None])[0]
    seen = seen.expand(snapshots.count, -1, -1)
    total = 0.0
    for block in range(snapshots.block_count):
        rows = snapshots.block_index == block
        values = snapshots.values[scene, rows].flatten()
        stacked = seen[rows].flatten(0, 1)
        covariance = (stacked * powers) @ stacked.mH + noise * torch.eye(len(values))
        solved = torch.linalg.solve(covariance, values)
        total -= float((values.conj() @ solved).real + torch.linalg.slogdet(covariance)[1])
    return total


def looked_at(scenario, seed=0, sources=2):
    problem, _ = drawn(2, seed, scenario, sources, nx=4, ny=3, snapshots=4)
    grid = search_grid(problem.array, problem.region, 0.5)
    return problem, grid, Matched.prepare(problem, grid)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_evidence_is_what_the_likelihood_gains(scenario):
    problem, grid, matched = looked_at(scenario)
    noise = problem.snapshots.values.abs().square().mean((1, 2)).float()
    found = likelihood_gain(matched, torch.zeros(2, 0, 3), torch.zeros(2, 0), noise)
    none = torch.zeros(0, 3, dtype=torch.float64), torch.zeros(0)
    for scene in range(2):
        before = likelihood(problem, scene, *none, noise[scene].double())
        for point in (0, int(found.value[scene].argmax())):
            gamma = found.powers[scene, point : point + 1].double()
            here = grid.positions()[point : point + 1]
            after = likelihood(problem, scene, here, gamma, noise[scene].double())
            gain = max(0.0, after - before)
            assert float(found.value[scene, point]) == pytest.approx(gain, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_atom_is_left_out_in_turn(scenario):
    problem, grid, matched = looked_at(scenario)
    index = torch.tensor([[3, 13, 27], [10, 22, 0]])
    search = matched.points[index].float()
    powers = torch.tensor([[0.4, 1.0, 0.2], [0.3, 0.1, 0.5]])
    noise = 0.3 * problem.snapshots.values.abs().square().mean((1, 2)).float()
    single = problem.to(dtype=torch.complex64)
    atoms = Atoms.at(single, invert_range(search))
    every = torch.arange(len(matched.points)).expand(2, -1)
    places = Places(single, matched.points[every].float(), matched.norms_at(every))
    nearest, _ = nearest_atom(grid, places.search, search)
    everything, without = beside(places, atoms, atoms.given(powers, noise), nearest)
    at_atoms = invert_range(search.double())
    for scene in range(2):
        for point in (0, 17, int(index[scene, 1])):
            here = grid.positions()[point : point + 1]
            left = torch.arange(3) != nearest[scene, point]
            for found, kept in ((everything, left | True), (without, left)):
                base = at_atoms[scene, kept], powers[scene, kept].double()
                gamma = found.powers[scene, point : point + 1].double()
                sigma = noise[scene].double()
                before = likelihood(problem, scene, *base, sigma)
                both = torch.cat((base[0], here)), torch.cat((base[1], gamma))
                gain = max(0.0, likelihood(problem, scene, *both, sigma) - before)
                assert float(found.value[scene, point]) == pytest.approx(gain, rel=3e-3, abs=3e-3)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_atom_is_weighed_where_it_is(scenario):
    problem, truth = drawn(2, 3, scenario, 3, nx=4, ny=3, snapshots=4)
    powers = torch.tensor([[0.4, 1.0, 0.2], [0.3, 0.1, 0.5]], dtype=torch.float64)
    noise = 0.3 * problem.snapshots.values.abs().square().mean((1, 2))
    found = of_atoms(Atoms.at(problem, truth.positions).given(powers, noise))
    for scene in range(2):
        for atom in range(3):
            kept = torch.arange(3) != atom
            places, sigma = truth.positions[scene], noise[scene]
            without = likelihood(problem, scene, places[kept], powers[scene, kept], sigma)
            trial = powers[scene].clone()
            trial[atom] = found.powers[scene, atom]
            gain = max(0.0, likelihood(problem, scene, places, trial, sigma) - without)
            assert float(found.value[scene, atom]) == pytest.approx(gain, rel=1e-6, abs=1e-6)


def test_an_atom_too_weak_to_be_heard_is_worth_nothing():
    problem, truth = drawn(2, 3, Canonical, 3, nx=4, ny=3, snapshots=4)
    single = problem.to(dtype=torch.complex64)
    powers = torch.tensor([[1e-10, 1.0, 0.5]] * 2)
    noise = problem.snapshots.values.abs().square().mean((1, 2)).float()
    found = of_atoms(Atoms.at(single, truth.positions.float()).given(powers, noise))
    assert bool(found.value.isfinite().all())
    assert float(found.value[:, 0].max()) < 1


@given(seed=seeds, scenario=st.sampled_from(SCENARIOS))
def test_fitted_powers_are_likelier_than_those_they_start_from(seed, scenario):
    problem, truth = drawn(2, seed, scenario, 2, nx=4, ny=3, snapshots=4)
    atoms = Atoms.at(problem, truth.positions)
    noise = problem.snapshots.values.abs().square().mean((1, 2)) / 2
    powers = torch.full((2, 2), 0.05, dtype=torch.float64)
    fitted = atoms.fitted(powers, noise)
    for scene in range(2):
        here = truth.positions[scene]
        first = likelihood(problem, scene, here, powers[scene], noise[scene])
        last = likelihood(problem, scene, here, fitted.powers[scene], fitted.noise[scene])
        assert last > first
        assert math.isfinite(last)


def test_with_many_measurements_fitted_powers_are_the_true_ones():
    problem, truth = drawn(4, 1, Digital, 2, nx=4, ny=3, snapshots=400)
    atoms = Atoms.at(problem, truth.positions)
    noise = problem.snapshots.noise_power
    fitted = atoms.fitted(truth.powers.double() * 0.5, noise.double() * 2)
    torch.testing.assert_close(fitted.powers, truth.powers.double(), rtol=0.35, atol=0)
    torch.testing.assert_close(fitted.noise, noise.double(), rtol=0.1, atol=0)
