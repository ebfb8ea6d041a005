"""GOSPA is a metric on finite sets, and what trying every assignment gives."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.evaluation.assignment import costs
from risdoa.evaluation.gospa import CUTOFF, Gospa
from risdoa.problem import Estimates
from risdoa.scenarios.digital import Digital
from tests.oracles import direction, gospa

WIDTHS = (0.075, 0.235)
PLACE = st.tuples(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(0.8, 4))
PLACES = st.lists(PLACE, max_size=4)
SOURCES = 4


def padded(places):
    """Return places as (1, SOURCES, 3) with a mask."""
    filled = [*places, *[(9.0, 9.0, 9.0)] * (SOURCES - len(places))]
    mask = torch.arange(SOURCES) < len(places)
    return torch.tensor([filled], dtype=torch.float64), mask.unsqueeze(0)


def between(first, second, cutoff=CUTOFF):
    (a, mask), (b, valid) = padded(first), padded(second)
    return Gospa.between(costs(a, b, WIDTHS), mask, valid, cutoff)


def distance(a, b):
    angle = 2 * np.arcsin(min(1, np.linalg.norm(direction(*a[:2]) - direction(*b[:2])) / 2))
    return np.hypot(angle / WIDTHS[0], (1 / a[2] - 1 / b[2]) / WIDTHS[1])


@settings(max_examples=60)
@given(truth=PLACES, found=PLACES, cutoff=st.floats(0.2, 5))
def test_it_is_the_least_over_all_partial_assignments(truth, found, cutoff):
    whole, *_ = gospa(truth, found, distance, cutoff)
    mine = between(truth, found, cutoff)
    assert float(mine.distance) ** 2 == pytest.approx(whole, rel=1e-9, abs=1e-12)
    parts = float(mine.localisation) + cutoff**2 / 2 * float(mine.missed + mine.false)
    assert parts == pytest.approx(whole, rel=1e-9, abs=1e-12)
    assert int(mine.missed - mine.false) == len(truth) - len(found)


@settings(max_examples=60)
@given(first=PLACES, second=PLACES)
def test_it_is_symmetric_and_zero_for_equal_sets_alone(first, second):
    there, back = between(first, second), between(second, first)
    assert float(there.distance) == pytest.approx(float(back.distance))
    assert int(there.missed) == int(back.false)
    # Squares of errors below 1e-160 vanish, so equal means to rounding here.
    assert float(between(first, first[::-1]).distance) < 1e-6
    if len(first) != len(second):
        assert float(there.distance) >= CUTOFF / 2**0.5 - 1e-12
    if float(there.distance) == 0:
        np.testing.assert_allclose(sorted(first), sorted(second), atol=1e-6)


@settings(max_examples=60)
@given(first=PLACES, second=PLACES, third=PLACES)
def test_the_triangle_inequality_holds(first, second, third):
    direct = float(between(first, third).distance)
    round_about = float(between(first, second).distance) + float(between(second, third).distance)
    assert direct <= round_about + 1e-9


def test_a_far_estimate_is_a_missed_source_and_a_false_estimate():
    near = between([(0, 0, 1)], [(WIDTHS[0], 0, 1)])
    assert (float(near.localisation), int(near.missed), int(near.false)) == (pytest.approx(1), 0, 0)
    far = between([(0, 0, 1)], [(2.1 * WIDTHS[0], 0, 1)])
    assert (float(far.localisation), int(far.missed), int(far.false)) == (0, 1, 1)
    assert float(far.distance) == pytest.approx(CUTOFF)


def test_scenes_are_averaged_as_squares_and_wrong_numbers_are_counted():
    _, truth = Digital(nx=4, ny=4, snapshots=2).sample(4, torch.Generator(), sources=2)
    found = Estimates.at(truth.positions.flip(1), torch.zeros(4))
    found.valid[0, 0] = False
    found.valid[1] = False
    parts = [Gospa.of(truth.select(s), found.select(s)) for s in torch.arange(4).split(3)]
    figures = Gospa.join(parts).figures()
    assert figures["missed_per_scene"] == 3 / 4
    assert figures["right_number"] == 1 / 2
    assert (figures["localisation"], figures["false"]) == (pytest.approx(0), 0)
    assert figures["gospa"] ** 2 == pytest.approx(figures["missed"])
    assert figures["missed"] == pytest.approx(CUTOFF**2 / 2 * 3 / 4)
