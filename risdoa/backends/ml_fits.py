"""The two likelihoods as something to scan and to descend, for many sets of sources at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from risdoa.backends.ml_trial import Trial, mean_power, outputs_of
from risdoa.errors import InputError
from risdoa.likelihood import (
    Bends,
    Evaluation,
    Grams,
    bent_grams,
    conditional,
    grams,
    stochastic,
)
from risdoa.minimise import Minimum, minimise
from risdoa.problem import Problem
from risdoa.scan import Matched, likelihood_gain

NOISE_FLOOR = {torch.complex64: 1e-6, torch.complex128: 1e-10}
"""Least noise power over the mean output power; below, VᴴR⁻¹V is lost to cancellation."""

ROUGH = 1e-5
"""What a descent within a search may leave, over the cost or the number of outputs."""

SETTLED, SETTLING = 1e-6, 12
"""What a descent in single precision may leave before the last one, and its most steps."""


class Rows:
    """The problem of some sets of sources: all of them, or those that a descent still works on."""

    def __init__(self, problem: Problem, sets: int) -> None:
        self._problem, self._sets = problem, sets // problem.scenes
        self._last = torch.arange(sets, device=problem.region.device)
        self._selected = problem

    def __call__(self, rows: Tensor) -> Problem:
        """Return the problem with a scene, or a group of sets of one, for each of the rows."""
        if not torch.equal(rows, self._last):
            whole = len(rows) == self._sets * self._problem.scenes
            chosen = self._problem if whole else self._problem.select(rows // self._sets)
            self._last, self._selected = rows, chosen
        return self._selected


class Fit(ABC):
    """How a likelihood is scanned and minimised, and what its optimum says about errors."""

    @abstractmethod
    def gain(self, matched: Matched, beside: Trial) -> tuple[Tensor, Tensor]:
        """Return what a further source at every grid point is worth, and its power, (S·C, P)."""

    @abstractmethod
    def unit(self, problem: Problem, trial: Trial) -> Tensor:
        """Return the gain that is worth one unit of log-likelihood, (S·C,)."""

    @abstractmethod
    def evidence(self, matched: Matched, beside: Trial) -> Tensor:
        """Return by how much a further source raises the log-likelihood, at its best, (S·C,)."""

    @abstractmethod
    def minimum(
        self,
        problem: Problem,
        start: Trial,
        iterations: int,
        tolerance: float = 1e-9,
        *,
        newton: bool = True,
    ) -> Minimum:
        """Return the minimum from sets of sources, C for each of the S scenes.

        With ``newton`` by true second derivatives, which are worth their price near the end, and
        without by those that are expected.
        """

    @abstractmethod
    def trial(self, end: Minimum, start: Trial) -> Trial:
        """Return the sets of sources at a minimum that was reached from ``start``."""

    @abstractmethod
    def evaluation(
        self, problem: Problem, sets: int, sources: int, *, newton: bool = False
    ) -> Callable[[Tensor, Tensor], Evaluation]:
        """Return what evaluates ``sets`` points (rows, Q), given which of the sets they are."""

    @abstractmethod
    def hessian(self, problem: Problem, end: Minimum, sources: int) -> Tensor:
        """Return the second derivatives of the negative log-likelihood at a minimum, (S, Q, Q)."""

    @abstractmethod
    def information(self, problem: Problem, end: Minimum, sources: int) -> Tensor:
        """Return the information at the minimum, positions first."""

    @abstractmethod
    def objective(self, problem: Problem, cost: Tensor, unit: Tensor) -> Tensor:
        """Return the cost in the units of the data, of which ``unit`` (S,) was the mean power."""

    def descended(self, problem: Problem, start: Trial, iterations: int) -> Trial:
        """Return the sets of sources after a descent that need not be exact."""
        end = self.minimum(problem, start, iterations, ROUGH, newton=False)
        return self.trial(end, start)

    def settled(self, problem: Problem, start: Trial) -> Trial:
        """Return the sets of sources from where a last descent in double precision is short."""
        end = self.minimum(problem, start, SETTLING, SETTLED, newton=False)
        return self.trial(end, start)


class ConditionalFit(Fit):
    """Variable projection: Σ_b ‖Π_b⊥ y_b‖²."""

    def gain(self, matched: Matched, beside: Trial) -> tuple[Tensor, Tensor]:
        """Return the energy that a further source explains; its power plays no part."""
        spectrum = matched.spectrum(beside.search)
        return spectrum, torch.ones_like(spectrum)

    def unit(self, problem: Problem, trial: Trial) -> Tensor:
        """Return the noise power that is left, by degrees of freedom."""
        return noise_left(problem, _residual(problem, trial), trial.sources)

    def evidence(self, matched: Matched, beside: Trial) -> Tensor:
        """Return the most energy that a further source explains, over the noise power left."""
        return self.gain(matched, beside)[0].amax(-1) / self.unit(matched.problem, beside)

    def evaluation(
        self, problem: Problem, sets: int, sources: int, *, newton: bool = False
    ) -> Callable[[Tensor, Tensor], Evaluation]:
        """Return the residual energy of points; see :meth:`Fit.evaluation`."""
        rows = Rows(problem, sets)

        def evaluate(point: Tensor, index: Tensor) -> Evaluation:
            stats = _statistics(rows(index), point.unflatten(1, (sources, 3)), newton)
            return conditional(*stats).to(torch.float64)

        return evaluate

    def hessian(self, problem: Problem, end: Minimum, sources: int) -> Tensor:
        """Return the second derivatives of the residual energy over the noise power left."""
        left = noise_left(problem, end.cost, sources)
        return _known(end.hessian) / left[:, None, None]

    def minimum(
        self,
        problem: Problem,
        start: Trial,
        iterations: int,
        tolerance: float = 1e-9,
        *,
        newton: bool = True,
    ) -> Minimum:
        """Return the minimum over positions; see :meth:`Fit.minimum`."""
        sources = start.sources
        low, high = problem.descent_bounds()
        evaluate = self.evaluation(problem, len(start.search), sources, newton=newton)
        first = start.search.flatten(1)
        bounds = low.repeat(sources), high.repeat(sources)
        return minimise(evaluate, first, *bounds, iterations, tolerance)

    def trial(self, end: Minimum, start: Trial) -> Trial:
        """Return the sets of sources at a minimum; see :meth:`Fit.trial`."""
        return Trial(end.point.view_as(start.search), start.powers, start.noise, end.cost)

    def information(self, problem: Problem, end: Minimum, sources: int) -> Tensor:
        """Return the curvature over the noise power that is left, by degrees of freedom."""
        return end.curvature / noise_left(problem, end.cost, sources)[:, None, None]

    def objective(self, problem: Problem, cost: Tensor, unit: Tensor) -> Tensor:
        """Return the residual energy."""
        return cost * unit


class StochasticFit(Fit):
    """Fisher scoring over positions, log powers and log noise power."""

    def gain(self, matched: Matched, beside: Trial) -> tuple[Tensor, Tensor]:
        """Return the gain in log-likelihood and the power that brings it."""
        found = likelihood_gain(matched, beside.search, beside.powers, beside.noise)
        return found.value, found.powers

    def unit(self, problem: Problem, trial: Trial) -> Tensor:
        """Return 1: the gain is one in log-likelihood."""
        return torch.ones_like(trial.cost)

    def evidence(self, matched: Matched, beside: Trial) -> Tensor:
        """Return the highest gain on the grid."""
        return self.gain(matched, beside)[0].amax(-1)

    def evaluation(
        self, problem: Problem, sets: int, sources: int, *, newton: bool = False
    ) -> Callable[[Tensor, Tensor], Evaluation]:
        """Return the negative log-likelihood of points; see :meth:`Fit.evaluation`."""
        rows = Rows(problem, sets)

        def evaluate(point: Tensor, index: Tensor) -> Evaluation:
            search = point[:, : 3 * sources].unflatten(1, (sources, 3))
            stats, bends = _statistics(rows(index), search, newton)
            powers = point[:, 3 * sources :].exp().to(stats.energy.dtype)
            return stochastic(stats, powers[:, :-1], powers[:, -1], bends).to(torch.float64)

        return evaluate

    def minimum(
        self,
        problem: Problem,
        start: Trial,
        iterations: int,
        tolerance: float = 1e-9,
        *,
        newton: bool = True,
    ) -> Minimum:
        """Return the minimum over positions, powers and noise; see :meth:`Fit.minimum`."""
        sources = start.sources
        low, high = problem.descent_bounds()
        mean = mean_power(problem).repeat_interleave(len(start.search) // problem.scenes)
        top = start.powers.sum(-1, keepdim=True).log().expand(-1, sources)
        least = NOISE_FLOOR[problem.snapshots.values.dtype]
        floor, ceiling = (least * mean).log()[:, None], mean.log()[:, None] + 2
        lower = torch.cat((low.repeat(sources).expand(len(top), -1), top - 20, floor), -1)
        upper = torch.cat((high.repeat(sources).expand(len(top), -1), top + 7, ceiling), -1)
        evaluate = self.evaluation(problem, len(start.search), sources, newton=newton)
        first = (start.search.flatten(1), start.powers.log(), start.noise.log()[:, None])
        return minimise(
            evaluate,
            torch.cat(first, -1),
            lower,
            upper,
            iterations,
            tolerance,
            scale=float(outputs_of(problem)),
        )

    def trial(self, end: Minimum, start: Trial) -> Trial:
        """Return the sets of sources at a minimum; see :meth:`Fit.trial`."""
        positions = 3 * start.sources
        search = end.point[:, :positions].view_as(start.search)
        powers, noise = end.point[:, positions:-1].exp(), end.point[:, -1].exp()
        return Trial(search, powers, noise, end.cost)

    def information(self, problem: Problem, end: Minimum, sources: int) -> Tensor:
        """Return the Fisher information at the optimum."""
        return end.curvature

    def hessian(self, problem: Problem, end: Minimum, sources: int) -> Tensor:
        """Return the second derivatives at the optimum."""
        return _known(end.hessian)

    def objective(self, problem: Problem, cost: Tensor, unit: Tensor) -> Tensor:
        """Return the negative log-likelihood, less the constant L·M·log π."""
        return cost + outputs_of(problem) * unit.log()


def _statistics(problem: Problem, search: Tensor, newton: bool) -> tuple[Grams, Bends | None]:
    """Return the statistics at positions, and those of second derivatives where asked for."""
    return bent_grams(problem, search) if newton else (grams(problem, search), None)


def _known(hessian: Tensor | None) -> Tensor:
    """Return the Hessian at a minimum that was found by it."""
    if hessian is None:
        raise InputError("the minimum was found without second derivatives")
    return hessian


def _residual(problem: Problem, trial: Trial) -> Tensor:
    """Return the energy that sources leave: all of it where there are none."""
    return trial.cost if trial.sources else mean_power(problem) * outputs_of(problem)


def noise_left(problem: Problem, residual: Tensor, sources: int) -> Tensor:
    """Return the noise power from the residual energy, by degrees of freedom, (S·C,)."""
    freedom = max(1, outputs_of(problem) - sources * problem.snapshots.block_count)
    return (residual / freedom).clamp_min(1e-300)
