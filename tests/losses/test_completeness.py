"""The term that forbids dropping a source."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.losses.completeness import Completeness
from risdoa.losses.gt_projection import GtProjection
from risdoa.subspace import orthonormal_basis
from risdoa.testing.strategies import seeds
from tests.losses.scenes import covariance, positions, truth_at, truth_of

THREE = truth_at(positions([[-0.5, 0.1, 3.0], [0.4, -0.2, 5.0], [0.0, 0.35, 2.0]])[None])


@settings(max_examples=40)
@given(seed=seeds, sources=st.integers(1, 4), load=st.sampled_from([None, 0.05]))
def test_equals_its_dense_formula(seed, sources, load):
    truth = truth_of(seed, sources)
    predicted = covariance(seed, truth.problem, load=load)
    found = Completeness(floor=0.01)(predicted, truth)
    for scene in range(truth.problem.scenes):
        basis = orthonormal_basis(truth.steering_matrix()[scene][:, truth.mask[scene]])
        count = basis.shape[1]
        inside = basis.mH @ predicted.dense()[scene] @ basis / predicted.trace()[scene]
        floored = 0.99 * count * inside + 0.01 * torch.eye(count, dtype=torch.float64)
        expected = -torch.linalg.slogdet(floored)[1] / count
        torch.testing.assert_close(found[scene], expected, rtol=1e-9, atol=1e-12)


@given(seed=seeds, sources=st.integers(1, 4), width=st.integers(1, 20))
def test_is_at_least_0_and_is_0_where_the_span_is_evenly_full(seed, sources, width):
    truth = truth_of(seed, sources)
    assert bool((Completeness()(covariance(seed, truth.problem, width), truth) >= 0).all())
    even = Covariance(orthonormal_basis(truth.steering_matrix(), truth.mask))
    assert float(Completeness()(even, truth).abs().max()) < 1e-9


def test_a_dropped_source_costs_what_the_floor_says_and_the_projection_loss_nothing():
    truth = THREE
    basis = orthonormal_basis(truth.steering_matrix())
    dropped = Covariance(basis[..., :2])
    assert float(GtProjection()(dropped, truth)) < 1e-9
    kept = (1 - 1e-3) * 3 / 2 + 1e-3
    expected = -(2 * math.log(kept) + math.log(1e-3)) / 3
    assert float(Completeness()(dropped, truth)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_pulls_the_dropped_source_back_in(dtype):
    """Descent from R = a₁a₁ᴴ, with a trace of the others, ends with all sources there."""
    truth = THREE.to(dtype=dtype)
    steering = truth.steering_matrix()
    factor = torch.cat((steering[..., :1], 1e-3 * steering[..., 1:]), -1).requires_grad_()
    optimizer = torch.optim.Adam([factor], lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        loss = Completeness()(Covariance(factor), truth) + GtProjection()(Covariance(factor), truth)
        loss.sum().backward()
        optimizer.step()
    basis = orthonormal_basis(steering)
    inside = Covariance(factor.detach()).unit_trace()
    assert float(torch.linalg.eigvalsh(basis.mH @ inside.apply(basis)).min()) > 0.2


def test_a_covariance_of_too_low_rank_has_a_finite_gradient():
    truth = truth_of(2, 3)
    for factor in (torch.zeros(4, 16, 3), torch.ones(4, 16, 1), torch.ones(4, 16, 5)):
        leaf = factor.to(torch.complex64).requires_grad_()
        value = Completeness()(Covariance(leaf), truth)
        value.sum().backward()
        assert bool(value.isfinite().all())
        assert bool(leaf.grad.isfinite().all())


@pytest.mark.parametrize("floor", [0.0, 1.0, -0.1, math.nan])
def test_impossible_floors_are_refused(floor):
    with pytest.raises(InputError):
        Completeness(floor)
