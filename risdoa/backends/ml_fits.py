"""The two likelihoods as something to scan and to descend, for many sets of sources at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.errors import InputError
from risdoa.frozen import changed
from risdoa.likelihood import (
    Bends,
    Evaluation,
    Grams,
    bent_grams,
    block_sums,
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

WEAKEST = 1e-4
"""Least power of a source, over that of the strongest, that a descent starts from."""


@dataclass(frozen=True)
class Trial:
    """Sets of sources under trial: C sets for each of S scenes, one scene after the other.

    Shapes:
        search: (S·C, K, 3) in (φ, θ, w). powers: (S·C, K). noise, cost: (S·C,).
    """

    search: Tensor
    powers: Tensor
    noise: Tensor
    cost: Tensor

    @property
    def sources(self) -> int:
        """The number of sources K."""
        return self.search.shape[1]

    def rows(self, rows: Tensor) -> Trial:
        """Return the chosen sets."""
        return Trial(self.search[rows], self.powers[rows], self.noise[rows], self.cost[rows])

    def only(self, sources: list[int]) -> Trial:
        """Return the sets with the chosen sources alone, in that order."""
        return Trial(self.search[:, sources], self.powers[:, sources], self.noise, self.cost)

    def where(self, choice: Tensor, other: Trial) -> Trial:
        """Return this where ``choice`` (S·C,) holds, and the other elsewhere."""
        return Trial(
            torch.where(choice[:, None, None], self.search, other.search),
            torch.where(choice[:, None], self.powers, other.powers),
            torch.where(choice, self.noise, other.noise),
            torch.where(choice, self.cost, other.cost),
        )

    def replaced(self, rows: Tensor, others: Trial) -> Trial:
        """Return the sets with some replaced by others, where those cost less."""
        better = others.cost < self.cost[rows]
        choice = torch.arange(len(self.cost), device=rows.device)
        choice = choice.index_copy(0, rows[better], len(choice) + torch.nonzero(better).squeeze(-1))
        both = zip(
            (self.search, self.powers, self.noise, self.cost),
            (others.search, others.powers, others.noise, others.cost),
            strict=True,
        )
        return Trial(*(torch.cat(pair)[choice] for pair in both))

    def in_order(self) -> Trial:
        """Return the sets with their sources in the order of azimuth, whatever found them first."""
        order = self.search[..., 0].argsort(dim=-1, stable=True)
        search = torch.take_along_dim(self.search, order.unsqueeze(-1), 1)
        return Trial(search, torch.take_along_dim(self.powers, order, 1), self.noise, self.cost)

    def best(self, scenes: int, count: int, apart: Tensor | None = None) -> Trial:
        """Return the ``count`` sets of lowest cost of every scene.

        Sets all of whose sources lie within ``apart`` (3,) of those of a better one come last.
        """
        cost = self.cost.unflatten(0, (scenes, -1))
        if count > 1 and apart is not None:
            places = self.search.unflatten(0, (scenes, -1)) / apart
            close = ((places.unsqueeze(2) - places.unsqueeze(1)).abs() < 1).all(-1).all(-1)
            repeated = (close & (cost.unsqueeze(1) < cost.unsqueeze(2))).any(-1)
            cost = torch.where(repeated, torch.inf, cost)
        leading = cost.argsort(dim=-1, stable=True)[:, :count]
        offset = torch.arange(scenes, device=cost.device)[:, None] * cost.shape[1]
        return self.rows((leading + offset).flatten())


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
        scale = float(_outputs(problem))
        return minimise(
            evaluate, torch.cat(first, -1), lower, upper, iterations, tolerance, scale=scale
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
        return cost + _outputs(problem) * unit.log()


def _statistics(problem: Problem, search: Tensor, newton: bool) -> tuple[Grams, Bends | None]:
    """Return the statistics at positions, and those of second derivatives where asked for."""
    return bent_grams(problem, search) if newton else (grams(problem, search), None)


def _known(hessian: Tensor | None) -> Tensor:
    """Return the Hessian at a minimum that was found by it."""
    if hessian is None:
        raise InputError("the minimum was found without second derivatives")
    return hessian


def _outputs(problem: Problem) -> int:
    """Return L·M, the number of measurements of a scene."""
    return problem.snapshots.count * problem.snapshots.outputs


def _residual(problem: Problem, trial: Trial) -> Tensor:
    """Return the energy that sources leave: all of it where there are none."""
    return trial.cost if trial.sources else mean_power(problem) * _outputs(problem)


def noise_left(problem: Problem, residual: Tensor, sources: int) -> Tensor:
    """Return the noise power from the residual energy, by degrees of freedom, (S·C,)."""
    freedom = max(1, _outputs(problem) - sources * problem.snapshots.block_count)
    return (residual / freedom).clamp_min(1e-300)


def normalised(problem: Problem) -> tuple[Problem, Tensor]:
    """Return the problem with a mean output power of 1 in every scene, and what it was, (S,)."""
    mean = mean_power(problem)
    snapshots, noise = problem.snapshots, problem.snapshots.noise_power
    values = snapshots.values / mean.sqrt()[:, None, None]
    noise = None if noise is None else noise / mean
    return changed(problem, snapshots=changed(snapshots, values=values, noise_power=noise)), mean


def mean_power(problem: Problem) -> Tensor:
    """Return the mean output power of every scene, (S,)."""
    values = problem.snapshots.values
    return (values.real**2 + values.imag**2).mean((-2, -1)).to(torch.float64).clamp_min(1e-300)


def noise_alone(problem: Problem) -> Trial:
    """Return the trial of one set without any source a scene: all power is noise."""
    mean = mean_power(problem)
    none = mean.new_zeros((problem.scenes, 0))
    return Trial(none.unsqueeze(-1).expand(-1, -1, 3), none, mean, torch.full_like(mean, torch.inf))


def trial_at(problem: Problem, search: Tensor) -> Trial:
    """Return the trial of one set of sources a scene, with powers and noise by moments.

    From ŝ_l = (BᴴB + μI)⁻¹Bᴴy_l: p = mean |ŝ|², σ² = mean residual over the degrees of freedom.

    Shapes:
        search: (S, K, 3) in (φ, θ, w).
    """
    stats = block_sums(grams(problem, search))
    count = search.shape[1]
    gram, moments = stats.gram[..., :count, :count], stats.moments[..., :count]
    scale = gram.diagonal(dim1=-2, dim2=-1).real.mean(-1)[..., None, None]
    eye = torch.eye(count, dtype=gram.dtype, device=gram.device)
    signals = torch.linalg.solve(gram + 1e-3 * scale * eye, moments.unsqueeze(-1)).squeeze(-1)
    powers = (signals.abs() ** 2).mean(1)
    left = stats.energy.sum(-1) - (moments.conj() * signals).sum((-2, -1)).real
    total = _outputs(problem)
    mean = mean_power(problem)
    freedom = max(total - count * stats.snapshots, total // 2, 1)
    noise = (left / freedom).clamp_min(1e-12 * mean).clamp_min(1e-300)
    return Trial(search, not_too_weak(powers), noise, torch.full_like(noise, torch.inf))


def not_too_weak(powers: Tensor) -> Tensor:
    """Return powers of which none is below a small part of the strongest, nor 0."""
    return torch.maximum(powers, WEAKEST * powers.amax(-1, keepdim=True).clamp_min(1e-290))
