"""Orthogonal matching pursuit on the measurements, off the grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import torch
from torch import Tensor

from risdoa.backends.base import BatchedBackend
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.grid import Grid, search_grid
from risdoa.likelihood import Evaluation, conditional, grams
from risdoa.minimise import Minimum, minimise
from risdoa.problem import Estimates, Problem
from risdoa.scan import Matched, peaks


class Omp(BatchedBackend):
    """Adds sources one by one where each explains most of what the others leave of y.

    Signals are fitted anew for all sources together in every round, and positions descend jointly
    from the peak between the points of the grid. Needs no covariance and no start.

    ``density`` is the number of grid points per −3 dB half-width, ``iterations`` the most steps of
    a descent.
    """

    def __init__(self, density: float = 1.0, iterations: int = 20) -> None:
        if density <= 0 or iterations < 1:
            raise InputError(
                f"omp needs density > 0 and iterations >= 1, got {density} and {iterations}"
            )
        self.density, self.iterations = density, iterations

    def solve(
        self,
        problem: Problem,
        covariance: Covariance | None,
        start: Estimates | None,
        sources: int,
    ) -> Estimates:
        """Return ``sources`` sources; neither the covariance nor a start is used.

        Raises:
            InputError: there are too few outputs for so many signals.
        """
        grid = search_grid(problem.array, problem.region, self.density)
        return pursued(problem, grid, sources, self.iterations)


def pursued(problem: Problem, grid: Grid, sources: int, iterations: int) -> Estimates:
    """Return the first ``sources`` sources; the objective is the share of energy that is left.

    Raises:
        InputError: there are too few outputs for so many signals.
    """
    snapshots = problem.snapshots
    equations = snapshots.outputs * snapshots.count // snapshots.block_count
    if equations <= sources:
        raise InputError(
            f"to tell {sources} sources by the measurements alone takes more than {sources} "
            f"outputs for every source signal, got {equations}",
            "use fewer sources, or a backend with the stochastic likelihood: nf-mle",
        )
    matched = Matched.prepare(problem, grid)
    end = next(islice(grown(matched, iterations), sources - 1, None))
    values = snapshots.values
    energy = (values.real**2 + values.imag**2).sum((-2, -1)).to(torch.float64)
    found = Estimates.at(
        problem.positions(end.point.unflatten(1, (sources, 3))),
        end.cost / energy.clamp_min(torch.finfo(energy.dtype).tiny),
        matched.table.notes,
    )
    return replace(found, converged=end.converged, iterations=end.iterations)


def grown(matched: Matched, iterations: int) -> Iterator[Minimum]:
    """Yield the fit of one source, of two, and so on: whoever takes them says when to stop.

    The cost is Σ_b ‖Π_b⊥y_b‖², what the sources so far leave unexplained; points are (S, 3K).
    """
    problem, grid = matched.problem, matched.grid
    found = matched.points.new_zeros((problem.scenes, 0, 3))
    while True:
        peak = peaks(matched.spectrum(found), grid, 1).places
        end = descended(problem, torch.cat((found, peak), dim=1), iterations)
        found = end.point.unflatten(1, (-1, 3))
        yield end


def descended(problem: Problem, search: Tensor, iterations: int) -> Minimum:
    """Minimise Σ_b ‖Π_b⊥ y_b‖² over all sources together.

    Shapes:
        search: (S, K, 3) in (φ, θ, w).
    """
    problem = problem.to(dtype=torch.complex128)
    sources = search.shape[1]
    low, high = problem.descent_bounds()

    def evaluate(point: Tensor, index: Tensor) -> Evaluation:
        return conditional(grams(problem.select(index), point.unflatten(1, (sources, 3))))

    bounds = low.repeat(sources), high.repeat(sources)
    return minimise(evaluate, search.flatten(1), *bounds, iterations)
