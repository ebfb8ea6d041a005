"""How many sources there are: right where they can be told, rarely too many."""

from __future__ import annotations

import pytest
import torch

from risdoa.counting import FALSE_ALARM, count_sources
from risdoa.errors import InputError
from risdoa.frozen import changed
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.digital import Digital
from risdoa.scenarios.static import Static
from tests.draws import generator, normal
from tests.estimation.scenes import scene

KINDS = {"canonical": Canonical(8, 8, 12, 12), "static": Static(8, 8, 12, 12)}


def unknown(problem):
    return changed(problem, sources=None)


@pytest.mark.parametrize("direct", [False, True], ids=["coded", "direct"])
@pytest.mark.parametrize("blocks", [None, [0] * 8], ids=["fresh", "static"])
@pytest.mark.parametrize("sources", [1, 2])
def test_well_separated_sources_are_counted(sources, blocks, direct):
    known = scene(sources, scenes=4, snr_db=25.0, blocks=blocks, direct=direct)
    assert count_sources(unknown(known.problem)).tolist() == [sources] * 4


@pytest.mark.parametrize("direct", [False, True], ids=["coded", "direct"])
def test_noise_alone_is_no_source(direct):
    known = scene(1, scenes=12, direct=direct)
    snapshots = known.problem.snapshots
    noise = normal(snapshots.values.shape, 5)
    empty = changed(known.problem, snapshots=changed(snapshots, values=noise), sources=None)
    # one false alarm in a hundred: two in twelve scenes would be a chance of 0.6 %
    assert int(count_sources(empty).sum()) <= 1


def test_scenes_are_counted_one_by_one():
    problem, _ = Canonical(8, 8, 12, 12).sample(6, generator(2), snr_db=20.0)
    whole = count_sources(unknown(problem))
    halves = [count_sources(unknown(problem).select(half)) for half in torch.arange(6).split(3)]
    # the threshold is drawn through other scenes: it may move by a few per cent
    assert int((whole != torch.cat(halves)).sum()) <= 1


def test_the_count_is_repeatable_and_bounded():
    problem, _ = Canonical(8, 8, 12, 12).sample(3, generator(3), sources=3, snr_db=20.0)
    first, again = (count_sources(unknown(problem), most=2) for _ in range(2))
    assert torch.equal(first, again)
    assert int(first.max()) <= 2


@pytest.mark.parametrize("wrong", [{"false_alarm": 0.0}, {"false_alarm": 0.9}, {"most": 0}])
def test_impossible_requests_are_refused(wrong):
    with pytest.raises(InputError, match="counting sources needs"):
        count_sources(scene(1).problem, **wrong)


@pytest.mark.statistical
@pytest.mark.parametrize("scenario", [Canonical(), Digital(8, 8)], ids=["canonical", "digital"])
@pytest.mark.parametrize("sources", [1, 2, 3])
def test_the_number_is_right_at_10_db_and_false_alarms_are_as_rare_as_told(sources, scenario):
    problem, _ = scenario.sample(300, generator(40 + sources), sources=sources, snr_db=10.0)
    counts = count_sources(unknown(problem))
    # three standard deviations of 300 scenes at 1 % are 1.7 %
    assert float((counts > sources).double().mean()) <= FALSE_ALARM + 0.017
    assert float((counts == sources).double().mean()) >= 0.95
