"""The likelihood that knows powers and noise, against dense covariance matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from risdoa.conventions import invert_range
from risdoa.errors import InputError
from risdoa.evaluation.known_powers import likeliest
from risdoa.problem import Estimates
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.static import Static
from tests.draws import generator

SIZES = {"nx": 6, "ny": 6, "outputs": 6, "snapshots": 5}


def drawn(kind=Canonical, seed=1, sources=2, snr_db=5.0, count=6):
    return kind(**SIZES).sample(count, generator(seed), sources=sources, snr_db=snr_db)[1]


def dense_cost(truth, positions):
    """Return Σ_b log|R_b| + y_bᴴR_b⁻¹y_b of every scene, snapshots of a block stacked."""
    problem = truth.problem
    steering = problem.steering(problem.array, positions)
    seen = problem.snapshots.sensing.observe(steering.to(torch.complex128))
    seen = seen.expand(-1, problem.snapshots.count, -1, -1)
    costs = []
    for scene in range(problem.scenes):
        blocks = problem.snapshots.block_index
        cost = 0.0
        for block in range(problem.snapshots.block_count):
            chosen = torch.nonzero(blocks == block).squeeze(-1)
            matrix = seen[scene, chosen].flatten(0, 1).numpy()
            values = problem.snapshots.values[scene, chosen].flatten().numpy()
            noise = float(problem.snapshots.noise_power[scene])
            covariance = matrix @ np.diag(truth.powers[scene].numpy()) @ matrix.conj().T
            covariance = covariance + noise * np.eye(len(covariance))
            cost += np.linalg.slogdet(covariance)[1]
            cost += (values.conj() @ np.linalg.solve(covariance, values)).real
        costs.append(cost)
    return torch.tensor(costs)


def anywhere(truth, seed):
    low, high = truth.problem.search_bounds()
    share = torch.rand(truth.positions.shape, generator=generator(seed), dtype=torch.float64)
    places = invert_range(low + (high - low) * share)
    return Estimates.at(places, places.new_zeros(len(places)))


@pytest.mark.parametrize("kind", [Canonical, Static])
def test_the_objective_is_that_of_dense_matrices_and_has_fallen(kind):
    truth = drawn(kind)
    found = likeliest(truth, [])
    torch.testing.assert_close(found.objective, dense_cost(truth, found.positions))
    assert bool((found.objective < dense_cost(truth, truth.positions)).all())


@pytest.mark.parametrize("kind", [Canonical, Static])
def test_it_is_an_optimum(kind):
    truth = drawn(kind, sources=1, snr_db=20.0)
    found = likeliest(truth, [])
    inside = truth.problem.search_bounds()
    for axis in range(3):
        for step in (-1e-3, 1e-3):
            moved = invert_range(found.positions)
            moved[..., axis] = (moved[..., axis] + step).clamp(inside[0][axis], inside[1][axis])
            assert bool((dense_cost(truth, invert_range(moved)) >= found.objective - 1e-9).all())


def test_more_starts_are_never_worse_and_an_incomplete_one_does_not_count():
    truth = drawn(snr_db=-5.0, count=20)
    alone, start = likeliest(truth, []), anywhere(truth, 3)
    more = likeliest(truth, [start])
    assert bool((more.objective <= alone.objective + 1e-6).all())
    assert bool((more.objective < alone.objective - 0.1).any())
    lacking = replace(start, valid=torch.zeros_like(start.valid))
    torch.testing.assert_close(likeliest(truth, [lacking]).objective, alone.objective)
    fewer = Estimates.at(start.positions[:, :1], start.objective)
    torch.testing.assert_close(likeliest(truth, [fewer]).objective, alone.objective)


def test_unequal_powers_are_refused():
    truth = drawn()
    powers = truth.powers * torch.tensor([1.0, 2.0])
    with pytest.raises(InputError, match="equal powers"):
        likeliest(replace(truth, powers=powers), [])
    masked = replace(truth, mask=truth.mask & torch.tensor([True, False]))
    with pytest.raises(InputError, match="equal powers"):
        likeliest(masked, [])
