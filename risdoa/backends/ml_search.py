"""The global search of a likelihood: insert, descend, keep the best, take out and insert anew."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.backends.ml_effort import QUICK, Effort
from risdoa.backends.ml_fits import Fit
from risdoa.backends.ml_moves import GLANCE, apart, descended, inserted, joined, split
from risdoa.backends.ml_places import Places
from risdoa.backends.ml_trial import Trial, noise_alone
from risdoa.grid import Grid
from risdoa.problem import Problem
from risdoa.scan import Matched

PREPARED = 512 * 2**20
"""Bytes that the sensing of a batch may take, laid out for many products."""
BETTER = 0.1
"""A set that gained more than this in log-likelihood has changed."""


def search(
    fit: Fit,
    problem: Problem,
    matched: Matched,
    sources: int,
    effort: Effort,
    finer: Grid | None = None,
) -> Trial:
    """Return the best set of sources found for every scene.

    Sources are inserted one after the other at the highest peaks of what a further source is worth
    to the likelihood; every set is descended jointly for a few steps, and the best are kept. Then
    every source in turn is taken out and inserted anew beside the others, and stays where that is
    better. The first pass tries one peak; scenes in which another place remains nearly as good are
    looked at again on a ``finer`` grid, if one is given, and where that leaves doubt they are
    searched again with all of the effort, and by splitting sources as well. All in single
    precision: the last descent is the caller's.
    """
    problem = problem.to(dtype=torch.complex64).prepared(PREPARED)
    found = _inserted_all(fit, problem, matched, sources, QUICK)
    sweeps = QUICK.sweeps if effort.sweeps else 0
    found, doubt = _settled(fit, problem, matched, found, QUICK, sweeps)
    if not len(doubt):
        return found
    part = problem.select(doubt)
    if finer is None:
        matched = matched.select(doubt, part)
    else:
        matched = Matched.prepare(part, finer)
        again, still = _settled(fit, part, matched, found.rows(doubt), QUICK, sweeps)
        found, doubt = found.replaced(doubt, again), doubt[still]
        if not len(doubt):
            return found
        part = problem.select(doubt)
        matched = matched.select(still, part)
    trial = _inserted_all(fit, part, matched, sources, effort)
    trial = trial.best(len(doubt), -(-effort.kept // 2), apart(matched))
    trial, _ = _settled(fit, part, matched, trial, effort, effort.sweeps)
    return found.replaced(doubt, trial.best(len(doubt), 1))


def _inserted_all(
    fit: Fit, problem: Problem, matched: Matched, sources: int, effort: Effort
) -> Trial:
    """Return the sets kept after all sources were inserted one after the other."""
    trial = noise_alone(problem)
    for number in range(sources):
        tries = effort.further if number else effort.first
        places = Places.beside(fit, matched, trial, tries)
        tried = places.to_try(matched, effort, fit.unit(problem, trial))
        grown = inserted(matched, trial, tried, new=True)
        if effort.thorough or number + 1 == sources:
            trial = descended(fit, problem, matched, grown, problem.scenes)
        else:
            trial = fit.descended(problem, grown, GLANCE)
        trial = trial.best(problem.scenes, effort.kept, apart(matched))
    return trial


def _settled(
    fit: Fit, problem: Problem, matched: Matched, trial: Trial, effort: Effort, sweeps: int
) -> tuple[Trial, Tensor]:
    """Return the sets after sweeps until none gains any more, and those in doubt still, by index.

    Each is swept by itself, as long as it gains; one that repeats a better one of its scene is not.
    """
    sets = len(trial.cost) // problem.scenes
    doubt = torch.ones_like(trial.cost, dtype=torch.bool)
    work = torch.nonzero(~trial.repeated(problem.scenes, apart(matched))).squeeze(-1)
    for _ in range(sweeps):
        scenes, before = work // sets, trial.rows(work)
        part = problem.select(scenes)
        after, unsure = _swept(fit, part, matched.select(scenes, part), before, effort)
        trial, doubt = trial.replaced(work, after), doubt.index_copy(0, work, unsure)
        gained = before.cost - after.cost > BETTER * fit.unit(part, after)
        repeated = trial.repeated(problem.scenes, apart(matched))[work]
        work = work[unsure & gained & ~repeated]
        if not len(work):
            break
    return trial, torch.nonzero(doubt).squeeze(-1)


def _swept(
    fit: Fit, problem: Problem, matched: Matched, trial: Trial, effort: Effort
) -> tuple[Trial, Tensor]:
    """Return the sets, one a scene, with every source inserted anew where that is better.

    And whether a set had any source that might have belonged elsewhere, (S,).
    """
    doubt = torch.zeros_like(trial.cost, dtype=torch.bool)
    for source in range(trial.sources):
        trial, unsure = _anew(fit, problem, matched, trial, source, effort)
        doubt |= unsure
    return trial, doubt


def _anew(
    fit: Fit, problem: Problem, matched: Matched, trial: Trial, source: int, effort: Effort
) -> tuple[Trial, Tensor]:
    """Return the sets with one source inserted anew where that is better, and which are in doubt.

    Those in which no other place comes near to what the source itself is worth are left alone.
    """
    others = trial.only([each for each in range(trial.sources) if each != source])
    places = Places.beside(fit, matched, others, effort.anew)
    unit = fit.unit(problem, trial)
    tries, unsure = places.doubtful(matched, trial.search[:, source], unit)
    rows = torch.nonzero(tries).squeeze(-1)
    if not len(rows):
        return trial, unsure
    tried = places.rows(rows).to_try(matched, effort, unit[rows])
    others = others.rows(rows)
    grown = inserted(matched, others, tried, new=False)
    if effort.thorough and others.sources:
        grown = joined(grown, split(matched, others), len(rows))
    moved = descended(fit, problem.select(rows), matched, grown, len(rows)).best(len(rows), 1)
    last = trial.sources - 1
    order = [last if each == source else each - (each > source) for each in range(last + 1)]
    after = trial.replaced(rows, moved.only(order))
    return after, unsure | (trial.cost - after.cost > BETTER * unit)
