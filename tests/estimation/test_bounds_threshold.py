"""The threshold of one source: its two ends, its order, and Monte Carlo."""

from __future__ import annotations

import importlib
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
from tests.oracles import conditional_cost, stochastic_cost

threshold = importlib.import_module("risdoa.bounds.threshold")

KINDS = pytest.mark.parametrize("kind", ["conditional", "stochastic"])
READING = pytest.mark.parametrize("direct", [False, True], ids=["coded", "direct"])


def predicted(snr_db, kind="conditional", direct=True, draws=20):
    known = scene(1, scenes=4, seed=1, direct=direct, snr_db=snr_db)
    return known, bounds.threshold(known.truth, generator(2), kind, draws)


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
    """Cells at the edge have fewer neighbours, and win the more often for it: within a quarter."""
    known, found = predicted(-60.0, kind, draws=2000)
    assert len(search_grid(known.problem.array, known.problem.region).points()) > 100
    ratio = found.mean_square / found.no_information
    assert float((ratio.mean(0) - 1).abs().max()) < 0.25
    width = math.degrees(2.0)  # of the region in azimuth, whose cells are spread by 1/√12 and more
    assert bool((found.no_information[:, 0].sqrt() > width / math.sqrt(12)).all())


@KINDS
@READING
def test_the_likelihood_is_the_naive_one(kind, direct):
    truth = scene(1, scenes=2, seed=3, direct=direct, snr_db=0.0).truth
    region = truth.problem.region
    share = torch.rand((5, 3), dtype=torch.float64, generator=generator(1))
    cells = region[:, 0] + share * (region[:, 1] - region[:, 0])
    values = threshold._likelihoods(truth, cells, generator(2), kind, 3)
    places = torch.cat((truth.positions[:, :1], cells.expand(2, -1, -1)), dim=1)
    steering = truth.problem.steering(truth.problem.array, places)
    seen = truth.problem.snapshots.sensing.observe(steering.to(torch.complex128))
    noise = truth.problem.snapshots.noise_power.expand(2)
    count = truth.problem.snapshots.count
    drawn = threshold._drawn(
        truth, seen[..., 0].to(torch.complex64), noise[:, None, None].float(), generator(2), 3
    )
    seen = seen.expand(-1, count, -1, -1).numpy()
    powers = truth.powers[:, :1] * 10 ** (torch.arange(-12, 9, 2) / 10)
    for s, d in [(0, 0), (1, 2)]:
        y, sigma = drawn[s, d].numpy(), float(noise[s])
        nothing = (abs(y) ** 2).sum() / sigma + y.size * math.log(sigma)
        for j in range(6):
            vectors = seen[s, ..., j : j + 1]
            if kind == "stochastic":
                costs = [stochastic_cost(y, vectors, [float(p)], sigma) for p in powers[s]]
            else:
                left = conditional_cost(y, vectors, torch.arange(count).numpy())
                costs = [left / sigma + y.size * math.log(sigma)]
            assert float(values[s, d, j]) == pytest.approx(nothing - min(costs), rel=1e-4, abs=1e-3)


def test_a_parabola_leads_to_the_maximum_between_the_points():
    shape, centre = (5, 6, 7), torch.tensor([2.3, 3.1, 2.8], dtype=torch.float64)
    axes = [torch.arange(n, dtype=torch.float64) for n in shape]
    grid = torch.cartesian_prod(*axes)
    values = (4 - (grid - centre).square() @ torch.tensor([0.3, 0.2, 0.1]).double()).view(1, 1, -1)
    everywhere = torch.ones(1, grid.shape[0], dtype=torch.bool)
    index, height = threshold._peak(values, everywhere, shape)
    assert grid[int(index)].tolist() == [2, 3, 3]
    assert float(height) == pytest.approx(4)
    edge = grid[:, 0] == 0
    index, height = threshold._peak(values, edge.unsqueeze(0), shape)
    assert grid[int(index)].tolist() == [0, 3, 3]
    assert float(height) == pytest.approx(4 - 0.3 * 2.3**2)
    assert float(threshold._peak(values, ~everywhere, shape)[1]) == -math.inf


@READING
def test_more_signal_never_means_more_outliers(direct):
    found = [predicted(level, direct=direct, draws=200)[1] for level in range(-30, 11, 5)]
    rates = [float(each.outliers.mean()) for each in found]
    assert rates[0] > 0.5
    assert rates[-1] < 1e-3
    # 800 draws of the same noise: a rate spreads by less than two points.
    assert all(more >= less - 0.04 for more, less in pairwise(rates))


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
