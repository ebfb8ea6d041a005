"""The projection losses that are quadratic in the angle, in factors and in batches."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from risdoa.covariance import Covariance
from risdoa.losses.projection import OneSidedProjection, TraceProjection
from risdoa.subspace import projector
from risdoa.testing.strategies import seeds
from tests.losses.scenes import covariance, positions, truth_at, truth_of

LOSSES = [OneSidedProjection, TraceProjection]
each_loss = pytest.mark.parametrize("loss", LOSSES)
loads = st.sampled_from([None, 0.0, 0.02, 1.0])


def outside(truth, dense):
    """Return P⊥R, dense."""
    return dense - projector(truth.steering_matrix(), truth.mask) @ dense


@given(seed=seeds, sources=st.integers(1, 4), width=st.integers(1, 20), load=loads)
def test_they_equal_their_dense_formulas(seed, sources, width, load):
    truth = truth_of(seed, sources)
    predicted = covariance(seed, truth.problem, width, load)
    dense = predicted.dense()
    left = outside(truth, dense)
    energy = left.abs().square().sum((-2, -1)) / dense.abs().square().sum((-2, -1))
    power = left.diagonal(dim1=-2, dim2=-1).real.sum(-1) / predicted.trace()
    close = {"rtol": 1e-9, "atol": 1e-12}
    torch.testing.assert_close(OneSidedProjection()(predicted, truth), energy, **close)
    torch.testing.assert_close(TraceProjection()(predicted, truth), power, **close)


@each_loss
def test_they_grow_as_the_square_of_the_angle(loss):
    truth = truth_at(positions([[0.2, 0.1, 4.0]])[None])
    steering = truth.steering_matrix()
    other = torch.randn(steering.shape, dtype=steering.dtype)
    other = other - steering @ (steering.mH @ other)
    other = other / torch.linalg.vector_norm(other)
    for angle in (0.1, 0.01, 0.001):
        turned = math.cos(angle) * steering + math.sin(angle) * other
        value = float(loss()(Covariance(turned), truth))
        assert value == pytest.approx(math.sin(angle) ** 2, rel=1e-6)


@each_loss
def test_they_vanish_inside_the_span_and_do_not_notice_a_dropped_source(loss):
    truth = truth_of(3, 3)
    steering = truth.steering_matrix()
    for inside in (Covariance(steering), Covariance(steering[..., :1])):
        assert float(loss()(inside, truth).abs().max()) < 1e-12


@each_loss
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_a_zero_covariance_has_a_finite_gradient(loss, dtype):
    truth = truth_of(2, 2)
    factor = torch.zeros((truth.problem.scenes, 16, 3), dtype=dtype, requires_grad=True)
    loss()(Covariance(factor), truth).sum().backward()
    assert bool(factor.grad.isfinite().all())
