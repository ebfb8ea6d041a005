"""Newton refinement of the MUSIC objective, source by source."""

from __future__ import annotations

from dataclasses import replace

import torch

from risdoa.backends.base import BatchedBackend
from risdoa.backends.music import Music
from risdoa.backends.music_objective import null_minimum
from risdoa.backends.omp import descended
from risdoa.conventions import invert_range
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.problem import Estimates, Problem

MATCHED_NOTE = "newton refined the matched subspace spectrum of the measurements: no covariance"


class Newton(BatchedBackend):
    """Descends to the nearest minimum of the MUSIC null spectrum, damped and inside the region.

    Without a covariance, or with one of too small a rank, it descends on what the matched subspace
    spectrum of all sources together leaves unexplained. Alone it starts from MUSIC's own scan.
    """

    def __init__(self, iterations: int = 30) -> None:
        if iterations < 1:
            raise InputError(f"newton needs iterations >= 1, got {iterations}")
        self.iterations = iterations

    def solve(
        self,
        problem: Problem,
        covariance: Covariance | None,
        start: Estimates | None,
        sources: int,
    ) -> Estimates:
        """Return the refined start; sources without a valid start stay as they are, invalid."""
        if start is None:
            start = Music().solve(problem, covariance, None, sources)
        search = invert_range(start.positions.to(torch.float64))
        if covariance is None or covariance.width < sources:
            end = descended(problem, search, self.iterations)
            notes = (*start.notes, MATCHED_NOTE)
        else:
            basis = covariance.signal_subspace(sources)
            end = null_minimum(problem, basis, search, self.iterations)
            notes = start.notes
        found = end.point.reshape(search.shape)
        found = torch.where(start.valid.unsqueeze(-1), found, search)
        shape = (problem.scenes, -1)
        return replace(
            Estimates.at(problem.positions(found), end.cost.reshape(shape).mean(-1), notes),
            valid=start.valid,
            converged=end.converged.reshape(shape).all(-1),
            iterations=end.iterations.reshape(shape).amax(-1),
        )
