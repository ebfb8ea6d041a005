"""Orthogonal matching pursuit: sources one by one, off the grid, as many as are asked for."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise

import pytest
import torch

from risdoa.backends.omp import Omp, grown, pursued
from risdoa.errors import InputError
from risdoa.grid import search_grid
from risdoa.scan import Matched
from risdoa.steering.canonical import Canonical
from tests.estimation.matching import errors, remarks
from tests.estimation.scenes import SHARING, scene

EXACT = 1e-6
"""Rad and 1/m: without noise the joint descent ends at the truth."""


@pytest.mark.parametrize("sources", [1, 2, 3])
@pytest.mark.parametrize("labels", SHARING.values(), ids=SHARING.keys())
def test_without_noise_the_pursuit_ends_at_the_truth(labels, sources):
    known = scene(sources, blocks=labels, snapshots=8, outputs=12)
    found = Omp()(known.problem, None, None)
    assert float(errors(found.positions, known.truth.positions)) < EXACT
    assert bool(found.valid.all())
    assert bool(found.converged.all())
    assert float(found.objective) < 1e-12  # of the energy: the noise is at rounding
    assert remarks(found) == ()


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "coded"])
def test_every_further_source_leaves_less_unexplained(direct):
    known = scene(3, scenes=2, direct=direct, snr_db=20.0, outputs=12)
    grid = search_grid(known.problem.array, known.problem.region)
    ends = list(islice(grown(Matched.prepare(known.problem, grid), 20), 4))
    assert [end.point.shape for end in ends] == [(2, 3 * count) for count in (1, 2, 3, 4)]
    for before, after in pairwise(ends):
        assert bool((after.cost < before.cost).all())
    drops = torch.stack([before.cost / after.cost for before, after in pairwise(ends)])
    # the third of three sources is worth much at 20 dB, a fourth next to nothing
    assert float(drops[1].min()) > 5
    assert float(drops[2].max()) < 2


def test_it_stops_at_the_number_that_is_asked_for():
    known = scene(2, snr_db=20.0, outputs=12)
    grid = search_grid(known.problem.array, known.problem.region)
    ends = list(islice(grown(Matched.prepare(known.problem, grid), 20), 2))
    found = pursued(known.problem, grid, 2, 20)
    expected = known.problem.positions(ends[1].point.unflatten(1, (2, 3)))
    assert torch.equal(found.positions, expected)


def test_too_few_outputs_for_so_many_signals_are_refused():
    known = scene(2, outputs=2, snapshots=16)
    with pytest.raises(InputError, match="more than 2 outputs") as caught:
        Omp()(known.problem, None, None)
    assert "nf-mle" in caught.value.hint


def test_the_waves_are_those_of_the_problem():
    known = scene(1, steering=Canonical(), outputs=12)
    found = Omp()(known.problem, None, None)
    assert float(errors(found.positions, known.truth.positions)) < EXACT


def test_measurements_may_be_in_single_precision():
    known = scene(2, outputs=12)
    single = replace(known.problem, snapshots=known.problem.snapshots.to(None, torch.complex64))
    found = Omp()(single, None, None)
    assert float(errors(found.positions, known.truth.positions)) < 1e-4


@pytest.mark.parametrize("options", [{"density": 0.0}, {"iterations": 0}])
def test_impossible_options_are_refused(options):
    with pytest.raises(InputError, match="omp needs"):
        Omp(**options)
