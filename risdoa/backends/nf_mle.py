"""Near-field maximum likelihood on the measurements, jointly over all sources."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from risdoa.backends.base import BatchedBackend
from risdoa.bounds import position_covariance
from risdoa.conventions import invert_range
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.grid import search_grid
from risdoa.likelihood import Evaluation, block_sums, conditional, grams, stochastic
from risdoa.minimise import Minimum, minimise
from risdoa.problem import Estimates, Problem
from risdoa.scan import Matched

Likelihood = Literal["auto", "stochastic", "conditional"]

POLISH = 8
"""Iterations of the refinements within the search: enough to leave the grid, not to converge."""

NOISE_FLOOR = 1e-10
"""Least noise power over the mean output power; below, VᴴR⁻¹V is lost to cancellation."""


class NfMle(BatchedBackend):
    """Maximises the likelihood of y over all positions at once.

    ``likelihood``: *stochastic* (s_l ~ CN(0, P), with powers and noise), *conditional* (unknown
    constant signals, by variable projection), or *auto*: stochastic where every snapshot has a
    signal of its own, conditional for blocks and static sources.

    The starts are those of the backend before, if any, and with ``search`` those of a global
    search: greedy insertion on the matched spectrum, refined after each, and ``sweeps`` rounds of
    taking out and inserting anew every source. The one that leads after a short refinement is
    refined to the end.
    """

    def __init__(
        self,
        likelihood: Likelihood = "auto",
        iterations: int = 50,
        search: bool = True,
        sweeps: int = 1,
        density: float = 1.0,
    ) -> None:
        if iterations < 1 or sweeps < 0 or density <= 0:
            raise InputError(
                f"nf-mle needs iterations >= 1, sweeps >= 0 and density > 0, got {iterations}, "
                f"{sweeps} and {density}"
            )
        self.likelihood, self.iterations = likelihood, iterations
        self.search, self.sweeps, self.density = search, sweeps, density

    def solve(
        self,
        problem: Problem,
        covariance: Covariance | None,
        start: Estimates | None,
        sources: int,
    ) -> Estimates:
        """Return the optimum behind the leading start; the covariance is not used."""
        problem = problem.to(dtype=torch.complex128)
        fit = self._likelihood(problem, sources)
        best = _race(fit, problem, self._starts(problem, start, sources, fit))
        end = fit.minimum(problem, best, self.iterations)
        return _estimates(problem, end, fit, sources)

    def _likelihood(self, problem: Problem, sources: int) -> Fit:
        """Return the likelihood that was asked for, checked against the data."""
        snapshots = problem.snapshots
        kind = self.likelihood
        if kind == "auto":
            kind = "stochastic" if snapshots.fresh else "conditional"
        if kind == "stochastic" and not snapshots.fresh:
            raise InputError(
                "the stochastic likelihood needs a fresh source signal in every snapshot",
                "use nf-mle.likelihood=conditional for blocks and static sources",
            )
        if kind == "conditional" and _equations(problem) <= sources:
            raise InputError(
                f"the conditional likelihood of {sources} sources needs more than {sources} "
                f"outputs for every source signal, got {_equations(problem)}",
                "use fewer sources, or nf-mle.likelihood=stochastic for fresh signals",
            )
        return StochasticFit() if kind == "stochastic" else ConditionalFit()

    def _starts(
        self, problem: Problem, start: Estimates | None, sources: int, fit: Fit
    ) -> list[Tensor]:
        """Return the starts in (φ, θ, w), each (S, K, 3)."""
        given = None if start is None else invert_range(start.positions.to(torch.float64))
        complete = start is not None and bool(start.valid.all())
        if given is not None and complete and not self.search:
            return [given]
        found = self._global(problem, sources, fit)
        if given is None or start is None:
            return [found]
        return [torch.where(start.valid.all(-1)[:, None, None], given, found), found]

    def _global(self, problem: Problem, sources: int, fit: Fit) -> Tensor:
        """Return a global start: greedy insertion, each followed by a short joint refinement.

        Then every source in turn is taken out and inserted anew beside the others, and stays where
        the refined cost is lower. The refinements need no powers where the signals can be solved
        for: they minimise the conditional cost, which many outputs a signal determine.
        """
        if _equations(problem) > sources:
            fit = ConditionalFit()
        matched = Matched.prepare(problem, search_grid(problem.array, problem.region, self.density))
        found = problem.region.new_zeros((problem.scenes, 0, 3), dtype=torch.float64)
        cost = found.new_zeros(0)
        for _ in range(sources):
            inserted = torch.cat((found, matched.best(found).unsqueeze(1)), dim=1)
            found, cost = _refined(fit, problem, inserted)
        for source in list(range(sources)) * (self.sweeps if sources > 1 else 0):
            before, behind = found[:, :source], found[:, source + 1 :]
            anew = matched.best(torch.cat((before, behind), dim=1)).unsqueeze(1)
            moved, value = _refined(fit, problem, torch.cat((before, anew, behind), dim=1))
            better = value < cost
            found = torch.where(better[:, None, None], moved, found)
            cost = torch.where(better, value, cost)
        return found


class Fit:
    """How a likelihood is minimised, and what its optimum says about errors."""

    def minimum(self, problem: Problem, start: Tensor, iterations: int) -> Minimum:
        """Return the minimum from starts (S, K, 3)."""
        raise NotImplementedError

    def information(self, problem: Problem, end: Minimum, sources: int) -> Tensor:
        """Return the information at the minimum, positions first."""
        raise NotImplementedError


class ConditionalFit(Fit):
    """Variable projection: Σ_b ‖Π_b⊥ y_b‖²."""

    def minimum(self, problem: Problem, start: Tensor, iterations: int) -> Minimum:
        """Return the minimum from starts (S, K, 3)."""
        sources = start.shape[1]
        low, high = problem.descent_bounds()

        def evaluate(point: Tensor, index: Tensor) -> Evaluation:
            return conditional(grams(problem.select(index), point.unflatten(1, (sources, 3))))

        return minimise(
            evaluate, start.flatten(1), low.repeat(sources), high.repeat(sources), iterations
        )

    def information(self, problem: Problem, end: Minimum, sources: int) -> Tensor:
        """Return the curvature over the noise power that is left, by degrees of freedom."""
        snapshots = problem.snapshots
        unknown = sources * snapshots.block_count
        freedom = max(1, snapshots.count * snapshots.outputs - unknown)
        noise = (end.cost / freedom).clamp_min(1e-300)
        return end.curvature / noise[:, None, None]


class StochasticFit(Fit):
    """Fisher scoring over positions, log powers and log noise power."""

    def minimum(self, problem: Problem, start: Tensor, iterations: int) -> Minimum:
        """Return the minimum from starts (S, K, 3)."""
        sources = start.shape[1]
        low, high = problem.descent_bounds()
        powers, noise, mean = _initial_powers(problem, start)
        top = powers.sum(-1, keepdim=True).log()
        floor = (NOISE_FLOOR * mean).log()[:, None]
        ends = torch.cat((top.expand(-1, sources) - 20, floor), -1)
        tops = torch.cat((top.expand(-1, sources) + 7, mean.log()[:, None] + 2), -1)
        lower = torch.cat((low.repeat(sources).expand(len(start), -1), ends), -1)
        upper = torch.cat((high.repeat(sources).expand(len(start), -1), tops), -1)

        def evaluate(point: Tensor, index: Tensor) -> Evaluation:
            search = point[:, : 3 * sources].unflatten(1, (sources, 3))
            stats = grams(problem.select(index), search)
            return stochastic(stats, point[:, 3 * sources : -1].exp(), point[:, -1].exp())

        point = torch.cat((start.flatten(1), powers.log(), noise.log()[:, None]), -1)
        outputs = float(problem.snapshots.count * problem.snapshots.outputs)
        return minimise(evaluate, point, lower, upper, iterations, scale=outputs)

    def information(self, problem: Problem, end: Minimum, sources: int) -> Tensor:
        """Return the Fisher information at the optimum."""
        return end.curvature


def _equations(problem: Problem) -> int:
    """Return the number of outputs for every source signal."""
    snapshots = problem.snapshots
    return snapshots.outputs * snapshots.count // snapshots.block_count


def _race(fit: Fit, problem: Problem, starts: list[Tensor]) -> Tensor:
    """Return the start of every scene that leads after a short refinement, (S, K, 3)."""
    if len(starts) == 1:
        return starts[0]
    repeated = problem.select(torch.arange(problem.scenes).repeat(len(starts)))
    refined, cost = _refined(fit, repeated, torch.cat(starts))
    best = cost.unflatten(0, (len(starts), -1)).argmin(0)
    return refined[best * problem.scenes + torch.arange(problem.scenes)]


def _refined(fit: Fit, problem: Problem, start: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sources (S, K, 3) after a short refinement, and the cost there."""
    end = fit.minimum(problem, start, POLISH)
    return end.point[:, : start[0].numel()].reshape(start.shape), end.cost


