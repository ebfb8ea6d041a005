"""Damped, bounded Newton minimisation of many small problems at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.likelihood import Evaluation

BENT = 0.25
"""Least share of the curvature that a Hessian must have in every direction to be relied on."""


@dataclass(frozen=True)
class Minimum:
    """Where a batch of minimisations ended.

    Shapes:
        point: (S, Q). cost: (S,). curvature: (S, Q, Q). converged: (S,) bool. iterations: (S,) int.
        hessian: (S, Q, Q), or None if what was minimised did not tell it.
    """

    point: Tensor
    cost: Tensor
    curvature: Tensor
    converged: Tensor
    iterations: Tensor
    hessian: Tensor | None = None


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
    and rises where it fell by much less or rose. H is the Hessian where there is one that is safely
    positive, and the curvature elsewhere.
    A scene has converged when the decrease that its model promises is below ``tolerance`` times the
    cost (or ``scale``, if that is more), or no step lowers the cost any more. Converged scenes stay
    where they are, and are not evaluated again once half of those at work have converged.

    Shapes:
        evaluate: (points (S', Q), scene indices (S',)) -> Evaluation of those scenes.
        start: (S, Q). lower, upper: (S, Q) or (Q,).
    """
    lower, upper = lower.expand_as(start), upper.expand_as(start)
    work = torch.arange(len(start), device=start.device)
    state = _State.at(start.clamp(lower, upper), work, evaluate)
    damping = torch.full_like(state.cost, 1e-3)
    done = torch.zeros_like(state.cost, dtype=torch.bool)
    count = torch.zeros_like(state.cost, dtype=torch.int64)
    for _ in range(iterations):
        here, bounds = state.rows(work), (lower[work], upper[work])
        step = _step(here.point, here.gradient, here.model, damping[work], *bounds)
        trial = (here.point + step).clamp(*bounds)
        promise = -_predicted(trial - here.point, here.gradient, here.model)
        least = tolerance * here.cost.abs().clamp_min(max(scale, 1e-300))
        done[work] |= promise.abs() <= least
        left = _still_at_work(work, done)
        if not len(left):
            break
        if len(left) < len(work):
            kept = ~done[work]
            trial, promise, work = trial[kept], promise[kept], left
        result = _State.at(trial, work, evaluate)
        fallen = state.cost[work] - result.cost
        better = (fallen > 0) & ~done[work]
        count[work] += ~done[work]
        state.take(work[better], result.rows(better))
        damping[work] = _damped(damping[work], better, fallen / promise.clamp_min(1e-300))
        done[work] |= damping[work] > 1e8
        damping.clamp_(min=1e-9)
    return Minimum(state.point, state.cost, state.curvature, done, count, state.hessian)


@dataclass(frozen=True)
class _State:
    """Points with all that is known of them, and the matrix H of the next step."""

    point: Tensor
    cost: Tensor
    gradient: Tensor
    curvature: Tensor
    hessian: Tensor | None
    model: Tensor

    @classmethod
    def at(
        cls, point: Tensor, work: Tensor, evaluate: Callable[[Tensor, Tensor], Evaluation]
    ) -> _State:
        """Return what there is to know of points."""
        found = evaluate(point, work)
        cost, gradient = found.cost.clone(), found.gradient.clone()
        model = _relied_on(found.curvature, found.hessian)
        return cls(point, cost, gradient, found.curvature.clone(), found.hessian, model)

    def rows(self, chosen: Tensor) -> _State:
        """Return the chosen points."""
        bent = None if self.hessian is None else self.hessian[chosen]
        return _State(
            self.point[chosen],
            self.cost[chosen],
            self.gradient[chosen],
            self.curvature[chosen],
            bent,
            self.model[chosen],
        )

    def take(self, rows: Tensor, other: _State) -> None:
        """Replace some of the points."""
        self.point[rows], self.cost[rows] = other.point, other.cost
        self.gradient[rows], self.curvature[rows] = other.gradient, other.curvature
        self.model[rows] = other.model
        if self.hessian is not None and other.hessian is not None:
            self.hessian[rows] = other.hessian


def _relied_on(curvature: Tensor, hessian: Tensor | None) -> Tensor:
    """Return the Hessian where it bends at least ``BENT`` of the curvature, else the curvature."""
    if hessian is None:
        return curvature.clone()
    least = hessian - BENT * curvature
    safe = torch.linalg.cholesky_ex(least)[1] == 0
    return torch.where(safe[:, None, None], hessian, curvature)


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
