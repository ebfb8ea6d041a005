"""The unfolded network: rounds, what it is told, and sizes it was not made for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from risdoa.backends.music import Music
from risdoa.conventions import great_circle
from risdoa.errors import InputError
from risdoa.models.unfolded import Unfolded
from risdoa.scenarios.canonical import Canonical
from tests.models.small import UNFOLDED, drawn


@torch.no_grad()
def test_without_any_training_it_finds_a_lone_source():
    problem, truth = Canonical().sample(
        20, torch.Generator().manual_seed(0), sources=1, snr_db=15.0
    )
    found = Music()(problem, Unfolded().eval()(problem), None)
    off = torch.rad2deg(great_circle(truth.positions, found.positions))
    assert float(off.median()) < 2.5


@torch.no_grad()
def test_the_rounds_are_more_than_the_first_look():
    problem, _ = drawn(sources=2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Unfolded(**UNFOLDED).eval()
    looks = []
    for rounds in (0, 1, 2):
        model.rounds = rounds
        looks.append(model(problem).dense())
    assert float((looks[0] - looks[1]).abs().max()) > 1e-3 * float(looks[0].abs().max())
    assert float((looks[1] - looks[2]).abs().max()) > 1e-3 * float(looks[1].abs().max())


@torch.no_grad()
def test_it_listens_to_the_number_of_sources_if_it_is_told():
    problem, _ = drawn(sources=2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Unfolded(**UNFOLDED).eval()
    told, untold = model(problem).dense(), model(replace(problem, sources=None)).dense()
    assert float((told - untold).abs().max()) > 1e-4 * float(told.abs().max())


def test_scenes_in_training_stop_after_different_numbers_of_rounds():
    model = Unfolded(**UNFOLDED).train()
    problem, _ = drawn(count=20)
    seen = []
    model.further.register_forward_hook(lambda _, maps, __: seen.append(len(maps[0])))
    model(problem)
    assert len(seen) == 2
    assert 20 > seen[0] > seen[1] > 0


@pytest.mark.parametrize(
    "options", [{"channels": 6}, {"atoms": 0}, {"rounds": 3}, {"rounds": -1}, {"beta": 2.0}]
)
def test_impossible_options_are_refused(options):
    with pytest.raises(InputError):
        Unfolded(**UNFOLDED | options)
