"""Outliers against processor time, with methods whose outliers are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from risdoa.errors import InputError
from risdoa.evaluation import frontier as module
from risdoa.evaluation.comparison import Setup
from risdoa.evaluation.frontier import Row, _equal_time, _gap, frontier
from risdoa.evaluation.journal import Journal
from risdoa.evaluation.methods import Method
from risdoa.problem import Estimates
from risdoa.scenarios.canonical import Canonical

SETUP = Setup(Canonical(nx=4, ny=4, outputs=4, snapshots=4), (20.0,), (1,), 60, 5)
POINTS = [(1, 20.0)]


def row(label, off, seconds, sources=1):
    return Row(label, sources, torch.tensor(off), seconds)


def centre(problem):
    """Say the middle of the region for every source."""
    shape = (problem.scenes, int(problem.sources[0]), 3)
    places = problem.region.mean(-1).expand(shape)
    return Estimates.at(places, places.new_zeros(shape[0]))


def nothing(problem):
    found = centre(problem)
    return replace(found, valid=torch.zeros_like(found.valid))


def refuse(problem):
    raise AssertionError("a finished chunk was run again")


def run(methods, journal=None, setup=SETUP, learned=("a",)):
    journal = Journal(None, {}) if journal is None else journal
    return frontier(setup, POINTS, methods, learned, journal)


def test_what_finds_nothing_misses_everything():
    (front,) = run([Method("a", nothing), Method("b", centre)])
    first, second = front.rows
    assert (first.rate, len(first.off)) == (1.0, 60)
    assert front.reference.rate < 0.2 < second.rate < 1
    assert first.milliseconds > 0
    assert front.reference.milliseconds is None
    (gap,) = front.gaps
    assert (gap.learned, gap.classical) == ("a", "b")
    assert gap.share == pytest.approx((second.rate - 1) / (second.rate - front.reference.rate))
    assert gap.low <= gap.share <= gap.high <= 0


def test_the_reference_starts_from_what_every_method_found(monkeypatch):
    starts, likeliest = [], module.likeliest

    def counted(truth, found):
        starts.append(len(found))
        return likeliest(truth, found)

    monkeypatch.setattr(module, "likeliest", counted)
    run([Method("a", nothing), Method("b", centre)])
    assert starts == [2, 2]


def test_finished_chunks_are_not_run_again_and_more_scenes_go_on(tmp_path):
    path = tmp_path / "frontier.jsonl"
    first = run([Method("a", centre)], Journal(path, {}))
    again = run([Method("a", refuse)], Journal(path, {}))
    assert torch.equal(first[0].rows[0].off, again[0].rows[0].off)
    more = run([Method("a", centre)], Journal(path, {}), replace(SETUP, trials=100))
    assert len(more[0].rows[0].off) == 100
    assert torch.equal(more[0].rows[0].off[:60], first[0].rows[0].off)


@pytest.mark.parametrize(
    "record",
    [
        [],
        {},
        {"a": {"off": [0] * 50, "seconds": 1.0}},
        {"a": {"off": [0] * 50}, "reference": {"off": [0] * 50, "seconds": None}},
        {"a": {"off": [0], "seconds": 1.0}, "reference": {"off": [0], "seconds": None}},
    ],
)
def test_damaged_records_are_refused(record, tmp_path):
    path = tmp_path / "frontier.jsonl"
    Journal(path, {}).add("K=1 snr_db=20 chunk=0 scenes=50", record)
    with pytest.raises(InputError, match=r"frontier\.jsonl is damaged"):
        run([Method("a", refuse)], Journal(path, {}))


def test_equal_time_is_the_best_in_time_or_the_fastest():
    slow, quick = row("slow", [0, 0], 3.0), row("quick", [1, 0], 1.0)
    poor = row("poor", [1, 1], 0.5)
    assert _equal_time(row("l", [0, 0], 1.0), [slow, quick, poor]) is quick
    assert _equal_time(row("l", [0, 0], 3.0), [slow, quick, poor]) is slow
    assert _equal_time(row("l", [0, 0], 0.1), [slow, quick, poor]) is poor


def test_the_share_of_a_gap():
    classical = row("c", [2, 2, 2, 2] * 25, 1.0, sources=2)
    learned = row("l", [1, 1, 1, 1] * 25, 1.0, sources=2)
    gap = _gap(learned, classical, row("g", [0] * 100, None, sources=2))
    assert (gap.points, gap.share, gap.low, gap.high) == (100.0, 0.5, 0.5, 0.5)
    none = _gap(learned, learned, learned)
    assert (none.points, none.share) == (0.0, None)


def test_the_interval_is_paired():
    # Classical and learned miss the same scenes but one in ten: the share hardly varies.
    scene = torch.arange(200)
    classical = row("c", (scene % 2).tolist(), 1.0)
    learned = row("l", ((scene % 2 == 1) & (scene % 20 != 1)).int().tolist(), 1.0)
    gap = _gap(learned, classical, row("g", [0] * 200, None))
    assert gap.share == pytest.approx(0.1)
    assert 0.03 < gap.low < 0.1 < gap.high < 0.2


def test_a_scenario_of_unequal_powers_has_no_reference():
    with pytest.raises(InputError, match="equal powers"):
        run([Method("a", refuse)], setup=replace(SETUP, scenario=_Unequal(), sources=(2,)))


class _Unequal(Canonical):
    def sample(self, count, generator, *, sources=None, snr_db=None):
        problem, truth = super().sample(count, generator, sources=2, snr_db=snr_db)
        return problem, replace(truth, powers=truth.powers * torch.tensor([1.0, 3.0]))
