"""Near-field maximum likelihood on the measurements, jointly over all sources."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from risdoa.backends.base import BatchedBackend
from risdoa.backends.ml_effort import Effort
from risdoa.backends.ml_fits import ConditionalFit, Fit, StochasticFit
from risdoa.backends.ml_moves import STEPS
from risdoa.backends.ml_search import PREPARED, search
from risdoa.backends.ml_trial import Trial, normalised, trial_at
from risdoa.bounds import position_covariance
from risdoa.conventions import invert_range
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.grid import search_grid
from risdoa.minimise import Minimum
from risdoa.problem import Estimates, Problem
from risdoa.scan import Matched

if TYPE_CHECKING:
    import optuna

Likelihood = Literal["auto", "stochastic", "conditional"]

COARSE = 0.8
"""Grid points of the first pass over those of the search, along an axis."""

BATCH = 64
"""Scenes worked on at once: what is laid out for them stays near the cache."""


def space(trial: optuna.Trial) -> dict[str, Any]:
    """Return whether and how hard to search; without a search its effort does not count."""
    if not trial.suggest_categorical("search", [True, False]):
        return {"search": False}
    return {
        "search": True,
        "starts": trial.suggest_int("starts", 1, 32, log=True),
        "kept": trial.suggest_int("kept", 1, 8, log=True),
        "sweeps": trial.suggest_int("sweeps", 0, 2),
        "density": trial.suggest_float("density", 0.7, 1.5),
    }


class NfMle(BatchedBackend):
    """Maximises the likelihood of y over all positions at once.

    ``likelihood``: *stochastic* (s_l ~ CN(0, P), with powers and noise), *conditional* (unknown
    constant signals, by variable projection), or *auto*: stochastic where every snapshot has a
    signal of its own, conditional for blocks and static sources.

    The starts are those of the backend before, if any, and with ``search`` those of a global
    search that inserts sources one after the other where they are worth most to the likelihood,
    descends jointly, and takes out and inserts anew every source
    (``risdoa.backends.ml_search``). ``starts``, ``kept`` and ``sweeps`` say how hard it tries in
    the scenes in which another place is nearly as good: few at high SNR, most at low. The start
    that leads after a short descent goes to the end.

    Args:
        likelihood: The likelihood.
        iterations: Most steps of the last descent.
        search: Whether to search where there is a complete start.
        starts: Peaks tried for the first source, and fewer for further ones.
        kept: Sets of sources kept on the way.
        sweeps: How often every source is taken out and inserted anew, while that gains anything.
        density: Grid points per −3 dB half-width, of which the first pass takes less.

    Raises:
        InputError: for options that cannot be.
    """

    batch = BATCH
    threaded = True

    def __init__(
        self,
        likelihood: Likelihood = "auto",
        iterations: int = 50,
        search: bool = True,
        starts: int = 16,
        kept: int = 4,
        sweeps: int = 2,
        density: float = 1.0,
    ) -> None:
        if min(iterations, starts, kept) < 1 or sweeps < 0 or density <= 0:
            raise InputError(
                "nf-mle needs iterations, starts and kept >= 1, sweeps >= 0 and density > 0, got "
                f"{iterations}, {starts}, {kept}, {sweeps} and {density}"
            )
        self.likelihood, self.iterations, self.search = likelihood, iterations, search
        self.density = density
        self.effort = Effort.of(starts, kept, sweeps)

    def solve(
        self,
        problem: Problem,
        covariance: Covariance | None,
        start: Estimates | None,
        sources: int,
    ) -> Estimates:
        """Return the optimum behind the leading start; the covariance is not used."""
        problem, unit = normalised(problem.to(dtype=torch.complex128))
        fit = self.likelihood_of(problem, sources)
        quick = problem.to(dtype=torch.complex64).prepared(PREPARED)
        leading, notes = self._leading(problem, quick, start, sources, fit)
        near = fit.settled(quick, leading.in_order())
        end = fit.minimum(problem, near, self.iterations)
        estimates = _estimates(problem, end, fit, sources)
        objective = fit.objective(problem, end.cost, unit)
        return replace(estimates, objective=objective, notes=notes)

    def from_start_alone(self) -> NfMle:
        """Return the same backend without a search: the optimum behind a complete start."""
        return NfMle(self.likelihood, self.iterations, search=False)

    def likelihood_of(self, problem: Problem, sources: int = 1) -> Fit:
        """Return the likelihood that was asked for.

        Raises:
            InputError: It does not go with the data, or not with so many sources.
        """
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

    def _leading(
        self, problem: Problem, quick: Problem, start: Estimates | None, sources: int, fit: Fit
    ) -> tuple[Trial, tuple[str, ...]]:
        """Return the start of every scene: the one given, the one found, or the better of both.

        And what is to be said about the scan. ``quick`` is the problem in single precision, laid
        out for many products.
        """
        given = None if start is None else invert_range(start.positions.to(torch.float64))
        if given is not None and start is not None and not self.search and bool(start.valid.all()):
            return trial_at(problem, given), ()
        coarse, grid = (
            search_grid(problem.array, problem.region, density)
            for density in (COARSE * self.density, self.density)
        )
        matched = Matched.prepare(problem, coarse)
        found = search(fit, quick, matched, sources, self.effort, grid)
        if given is not None and start is not None:
            found = self._or_given(problem, quick, given, start.valid.all(-1), found, fit)
        return found, matched.table.notes

    def _or_given(
        self,
        problem: Problem,
        quick: Problem,
        given: Tensor,
        complete: Tensor,
        found: Trial,
        fit: Fit,
    ) -> Trial:
        """Return the start given where it is complete: always without search, or if it leads."""
        told = trial_at(problem, given)
        if not self.search:
            return told.where(complete, found)
        told = fit.descended(quick, told, 2 * STEPS)
        return told.where((told.cost < found.cost) & complete, found)


def _equations(problem: Problem) -> int:
    """Return the number of outputs for every source signal."""
    snapshots = problem.snapshots
    return snapshots.outputs * snapshots.count // snapshots.block_count


def _estimates(problem: Problem, end: Minimum, fit: Fit, sources: int) -> Estimates:
    """Return estimates with error bars and the coordinates that are not observable.

    Errors are H⁻¹FH⁻¹, H the realised and F the expected curvature: F⁻¹ covers too little with few
    snapshots. Where H bends less than a quarter of F, a quarter is believed.
    The region counts as a uniform prior, whose information is added: it bounds the error bars where
    the data say nothing. A coordinate is unobservable when more than half of the prior's variance
    in φ, θ or w is left.
    """
    search = end.point[:, : 3 * sources].unflatten(1, (sources, 3))
    spread = _prior(problem)
    information = fit.information(problem, end, sources).clone()
    hessian = fit.hessian(problem, end, sources)
    for each in (information, hessian):
        each.diagonal(dim1=-2, dim2=-1)[:, : 3 * sources] += (1 / spread).repeat(sources)
    at = torch.ones_like(search)
    variance = position_covariance(information, at, problem.free).diagonal(dim1=-2, dim2=-1)
    errors = position_covariance(information, search, problem.free, hessian)
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
