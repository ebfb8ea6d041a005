"""What a search does on a coarse grid, and what it leaves to a finer one."""

from __future__ import annotations

import pytest
import torch

from risdoa.backends import ml_search
from risdoa.backends.ml_effort import Effort
from risdoa.backends.ml_fits import StochasticFit
from risdoa.backends.ml_search import search
from risdoa.backends.ml_trial import normalised
from risdoa.grid import search_grid
from risdoa.scan import Matched
from risdoa.scenarios.canonical import Canonical
from tests.draws import generator

EFFORT = Effort.of(4, 2, 1)


def drawn(scenes, snr_db, seed):
    """Return scenes of two sources in units of their power."""
    problem, _ = Canonical().sample(scenes, generator(seed), sources=2, snr_db=snr_db)
    return normalised(problem)[0]


def cost(problem, first, finer=None):
    """Return what a search costs in the end that begins with so many points a half-width."""
    grids = [
        None if density is None else search_grid(problem.array, problem.region, density)
        for density in (first, finer)
    ]
    matched = Matched.prepare(problem, grids[0])
    return search(StochasticFit(), problem, matched, 2, EFFORT, grids[1]).cost


def test_scenes_in_doubt_are_searched_on_the_finer_grid():
    problem = drawn(16, 10.0, 4)
    fine = cost(problem, 1.0)
    alone, finer = cost(problem, 0.35), cost(problem, 0.35, 1.0)
    assert int((finer > fine + 1).sum()) < int((alone > fine + 1).sum())


@pytest.mark.parametrize(("snr_db", "least", "most"), [(30.0, 0, 2), (-5.0, 12, 12)])
def test_the_finer_grid_is_made_for_scenes_in_doubt_alone(monkeypatch, snr_db, least, most):
    made, problem = [], drawn(12, snr_db, 5)
    prepare = Matched.prepare

    def counted(part, grid):
        made.append(part.scenes)
        return prepare(part, grid)

    monkeypatch.setattr(ml_search.Matched, "prepare", counted)
    cost(problem, 0.8, 1.0)
    assert least <= sum(made[1:]) <= most


def test_a_set_that_gains_nothing_is_not_swept_again(monkeypatch):
    problem = drawn(8, 0.0, 6)
    sizes, swept = [], ml_search._swept

    def counted(fit, part, matched, trial, effort):
        sizes.append(len(trial.cost))
        return swept(fit, part, matched, trial, effort)

    monkeypatch.setattr(ml_search, "_swept", counted)
    matched = Matched.prepare(problem, search_grid(problem.array, problem.region))
    single = problem.to(dtype=torch.complex64)
    trial = ml_search._inserted_all(StochasticFit(), single, matched, 2, EFFORT)
    ml_search._settled(StochasticFit(), single, matched, trial, EFFORT, 6)
    assert sizes[0] <= 16
    assert sizes[-1] < sizes[0]
    assert sizes == sorted(sizes, reverse=True)
