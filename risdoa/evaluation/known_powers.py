"""The likelihood that knows the powers and the noise: what no estimator can be expected to beat.

With s ~ CN(0, pI) of known p and σ² only the positions are unknown, and the likeliest ones are the
mode of the posterior under a flat prior. They are sought from given starts, the truth among them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from risdoa.backends.ml_fits import Rows
from risdoa.bounds.scenes import noise_of
from risdoa.conventions import invert_range
from risdoa.errors import InputError
from risdoa.likelihood import Evaluation, bent_grams, block_sums, stochastic
from risdoa.minimise import minimise
from risdoa.problem import Estimates, Problem, Truth

ITERATIONS = 50
EQUAL = 1e-6
"""Largest relative difference of powers that count as equal."""


def likeliest(truth: Truth, starts: Sequence[Estimates]) -> Estimates:
    """Return the best optimum of the known-power likelihood behind starts and the truth.

    Args:
        truth: Scenes with one number of sources each, of equal powers, of known noise power. The
            steering model is that of its problem.
        starts: Where to descend from besides; those that lack a source are left out.

    Raises:
        InputError: powers differ between the sources of a scene, or are masked; then a start does
            not say which source has which power. Or the noise power is not known.
    """
    check_known(truth)
    powers, problem = truth.powers, truth.problem.to(dtype=torch.complex128)
    complete = [start for start in starts if start.positions.shape[1] == powers.shape[1]]
    places = [truth.positions, *(start.positions for start in complete)]
    known = [torch.ones_like(truth.mask[:, 0]), *(start.valid.all(-1) for start in complete)]
    search = torch.stack([invert_range(each.to(torch.float64)) for each in places], dim=1)
    ends, cost = _descended(problem, search.flatten(0, 1), powers.to(torch.float64))
    cost = cost.unflatten(0, search.shape[:2]).where(torch.stack(known, dim=1), torch.inf)
    best = cost.argmin(dim=1)
    scenes = torch.arange(len(best), device=best.device)
    chosen = ends.unflatten(0, search.shape[:2])[scenes, best].unflatten(-1, (-1, 3))
    return Estimates.at(problem.positions(chosen), cost[scenes, best])


def check_known(truth: Truth) -> None:
    """Refuse scenes of unequal powers, or whose noise power nobody knows; see :func:`likeliest`.

    Raises:
        InputError: for those.
    """
    powers = truth.powers
    if not bool(truth.mask.all()) or bool((powers.amax(-1) > (1 + EQUAL) * powers.amin(-1)).any()):
        raise InputError(
            "the known-power likelihood needs sources of equal powers in every scene",
            "choose a scenario that makes such, as canonical does",
        )
    noise_of(truth.problem)


def _descended(problem: Problem, search: Tensor, powers: Tensor) -> tuple[Tensor, Tensor]:
    """Return where descents from sets (S·C, K, 3) end, (S·C, 3K), and at what cost, (S·C,)."""
    sets, count = len(search), search.shape[1]
    each = sets // problem.scenes
    powers, noise = (x.repeat_interleave(each, dim=0) for x in (powers, noise_of(problem)))
    rows = Rows(problem, sets)

    def evaluate(point: Tensor, index: Tensor) -> Evaluation:
        """Return the cost of positions alone."""
        stats, bends = bent_grams(rows(index), point.unflatten(1, (count, 3)))
        told = powers[index], noise[index]
        bent = bends.block_sums(stats.blocks)
        found = stochastic(block_sums(stats), *told, bent)
        assert found.hessian is not None
        positions = slice(None, 3 * count)
        return Evaluation(
            found.cost,
            found.gradient[:, positions],
            found.curvature[:, positions, positions],
            found.hessian[:, positions, positions],
        )

    low, high = (bound.repeat(count) for bound in problem.descent_bounds())
    scale = float(problem.snapshots.count * problem.snapshots.outputs)
    end = minimise(evaluate, search.flatten(1), low, high, ITERATIONS, scale=scale)
    return end.point, end.cost
