"""How often a search misses the optimum of its own likelihood."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from risdoa.backends.ml_fits import ConditionalFit, noise_left
from risdoa.backends.nf_mle import NfMle
from risdoa.evaluation.comparison import Progress, Setup
from risdoa.evaluation.metrics import Scores, rate_interval
from risdoa.problem import Estimates, Problem, Truth
from risdoa.threads import side_by_side

AT_ONCE = 16
"""Chunks of scenes that are handed to the threads at once."""
MISSED = 0.1
"""A start at the truth that gains more than this in log-likelihood shows a failure."""


@dataclass(frozen=True)
class SearchCell:
    """One number of sources and one SNR.

    Attributes:
        failures: Scenes in which a start at the truth gains more than 0.1 in log-likelihood.
        outliers: Sources more than 5° off or missing, of the search.
        outliers_at_the_optimum: The same with the truth among the starts: what the likelihood
            itself leaves.
    """

    sources: int
    snr_db: float
    scenes: int
    failures: int
    outliers: int
    outliers_at_the_optimum: int
    seconds: float

    @property
    def failure_rate(self) -> float:
        """The share of scenes in which the search failed."""
        return self.failures / self.scenes

    @property
    def failure_interval(self) -> tuple[float, float]:
        """The 95 % interval of that share."""
        return rate_interval(self.failures, self.scenes)

    @property
    def outlier_rates(self) -> tuple[float, float]:
        """The shares of sources that are outliers: of the search, and at the optimum."""
        total = self.scenes * self.sources
        return self.outliers / total, self.outliers_at_the_optimum / total


def search_failures(
    setup: Setup, backend: NfMle, progress: Progress | None = None
) -> list[SearchCell]:
    """Return the failures of a search, point by point, on the scenes that a comparison draws."""
    cells: list[SearchCell] = []
    points = [(count, level) for count in setup.sources for level in setup.snr_db]
    done = 0
    for count, level in points:
        tally, seconds = torch.zeros(3, dtype=torch.int64), 0.0
        chunks = setup.chunks(level, count)
        while some := list(islice(chunks, AT_ONCE)):
            begun = time.perf_counter()
            found = side_by_side(lambda chunk: backend(chunk[0], None, None), some)
            seconds += time.perf_counter() - begun
            for (problem, truth), each in zip(some, found, strict=True):
                tally += _counted(backend, problem, truth, each)
                done += problem.scenes
            if progress is not None:
                progress(done, setup.trials * len(points))
        failed, off, left = tally.tolist()
        cells.append(SearchCell(count, level, setup.trials, failed, off, left, seconds))
    return cells


def _counted(backend: NfMle, problem: Problem, truth: Truth, found: Estimates) -> Tensor:
    """Return the numbers of failures, of outliers and of outliers at the optimum, (3,)."""
    start = Estimates.at(truth.positions, found.objective)
    told = backend.from_start_alone()(problem, None, start)
    gap = found.objective - told.objective
    if isinstance(backend.likelihood_of(problem), ConditionalFit):
        gap = gap / noise_left(problem, told.objective, truth.mask.shape[1])
    nearer = (told.objective < found.objective)[:, None, None]
    best = replace(found, positions=torch.where(nearer, told.positions, found.positions))
    off = [int((truth.mask & ~Scores.of(truth, each).inlier).sum()) for each in (found, best)]
    return torch.tensor([int((gap > MISSED).sum()), *off])
