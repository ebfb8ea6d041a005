"""Maximum-likelihood fits for diagnosis: where, and how much of the energy they explain."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from risdoa.backends.nf_mle import NfMle
from risdoa.conventions import invert_range
from risdoa.frozen import changed
from risdoa.problem import Estimates, Problem
from risdoa.scan.matched import project_out

FLOOR = 1e-12
"""Least share of the energy that counts as left over: below is rounding."""


@dataclass(frozen=True)
class Fitted:
    """A fit of every scene.

    Shapes:
        estimates: (S, K, 3). share: (S,) of the energy, explained. evidence: (S,) log-likelihood up
        to a constant of the data.
    """

    problem: Problem
    estimates: Estimates
    share: Tensor
    evidence: Tensor

    @property
    def positions(self) -> Tensor:
        """Where the sources are, (S, K, 3) rad, rad, m."""
        return self.estimates.positions


def fitted(problem: Problem, start: Tensor | None = None) -> Fitted:
    """Return the maximum-likelihood fit of a problem, by global search.

    The conditional likelihood, with the noise power concentrated, or the stochastic one where there
    are too few outputs for every signal.

    Shapes:
        start: (S, K, 3) rad, rad, m, which races with what the search finds; or None.
    """
    told = conditional(problem)
    backend = NfMle("conditional" if told else "stochastic")
    first = None if start is None else Estimates.at(start, start.new_zeros(len(start)))
    estimates = backend(problem, None, first)
    share = explained(problem, estimates)
    if told:
        outputs = problem.snapshots.count * problem.snapshots.outputs
        evidence = -outputs * (1 - share).clamp_min(FLOOR).log()
    else:
        evidence = -estimates.objective
    return Fitted(problem, estimates, share, evidence)


def explained(problem: Problem, estimates: Estimates) -> Tensor:
    """Return the share of the energy that the sources explain with signals of their own, (S,)."""
    share = problem.region.new_zeros(problem.scenes)
    for count in estimates.valid.sum(-1).unique().tolist():
        scenes = torch.nonzero(estimates.valid.sum(-1) == count).squeeze(-1)
        part = problem.select(scenes)
        share[scenes] = explained_at(part, estimates.positions[scenes][:, :count])
    return share


def explained_at(problem: Problem, positions: Tensor) -> Tensor:
    """Return the share of the energy that sources at positions explain, (S,).

    Shapes:
        positions: (S, K, 3) rad, rad, m; r = inf is a plane wave.
    """
    values = problem.snapshots.values.to(torch.complex128)
    left = project_out(problem.to(dtype=torch.complex128), invert_range(positions), values)[1]
    share: Tensor = 1 - (left.abs() ** 2).sum((-2, -1)) / (values.abs() ** 2).sum((-2, -1))
    return share


def with_values(problem: Problem, values: Tensor) -> Problem:
    """Return the problem with other snapshots (S, L, M)."""
    return changed(problem, snapshots=replace(problem.snapshots, values=values))


def conditional(problem: Problem) -> bool:
    """Tell whether every signal is seen through more outputs than there are sources."""
    snapshots = problem.snapshots
    each = snapshots.outputs * snapshots.count // snapshots.block_count
    most = 1 if problem.sources is None else int(problem.sources.max())
    return not snapshots.fresh or each > most
