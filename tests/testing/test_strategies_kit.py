"""The public Hypothesis strategies draw what they say."""

from __future__ import annotations

import importlib
import sys

import pytest
import torch
from hypothesis import find, given, settings
from hypothesis import strategies as st

from risdoa.sensing import Direct, RisCoded
from risdoa.steering.spherical import Spherical
from risdoa.testing import strategies
from risdoa.testing.strategies import arrays, covariances, positions, scenes


@given(array=arrays())
def test_arrays_have_2_to_25_elements(array):
    assert 2 <= array.count <= 25
    assert array.gains is None


@given(array=arrays(planar=True, gains=True))
def test_arrays_keep_to_the_plane_and_have_gains_where_asked(array):
    assert array.is_planar
    assert array.gains.shape == (array.count,)


def test_arrays_leave_the_plane_where_they_may():
    assert not find(arrays(), lambda array: not array.is_planar).is_planar


@given(data=st.data(), sources=st.one_of(st.none(), st.integers(1, 6)), front=st.booleans())
def test_positions_stand_clear_of_the_array(data, sources, front):
    array = data.draw(arrays())
    at = data.draw(positions(array, sources, front))
    assert len(at) == sources or (sources is None and 1 <= len(at) <= 4)
    radius = torch.linalg.vector_norm(array.positions, dim=-1).max()
    assert bool((at[:, 2] > 1.5 * radius).all())
    assert bool((at[:, 0].abs() < (torch.pi / 2 if front else torch.pi)).all())


@given(data=st.data(), width=st.one_of(st.none(), st.integers(1, 9)), elements=st.integers(1, 8))
def test_covariances_have_the_shape_asked_for(data, width, elements):
    drawn = data.draw(covariances(elements, scenes=3, width=width))
    assert drawn.factor.shape == (3, elements, width or drawn.width)
    assert drawn.width <= elements + 4 or width is not None
    assert bool((drawn.load_or_zero() >= 0).all())


def test_covariances_come_with_and_without_a_load():
    assert find(covariances(2), lambda drawn: drawn.load is None).load is None
    assert find(covariances(2), lambda drawn: drawn.load is not None).load is not None


@settings(max_examples=50)
@given(drawn=scenes())
def test_scenes_hold_sources_in_their_region_that_the_data_can_tell_apart(drawn):
    problem, truth = drawn
    assert truth.problem is problem
    assert problem.scenes <= 3
    assert torch.equal(problem.sources, truth.mask.sum(-1))
    assert 1 <= int(problem.sources.min()) <= int(problem.sources.max()) <= 3
    low, high = problem.region.unbind(-1)
    assert bool(((truth.positions >= low - 1e-9) & (truth.positions <= high + 1e-9)).all())
    assert bool(problem.snapshots.values.isfinite().all())
    assert torch.equal(truth.signals.abs().sum(1) > 0, truth.mask)


@given(data=st.data(), coded=st.booleans())
def test_scenes_are_made_as_asked(data, coded):
    problem, truth = data.draw(scenes(Spherical(), most_scenes=1, most_sources=1, coded=coded))
    assert isinstance(problem.steering, Spherical)
    assert truth.mask.shape == (1, 1)
    assert isinstance(problem.snapshots.sensing, RisCoded if coded else Direct)


def test_a_missing_hypothesis_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ImportError, match="pip install hypothesis"):
        importlib.reload(strategies)
