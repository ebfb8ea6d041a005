"""Damped, bounded Newton minimisation of many small problems at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.likelihood import Evaluation


@dataclass(frozen=True)
class Minimum:
    """Where a batch of minimisations ended.

    Shapes:
        point: (S, Q). cost: (S,). curvature: (S, Q, Q). converged: (S,) bool. iterations: (S,) int.
    """

    point: Tensor
    cost: Tensor
    curvature: Tensor
    converged: Tensor
    iterations: Tensor


def minimise(
    evaluate: Callable[[Tensor, Tensor], Evaluation],
    start: Tensor,
    lower: Tensor,
    upper: Tensor,
    iterations: int = 40,
    tolerance: float = 1e-9,
    scale: float = 0.0,
) -> Minimum:
    """Minimise by Levenberg–Marquardt steps inside a box, with an acceptance test.

    A step solves (H + μ diag H) δ = -g on the coordinates that are not held at a bound, is clipped
    to the box, and is taken only if the cost falls; μ falls where the cost did as the model said,
    and rises where it fell by much less or rose.
    A scene has converged when the decrease that its model promises is below ``tolerance`` times the
    cost (or ``scale``, if that is more), or no step lowers the cost any more. Converged scenes stay
    where they are, and are not evaluated again once half of those at work have converged.

    Shapes:
        evaluate: (points (S', Q), scene indices (S',)) -> Evaluation of those scenes.
        start: (S, Q). lower, upper: (S, Q) or (Q,).
    """
    lower, upper = lower.expand_as(start), upper.expand_as(start)
    point = start.clamp(lower, upper)
    work = torch.arange(len(point), device=point.device)
    state = evaluate(point, work)
    cost, gradient, curvature = state.cost.clone(), state.gradient.clone(), state.curvature.clone()
    damping = torch.full_like(cost, 1e-3)
    done = torch.zeros_like(cost, dtype=torch.bool)
    count = torch.zeros_like(cost, dtype=torch.int64)
    for _ in range(iterations):
        work = _still_at_work(work, done)
        if not len(work):
            break
        bounds = lower[work], upper[work]
        step = _step(point[work], gradient[work], curvature[work], damping[work], *bounds)
        trial = (point[work] + step).clamp(*bounds)
        moved = trial - point[work]
        promise = -_predicted(moved, gradient[work], curvature[work])
        result = evaluate(trial, work)
        better = (result.cost < cost[work]) & ~done[work]
        gain = (cost[work] - result.cost) / promise.clamp_min(1e-300)
        count[work] += ~done[work]
        small = promise.abs() <= tolerance * cost[work].abs().clamp_min(max(scale, 1e-300))
        taken = work[better]
        point[taken] = trial[better]
        cost[taken] = result.cost[better]
        gradient[taken] = result.gradient[better]
        curvature[taken] = result.curvature[better]
        damping[work] = _damped(damping[work], better, gain)
        done[work] |= small | (damping[work] > 1e8)
        damping.clamp_(min=1e-9)
    return Minimum(point, cost, curvature, done, count)


def _still_at_work(work: Tensor, done: Tensor) -> Tensor:
    """Return the problems to evaluate: those at work before, without the done once these are half.

    A regular batch is cheaper for each than a chosen few.
    """
    left = work[~done[work]]
    return left if 2 * len(left) <= len(work) else work


def _damped(damping: Tensor, better: Tensor, gain: Tensor) -> Tensor:
    """Return the next μ: less where the model foretold the decrease, more where it did not.

    A step that lowers the cost by less than a quarter of what was promised has overshot: with a
    curvature that is too small, steps of its length would cross the valley again and again.
    """
    more = (damping * 4).clamp_min(0.5)
    taken = torch.where(gain > 0.75, damping * 0.2, torch.where(gain > 0.25, damping, more))
    return torch.where(better, taken, damping * 8)


def _step(
    point: Tensor,
    gradient: Tensor,
    curvature: Tensor,
    damping: Tensor,
    lower: Tensor,
    upper: Tensor,
) -> Tensor:
    """Return the damped Newton step on the coordinates that may move, 0 on the others.

    A system that rounding has made singular gives no step; more damping then mends it.
    """
    held = ((point <= lower) & (gradient >= 0)) | ((point >= upper) & (gradient <= 0))
    diagonal = curvature.diagonal(dim1=-2, dim2=-1)
    diagonal = diagonal.clamp_min(1e-12 * diagonal.amax(-1, keepdim=True) + 1e-300)
    scale = diagonal.rsqrt()
    scaled = curvature * scale.unsqueeze(-1) * scale.unsqueeze(-2)
    moving = (~held).to(point.dtype)
    scaled = scaled * moving.unsqueeze(-1) * moving.unsqueeze(-2)
    system = scaled + torch.diag_embed(damping.unsqueeze(-1) * moving + (1 - moving) + 1e-12)
    side = (gradient * scale * moving).unsqueeze(-1)
    solved = torch.linalg.solve_ex(system, side)[0].squeeze(-1)
    solved = torch.where(solved.isfinite().all(-1, keepdim=True), solved, 0.0)
    return -solved * scale * moving


def _predicted(moved: Tensor, gradient: Tensor, curvature: Tensor) -> Tensor:
    """Return the change that the quadratic model gives, gᵀδ + ½ δᵀHδ."""
    bent = (curvature @ moved.unsqueeze(-1)).squeeze(-1)
    return (moved * (gradient + 0.5 * bent)).sum(-1)
