"""The threshold of one source: its two ends, its order, and Monte Carlo."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from risdoa import bounds
from risdoa.backends.nf_mle import NfMle
from risdoa.bounds.levels import levels
from risdoa.errors import InputError
from risdoa.evaluation.metrics import Scores
from risdoa.grid import search_grid
from risdoa.scenarios.digital import Digital
from tests.draws import generator
from tests.estimation.scenes import SHARING, scene

KINDS = pytest.mark.parametrize("kind", ["conditional", "stochastic"])
READING = pytest.mark.parametrize("direct", [False, True], ids=["coded", "direct"])


def predicted(snr_db, kind="conditional", direct=True, scenes=4):
    known = scene(1, scenes=scenes, seed=1, direct=direct, snr_db=snr_db)
    return known, bounds.threshold(known.truth, generator(2), kind)


@KINDS
@READING
def test_with_much_signal_it_is_the_bound(kind, direct):
    known, found = predicted(25.0, kind, direct)
    bound = bounds.deterministic if kind == "conditional" else bounds.stochastic
    floor = levels(known.truth.positions, known.truth.mask, bound(known.truth))[:, :4]
    torch.testing.assert_close(found.bound.sqrt(), floor)
    torch.testing.assert_close(found.mean_square, found.bound, rtol=1e-3, atol=0)
    assert float(found.outliers.max()) < 1e-6


@KINDS
def test_without_a_signal_every_cell_is_as_likely(kind):
    """P = J/(J + 1) with J orthogonal cells; what cells share and 40 draws leave is within 5 %."""
    known, found = predicted(-60.0, kind)
    count = len(search_grid(known.problem.array, known.problem.region, 0.5).points())
    assert count > 20
    ratio = found.mean_square / found.no_information
    assert float((ratio.mean(0) - 1).abs().max()) < 0.05
    width = math.degrees(2.0)  # of the region in azimuth, whose cells are spread by 1/√12 and more
    assert bool((found.no_information[:, 0].sqrt() > width / math.sqrt(12)).all())


@READING
def test_more_signal_never_means_more_outliers(direct):
    rates = [
        float(predicted(level, direct=direct)[1].outliers.mean()) for level in range(-30, 11, 5)
    ]
    assert rates[0] > 0.5
    assert rates[-1] < 1e-3
    assert all(more >= less for more, less in pairwise(rates))


def test_a_batch_is_its_scenes():
    """Up to the draws of the noise, of which a rate of some tenths spreads by some hundredths."""
    known, both = predicted(-12.0)
    alone = bounds.threshold(known.truth.select(torch.tensor([2])), generator(5), draws=400)
    assert float(both.outliers[2]) == pytest.approx(float(alone.outliers[0]), abs=0.15)
    torch.testing.assert_close(both.no_information[2], alone.no_information[0])


def test_what_it_does_not_hold_for_is_refused():
    with pytest.raises(InputError, match="one source"):
        bounds.threshold(scene(2, snr_db=0.0).truth, generator(0))
    with pytest.raises(InputError, match="fresh source signal"):
        bounds.threshold(scene(1, blocks=SHARING["static"], snr_db=0.0).truth, generator(0))
    with pytest.raises(InputError, match="signals"):
        bounds.threshold(replace(scene(1, snr_db=0.0).truth, signals=None), generator(0))


@pytest.mark.statistical
@pytest.mark.parametrize("snr_db", [-23.0, -20.0])
def test_maximum_likelihood_has_about_as_many_outliers(snr_db):
    """150 scenes, whose rate spreads by 4 points; between grid points there are some more."""
    _, truth = Digital().sample(150, generator(4), sources=1, snr_db=snr_db)
    found = bounds.threshold(truth, generator(5), draws=20)
    ends = NfMle(likelihood="conditional")(truth.problem, None, None)
    rate = 1 - float(Scores.of(truth, ends).inlier.double().mean())
    assert 0.05 < rate < 0.95
    assert float(found.outliers.mean()) == pytest.approx(rate, abs=0.13)
