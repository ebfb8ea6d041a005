"""What a likelihood says about its optimum."""

from __future__ import annotations

import pytest
import torch

from risdoa.backends.ml_fits import ConditionalFit, StochasticFit, noise_left
from risdoa.backends.ml_trial import Trial, trial_at
from risdoa.conventions import invert_range
from tests.estimation.scenes import scene


@pytest.mark.parametrize("fit", [StochasticFit(), ConditionalFit()])
def test_the_hessian_holds_the_second_differences_of_the_cost(fit):
    known = scene(2, scenes=2, snr_db=5.0)
    start = trial_at(known.problem, invert_range(known.truth.positions))
    end = fit.minimum(known.problem, start, 30)
    evaluate = fit.evaluation(known.problem, 2, 2)
    unit = 1.0 if isinstance(fit, StochasticFit) else noise_left(known.problem, end.cost, 2)
    size, step = end.point.shape[1], 1e-4
    moves = step * torch.eye(size, dtype=torch.float64)
    rows = torch.arange(2)

    def cost(*offsets):
        return evaluate(end.point + sum(offsets), rows).cost / unit

    second = torch.stack(
        [
            torch.stack(
                [
                    cost(a, b) - cost(a, -b) - cost(-a, b) + cost(-a, -b)
                    for b in moves
                ]
            )
            for a in moves
        ]
    ).permute(2, 0, 1) / (4 * step**2)  # fmt: skip
    found = fit.hessian(known.problem, end, 2)
    scale = second.diagonal(dim1=-2, dim2=-1).abs().sqrt()
    scale = scale.unsqueeze(-1) * scale.unsqueeze(-2)
    torch.testing.assert_close(found / scale, second / scale, rtol=0, atol=2e-3)


def test_the_best_sets_are_not_one_set_twice():
    places = torch.tensor([[0.0, 0, 1], [0.01, 0, 1], [0.5, 0, 1], [0.9, 0, 1]]).double()
    cost = torch.tensor([1.0, 1.5, 2.0, 3.0]).double()
    ones = torch.ones(4).double()
    trial = Trial(places.unsqueeze(1), ones.unsqueeze(1), ones, cost)
    apart = torch.tensor([0.1, 0.1, torch.inf]).double()
    assert trial.best(1, 2).cost.tolist() == [1.0, 1.5]
    assert trial.best(1, 2, apart).cost.tolist() == [1.0, 2.0]
    assert trial.best(1, 1, apart).cost.tolist() == [1.0]
    pair = places[[0, 0, 2]].unsqueeze(1)
    alike = Trial(pair, ones[:3].unsqueeze(1), ones[:3], cost[[0, 0, 2]])
    assert alike.best(1, 2, apart).cost.tolist() == [1.0, 2.0]
    assert trial.best(2, 2, apart).cost.tolist() == [1.0, 1.5, 2.0, 3.0]


def test_sources_found_in_another_order_are_the_same_set():
    places = torch.tensor([[0.0, 0, 1], [0.5, 0, 1], [0.9, 0, 1]]).double()
    sets = torch.stack([places[[0, 1]], places[[1, 0]], places[[0, 2]], places[[1, 2]]])
    cost = torch.tensor([2.0, 1.0, 3.0, 2.0]).double()
    trial = Trial(sets, torch.ones(4, 2).double(), torch.ones(4).double(), cost)
    apart = torch.tensor([0.1, 0.1, torch.inf]).double()
    assert trial.repeated(1, apart).tolist() == [True, False, False, False]
    assert trial.repeated(2, apart).tolist() == [True, False, False, False]
    assert trial.best(1, 3, apart).cost.tolist() == [1.0, 2.0, 3.0]
    assert torch.equal(trial.best(1, 3, apart).search[1], sets[3])
