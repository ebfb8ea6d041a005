"""Which sources are resolved, and how often in which range."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.conventions import to_radians
from risdoa.errors import InputError
from risdoa.evaluation.metrics import Reference, Scores, rate_interval, summarise
from risdoa.evaluation.range_bins import bin_edges, by_range
from risdoa.evaluation.resolution import told_apart
from risdoa.problem import Estimates
from risdoa.scenarios.canonical import Canonical
from tests import oracles

BEAM = 0.075
PLACE = st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1), st.floats(0.8, 4))


def places(*triples):
    return to_radians(torch.tensor([triples], dtype=torch.float64))


def told(truth, found):
    mask = torch.ones(truth.shape[:2], dtype=torch.bool)
    return told_apart(truth, mask, found, BEAM)[0].tolist()


@settings(max_examples=60)
@given(pairs=st.lists(st.tuples(PLACE, PLACE), min_size=1, max_size=4), seen=st.integers(1, 4))
def test_told_apart_is_what_its_definition_says(pairs, seen):
    count = min(seen, len(pairs))
    truth, found = (torch.tensor([each], dtype=torch.float64) for each in zip(*pairs, strict=True))
    mask = (torch.arange(len(pairs)) < count).unsqueeze(0)
    mine = told_apart(truth, mask, found, BEAM)[0]
    for index, (source, estimate) in enumerate(pairs[:count]):
        others = [other for j, (other, _) in enumerate(pairs[:count]) if j != index]
        assert bool(mine[index]) == oracles.told_apart(source, estimate, others, BEAM)


def test_half_way_to_the_other_source_decides():
    truth = places((0, 0, 2), (6, 0, 2))
    assert told(truth, places((2.9, 0, 2), (6, 0, 2))) == [True, True]
    assert told(truth, places((3.1, 0, 2), (6, 0, 2))) == [False, True]


def test_sources_in_one_direction_are_told_apart_by_range():
    truth = places((0, 0, 1), (0.5, 0, 2))
    assert told(truth, places((0.4, 0, 1.2), (0.1, 0, 2.2))) == [True, True]
    assert told(truth, places((0.4, 0, 1.6), (0.5, 0, 2))) == [False, True]
    apart = places((0, 0, 1), (9, 0, 2))
    assert told(apart, places((4.8, 0, 1), (9, 0, 2))) == [False, True]


def scored(scenes=40, sources=2, shift=0.5):
    """Return scores and reference of estimates that are off by so many degrees, and the truth."""
    generator = torch.Generator().manual_seed(3)
    truth = Canonical(nx=12, ny=12, snapshots=2).sample(scenes, generator, sources=sources)[1]
    off = torch.randn(scenes, sources, 1, dtype=torch.float64, generator=generator) * shift
    found = truth.positions + to_radians(off * torch.tensor([1.0, 0, 0], dtype=torch.float64))
    bound = torch.diag(torch.tensor([1e-4, 1e-4, 1e-2], dtype=torch.float64))
    reference = Reference.of(truth, bound.expand(scenes, sources, 3, 3))
    return Scores.of(truth, Estimates.at(found, torch.zeros(scenes))), reference, truth


def test_bins_take_every_source_once_and_add_up():
    scores, reference, truth = scored(shift=4.0)
    whole = summarise(scores, reference)
    bins = by_range(scores, reference, bin_edges(truth.problem.region, (4,)))
    assert sum(each.summary.sources for each in bins) == whole.sources
    assert 0 < sum(each.summary.resolved.hits for each in bins) == whole.resolved.hits
    assert sum(each.summary.outliers for each in bins) == whole.outliers > 0
    squares = [each.summary.sources * each.summary.deviations[0].rmse ** 2 for each in bins]
    assert sum(squares) == pytest.approx(whole.sources * whole.deviations[0].rmse ** 2)
    for each in bins:
        rate = each.summary.resolved
        assert (rate.low, rate.high) == rate_interval(rate.hits, rate.total)
        azimuth = each.row()["azimuth"]
        assert not rate.hits or azimuth["rmse_resolved"] <= azimuth["rmse"]


def test_a_scene_is_resolved_where_every_source_is():
    scores, reference, _ = scored(shift=4.0)
    summary = summarise(scores, reference)
    assert summary.resolved_scenes.total == 40
    assert summary.resolved_scenes.hits == int(scores.resolved.all(-1).sum())
    assert summary.resolved_scenes.share < summary.resolved.share


def test_an_outlier_or_a_missing_source_is_not_resolved():
    truth = scored(sources=1)[2]
    found = truth.positions.clone()
    found[0, 0, 1] += 0.1
    estimates = Estimates.at(found, torch.zeros(40))
    valid = estimates.valid.clone()
    valid[1] = False
    resolved = Scores.of(truth, replace(estimates, valid=valid)).resolved
    assert resolved[:, 0].tolist() == [False, False, *[True] * 38]


def test_bins_are_uniform_in_inverse_range_or_as_given():
    region = Canonical().region()
    edges = bin_edges(region, (4,))
    steps = torch.tensor(edges, dtype=torch.float64).reciprocal().diff()
    torch.testing.assert_close(steps, steps[:1].expand(4))
    assert (edges[0], edges[-1]) == (0.5, 10.0)
    assert bin_edges(region, (1.0, 2.0, 3.0)) == (1.0, 2.0, 3.0)
    region[2] = 2.0
    assert bin_edges(region, (4,)) == (2.0, 2.0)


def test_a_fixed_range_is_one_bin_and_empty_bins_are_left_out():
    scores, reference, truth = scored()
    fixed = replace(reference, ranges=torch.full_like(reference.ranges, 2.0))
    [only] = by_range(scores, fixed, (2.0, 2.0))
    assert only.summary.sources == 80
    assert len(by_range(scores, fixed, (1.0, 2.0, 3.0, 4.0))) == 1
    assert by_range(scores, fixed, (3.0, 4.0)) == ()
    assert truth.mask.all()


@pytest.mark.parametrize("wrong", [(0.0,), (1.5,), (-1.0,), (2.0, 1.0), (0.0, 1.0), (1.0, 1.0)])
def test_other_bins_are_refused(wrong):
    with pytest.raises(InputError):
        bin_edges(Canonical().region(), wrong)
