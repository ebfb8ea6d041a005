"""Damped, bounded steps with an acceptance test, many problems at once."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.likelihood import Evaluation
from risdoa.minimise import minimise
from risdoa.testing.strategies import seeds
from tests.draws import generator

WIDE = torch.full((2,), 100.0, dtype=torch.float64)


def start(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def quadratic(hessians, targets, curvature=1.0):
    """Return ½(x - t)ᵀH(x - t) + 1, told with a curvature that is wrong by a factor."""

    def evaluate(point, scenes):
        h, off = hessians[scenes], point - targets[scenes]
        gradient = (h @ off[..., None])[..., 0]
        return Evaluation(0.5 * (off * gradient).sum(-1) + 1, gradient, h * curvature)

    return evaluate


def rosenbrock(point, scenes):
    """Return (1 - x)² + 100(y - x²)² with its Gauss–Newton curvature."""
    x, y = point.unbind(-1)
    residual = torch.stack((1 - x, 10 * (y - x**2)), -1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    jacobian = torch.stack((torch.stack((-one, zero), -1), torch.stack((-20 * x, 10 * one), -1)), 1)
    gradient = 2 * (jacobian.mT @ residual[..., None])[..., 0]
    return Evaluation((residual**2).sum(-1), gradient, 2 * jacobian.mT @ jacobian)


def spread(seed, scenes, size=2):
    """Return positive definite matrices and targets."""
    root = torch.randn((scenes, size, size), dtype=torch.float64, generator=generator(seed))
    eye = torch.eye(size, dtype=torch.float64)
    targets = torch.randn((scenes, size), dtype=torch.float64, generator=generator(seed + 1))
    return root @ root.mT + 0.1 * eye, targets


@settings(max_examples=30)
@given(seed=seeds)
def test_a_quadratic_is_minimised_wherever_it_starts(seed):
    hessians, targets = spread(seed, 4)
    end = minimise(quadratic(hessians, targets), torch.zeros_like(targets), -WIDE, WIDE)
    assert bool(end.converged.all())
    # what is promised at the end is below 1e-9 of a cost of 1: ½ λ_min Δ² < 1e-9, λ_min >= 0.1
    torch.testing.assert_close(end.point, targets, rtol=0, atol=2e-4)


@settings(max_examples=30)
@given(seed=seeds)
def test_in_a_box_the_minimum_has_no_way_down_that_stays_inside(seed):
    hessians, targets = spread(seed, 4)
    box = torch.full((2,), 0.3, dtype=torch.float64)
    evaluate = quadratic(hessians, targets)
    end = minimise(evaluate, torch.zeros_like(targets), -box, box)
    assert bool((end.point.abs() <= box).all())
    gradient = evaluate(end.point, torch.arange(4)).gradient
    inner = end.point.abs() < box
    outward = torch.where(end.point > 0, -gradient, gradient)
    slack = 1e-4 * hessians.abs().amax((1, 2))[:, None]  # as exact as the convergence test asks
    assert bool((torch.where(inner, -gradient.abs(), outward) >= -slack).all())


def test_a_narrow_curved_valley_is_followed_to_its_end():
    end = minimise(rosenbrock, start([-1.2, 1.0], [2.0, 2.0]), -WIDE, WIDE, tolerance=0.0)
    torch.testing.assert_close(end.point, torch.ones_like(end.point), rtol=0, atol=1e-7)


@pytest.mark.parametrize("curvature", [0.4, 0.51, 0.6, 3.0])
def test_a_curvature_that_is_wrong_costs_steps_but_not_the_minimum(curvature):
    """Below ½ plain steps overshoot for ever, just above it they cross the valley for long."""
    hessians, targets = spread(0, 8)
    end = minimise(quadratic(hessians, targets, curvature), 0 * targets, -WIDE, WIDE)
    assert bool(end.converged.all())
    assert int(end.iterations.max()) <= 30  # 272 with a damping that only asks whether it fell
    torch.testing.assert_close(end.point, targets, rtol=0, atol=1e-3)


def test_the_cost_never_rises():
    points = []

    def watched(point, scenes):
        result = rosenbrock(point, scenes)
        points.append(float(result.cost))
        return result

    first = start([-1.2, 1.0])
    for iterations in range(1, 12):
        end = minimise(rosenbrock, first, -WIDE, WIDE, iterations)
        points.append(float(end.cost))
    assert points == sorted(points, reverse=True)
    assert float(minimise(watched, first, -WIDE, WIDE).cost) == min(points)


def test_a_start_outside_is_brought_inside_first():
    hessians, targets = spread(1, 1)
    end = minimise(quadratic(hessians, targets), start([5.0, -7.0]), 0 * WIDE, 0 * WIDE + 1)
    assert bool(((end.point >= 0) & (end.point <= 1)).all())


def test_equal_bounds_hold_a_coordinate():
    hessians, targets = spread(2, 3)
    low, high = -WIDE.clone(), WIDE.clone()
    low[0] = high[0] = 0.125
    end = minimise(quadratic(hessians, targets), 0 * targets, low, high)
    assert end.point[:, 0].tolist() == [0.125] * 3
    # the other one at the conditional minimum t - H_12 (x - t)/H_22
    off = 0.125 - targets[:, 0]
    expected = targets[:, 1] - hessians[:, 0, 1] * off / hessians[:, 1, 1]
    torch.testing.assert_close(end.point[:, 1], expected, rtol=0, atol=2e-4)


def test_a_batch_is_a_loop_and_scenes_that_are_done_are_left_alone():
    hessians, targets = spread(3, 5)
    asked = torch.zeros(5, dtype=torch.int64)
    base = quadratic(hessians, targets)

    def counted(point, scenes):
        asked[scenes] += 1
        return base(point, scenes)

    first = targets.clone()
    first[1:] += torch.tensor([1e-6, 1e-2, 1.0, 50.0])[:, None]
    together = minimise(counted, first, -WIDE, WIDE)
    # the done are evaluated along until half of those at work are done, but no longer
    assert bool((asked >= together.iterations + 1).all())
    assert int(asked[0]) < int(asked[4])
    assert int(asked.sum()) <= 2 * int((together.iterations + 1).sum())
    for scene in range(5):
        index = torch.tensor([scene])
        alone = minimise(
            lambda point, _scenes, index=index: base(point, index), first[index], -WIDE, WIDE
        )
        torch.testing.assert_close(together.point[index], alone.point, rtol=0, atol=1e-12)


def test_too_few_iterations_are_told():
    hessians, targets = spread(4, 1)
    end = minimise(quadratic(hessians, targets, 30.0), targets + 9, -WIDE, WIDE, iterations=2)
    assert not bool(end.converged.any())
    assert end.iterations.tolist() == [2]


def test_a_cost_that_is_not_finite_is_never_accepted():
    def broken(point, scenes):
        """A well at 1, with nothing computable beyond."""
        off = point - 1
        cost = torch.where((point > 0.5).any(-1), torch.nan, (off**2).sum(-1))
        eye = torch.eye(2, dtype=point.dtype).expand(len(point), 2, 2)
        return Evaluation(cost, 2 * off, 2 * eye)

    end = minimise(broken, start([0.0, 0.0]), -WIDE, WIDE)
    assert bool(end.cost.isfinite().all())
    assert bool((end.point <= 0.5).all())


@settings(max_examples=20)
@given(scale=st.floats(1e-6, 1e6), offset=st.sampled_from([0.0, 1e-9]))
def test_units_of_the_coordinates_do_not_matter(scale, offset):
    hessians, targets = spread(5, 3)
    units = torch.tensor([1.0, scale], dtype=torch.float64)
    scaled = hessians / units[:, None] / units
    wide = WIDE * units
    end = minimise(quadratic(scaled, targets * units), 0 * targets + offset, -wide, wide)
    torch.testing.assert_close(end.point / units, targets, rtol=0, atol=2e-4)
