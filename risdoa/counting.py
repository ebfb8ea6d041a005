"""How many sources there are: a test with a stated rate of false alarms."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from risdoa.backends.ml_fits import Fit
from risdoa.backends.ml_search import search
from risdoa.backends.ml_trial import Trial, noise_alone, normalised
from risdoa.backends.nf_mle import NfMle
from risdoa.errors import InputError
from risdoa.grid import search_grid
from risdoa.problem import Estimates, Problem
from risdoa.scan import Matched

FALSE_ALARM = 0.01
"""The chance that noise alone passes for one source more, in a scene."""

MOST = 8
"""More sources than this are not looked for."""

DRAWS, SCENES = 320, 16
"""Draws of noise for the threshold, through the sensing of so many scenes."""

BATCH = 32
"""Scenes worked on at once."""

_EULER = 0.5772156649015329


def count_sources(
    problem: Problem,
    false_alarm: float = FALSE_ALARM,
    most: int = MOST,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return the number of sources of every scene, (S,) int, 0 to ``most``.

    Sources are fitted by maximum likelihood, one more at a time, until a further one would raise
    the log-likelihood nowhere by more than a threshold. It is the 1 - ``false_alarm`` quantile of
    what the highest point of the scan gives on noise alone, through the same sensing and on the
    same grid: a Gumbel distribution by the moments of ``DRAWS`` draws. The test needs neither more
    snapshots than elements nor a covariance, and works on what was measured through a surface. What
    the steering model does not explain counts as a source, if it is strong enough.

    Raises:
        InputError: for a rate outside (0, 0.5], or ``most`` below 1.
    """
    if not 0 < false_alarm <= 0.5 or most < 1:
        raise InputError(
            f"counting sources needs 0 < false_alarm <= 0.5 and most >= 1, got {false_alarm!r} and "
            f"{most!r}"
        )
    generator = generator or torch.Generator().manual_seed(0)
    problem, _ = normalised(problem.levelled().to(dtype=torch.complex128))
    problem = replace(problem, sources=None)
    most = min(most, problem.most_sources())
    backend = NfMle()
    fit = backend.likelihood_of(problem)
    threshold = _threshold(fit, problem, false_alarm, generator)
    chunks = torch.arange(problem.scenes).split(BATCH)
    return torch.cat([_count(backend, problem.select(c), threshold, most) for c in chunks])


def estimated(
    problem: Problem, counts: Tensor, estimate: Callable[[Problem], Estimates]
) -> Estimates:
    """Return the estimates of so many sources in every scene (S,), none where there are none.

    Backends look for one source at least; in a scene without one their find is not valid.
    """
    estimates = estimate(replace(problem, sources=counts.clamp_min(1)))
    valid = estimates.valid & (counts > 0).unsqueeze(-1)
    note = f"sources counted, {FALSE_ALARM:.0%} false alarms a scene"
    return replace(estimates, valid=valid, notes=(*estimates.notes, note))


def _count(backend: NfMle, problem: Problem, threshold: float, most: int) -> Tensor:
    """Return the numbers of sources of a batch of scenes."""
    counts = torch.zeros(problem.scenes, dtype=torch.int64)
    at_work = torch.arange(problem.scenes)
    matched = Matched.prepare(problem, search_grid(problem.array, problem.region))
    for sources in range(most):
        part = problem.select(at_work)
        scanned = matched.select(at_work, part)
        fitted = _fitted(backend, part, scanned, sources)
        more = backend.likelihood_of(part).evidence(scanned, fitted) > threshold
        at_work = at_work[more]
        counts[at_work] += 1
        if not len(at_work):
            break
    return counts


def _fitted(backend: NfMle, problem: Problem, matched: Matched, sources: int) -> Trial:
    """Return the maximum-likelihood fit of so many sources."""
    if sources == 0:
        return noise_alone(problem)
    fit = backend.likelihood_of(problem, sources)
    found = search(fit, problem, matched, sources, backend.effort)
    return fit.trial(fit.minimum(problem, found, backend.iterations), found)


def _threshold(fit: Fit, problem: Problem, false_alarm: float, generator: torch.Generator) -> float:
    """Return what noise alone exceeds with the chance ``false_alarm``."""
    scenes = torch.arange(min(SCENES, problem.scenes))
    some = problem.select(scenes)
    matched = Matched.prepare(some, search_grid(problem.array, problem.region))
    highest = []
    for _ in range(math.ceil(DRAWS / len(scenes))):
        noise = torch.randn(
            some.snapshots.values.shape, dtype=torch.complex128, generator=generator
        )
        drawn, _ = normalised(replace(some, snapshots=replace(some.snapshots, values=noise)))
        highest.append(fit.evidence(matched.measured(drawn), noise_alone(drawn)))
    maxima = torch.cat(highest)
    scale = float(maxima.std()) * math.sqrt(6) / math.pi
    return float(maxima.mean()) - scale * (_EULER + math.log(-math.log1p(-false_alarm)))
