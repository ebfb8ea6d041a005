"""One assignment for all coordinates, scaled by the resolution of the array."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.arrays import Array
from risdoa.conventions import to_radians
from risdoa.evaluation.assignment import MISSING, assign, costs, half_widths

WIDTHS = (0.075, 0.235)


def places(*triples):
    return to_radians(torch.tensor([triples], dtype=torch.float64))


def everyone(positions):
    return torch.ones(positions.shape[:2], dtype=torch.bool)


def test_half_widths_of_the_canonical_surface():
    angle, inverse = half_widths(Array.planar(12, 12, 0.3))
    x = 0.15 * (np.arange(12) - 5.5)
    k = 2 * np.pi / 0.3
    assert abs(np.exp(1j * k * x * angle).mean()) ** 2 == pytest.approx(0.5, abs=1e-4)
    q = (x[:, None] ** 2 + x**2) / 2
    assert abs(np.exp(1j * k * q * inverse).mean()) ** 2 == pytest.approx(0.5, abs=1e-4)
    assert 2 * inverse == pytest.approx(0.47, abs=0.005)


def test_half_widths_of_a_line_count_its_only_axis():
    line, wide = half_widths(Array.linear(16, 0.3)), half_widths(Array.linear(8, 0.3))
    assert line[0] == pytest.approx(0.443 * 0.3 / (16 * 0.15), rel=0.01)
    assert wide[0] == pytest.approx(2 * line[0], rel=0.02)
    assert wide[1] == pytest.approx(4 * line[1], rel=0.05)


def test_a_circle_does_not_resolve_range_in_the_fresnel_region():
    assert half_widths(Array.circular(8, 0.3))[1] == float("inf")


@settings(max_examples=40)
@given(seed=st.integers(0, 2**31), count=st.integers(1, 4))
def test_the_assignment_is_the_cheapest_of_all(seed, count):
    rng = np.random.default_rng(seed)
    low, high = np.array([-1.0, -0.5, 0.5]), np.array([1.0, 0.5, 10])
    truth, found = torch.from_numpy(rng.uniform(low, high, size=(2, 1, count, 3)))
    index = assign(truth, everyone(truth), found, everyone(found), WIDTHS)
    table = costs(truth, found, WIDTHS)[0].numpy()
    orders = list(itertools.permutations(range(count)))
    best = min(orders, key=lambda order: sum(table[k, j] for k, j in enumerate(order)))
    assert index[0].tolist() == list(best)
    shuffled = torch.randperm(count)
    moved = assign(truth, everyone(truth), found[:, shuffled], everyone(found), WIDTHS)
    assert shuffled[moved[0]].tolist() == list(best)


def test_coordinates_are_never_assigned_one_by_one():
    truth = places((0, 0, 2), (20, 0, 6))
    found = places((1, 0, 6.1), (19, 0, 2.1))
    assert assign(truth, everyone(truth), found, everyone(found), WIDTHS).tolist() == [[0, 1]]


def test_sources_in_one_direction_are_told_apart_by_range():
    truth = places((10, 5, 1), (10, 5, 4))
    found = places((10.1, 5, 4.2), (10.1, 5, 1.1))
    assert assign(truth, everyone(truth), found, everyone(found), WIDTHS).tolist() == [[1, 0]]


def test_invalid_estimates_and_masked_sources_take_no_part():
    truth = places((0, 0, 2), (20, 0, 2), (40, 0, 2))
    mask = torch.tensor([[True, False, True]])
    found = places((0, 0, 2), (41, 0, 2), (float("nan"), 0, 2))
    valid = torch.tensor([[False, True, True]])
    assert assign(truth, mask, found, valid, WIDTHS).tolist() == [[MISSING, MISSING, 1]]
    nobody = torch.zeros_like(valid)
    assert assign(truth, mask, found, nobody, WIDTHS).tolist() == [[MISSING] * 3]