def _initial_powers(problem: Problem, start: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return powers (S, K), noise power (S,) and mean output power (S,) by moments at a start.

    From ŝ_l = (BᴴB + μI)⁻¹Bᴴy_l: p = mean |ŝ|², σ² = mean residual over the degrees of freedom.
    """
    stats = block_sums(grams(problem, start))
    count = start.shape[1]
    gram, moments = stats.gram[..., :count, :count], stats.moments[..., :count]
    scale = gram.diagonal(dim1=-2, dim2=-1).real.mean(-1)[..., None, None]
    eye = torch.eye(count, dtype=gram.dtype)
    signals = torch.linalg.solve(gram + 1e-3 * scale * eye, moments.unsqueeze(-1)).squeeze(-1)
    powers = (signals.abs() ** 2).mean(1)
    left = stats.energy.sum(-1) - (moments.conj() * signals).sum((-2, -1)).real
    total = problem.snapshots.count * problem.snapshots.outputs
    mean = stats.energy.sum(-1) / total
    freedom = max(total - count * stats.snapshots, total // 2, 1)
    noise = (left / freedom).clamp_min(1e-12 * mean).clamp_min(1e-300)
    floor = 1e-3 * powers.amax(-1, keepdim=True).clamp_min(1e-300)
    return torch.maximum(powers, floor), noise, mean.clamp_min(1e-300)


def _estimates(problem: Problem, end: Minimum, fit: Fit, sources: int) -> Estimates:
    """Return estimates with error bars and the coordinates that are not observable.

    The region counts as a uniform prior, whose information is added: it bounds the error bars where
    the data say nothing. A coordinate is unobservable when more than half of the prior's variance
    in φ, θ or w is left.
    """
    search = end.point[:, : 3 * sources].unflatten(1, (sources, 3))
    spread = _prior(problem)
    information = fit.information(problem, end, sources).clone()
    information.diagonal(dim1=-2, dim2=-1)[:, : 3 * sources] += (1 / spread).repeat(sources)
    at = torch.ones_like(search)
    variance = position_covariance(information, at, problem.free).diagonal(dim1=-2, dim2=-1)
    errors = position_covariance(information, search, problem.free)
    return replace(
        Estimates.at(problem.positions(search), end.cost),
        error_covariance=errors * _over_a_pole(search),
        unobservable=(variance > 0.5 * spread) & problem.free,
        converged=end.converged,
        iterations=end.iterations,
    )


def _prior(problem: Problem) -> Tensor:
    """Return the variances of φ, θ and w uniform in the region, width²/12, (3,)."""
    low, high = problem.search_bounds()
    return ((high - low) ** 2 / 12).clamp_min(1e-300)


def _over_a_pole(search: Tensor) -> Tensor:
    """Return the signs by which covariances change when a search is folded back, (S, K, 3, 3).

    Over a pole the elevation runs the other way.
    """
    sign = torch.ones_like(search)
    sign[..., 1] = torch.where(torch.cos(search[..., 1]) < 0, -1.0, 1.0)
    return sign.unsqueeze(-1) * sign.unsqueeze(-2)


__all__ = ["ConditionalFit", "Likelihood", "NfMle", "StochasticFit"]
