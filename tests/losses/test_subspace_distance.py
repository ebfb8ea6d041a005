"""Principal angles between the signal subspace and the true one, and their slopes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import subspace_angles

from risdoa.covariance import Covariance
from risdoa.losses.subspace_distance import EDGE, Chordal, Geodesic
from risdoa.subspace import complement_qr, orthonormal_basis
from risdoa.testing.strategies import seeds
from tests.losses.scenes import covariance, positions, truth_at, truth_of

LOSSES = [Chordal, Geodesic]
each_loss = pytest.mark.parametrize("loss", LOSSES)
TWO = truth_at(positions([[-0.5, 0.1, 3.0], [0.4, -0.2, 5.0]])[None])


@given(seed=seeds, sources=st.integers(1, 4), load=st.sampled_from([None, 0.3]))
def test_they_are_functions_of_the_principal_angles(seed, sources, load):
    truth = truth_of(seed, sources)
    predicted = covariance(seed, truth.problem, width=7, load=load)
    found = {loss: loss()(predicted, truth) for loss in LOSSES}
    for scene in range(truth.problem.scenes):
        columns = truth.steering_matrix()[scene][:, truth.mask[scene]].numpy()
        vectors = torch.linalg.eigh(predicted.dense()[scene])[1][:, -columns.shape[1] :].numpy()
        angles = torch.from_numpy(subspace_angles(columns, vectors))
        assert float(found[Chordal][scene]) == pytest.approx(float(angles.sin().square().mean()))
        curved = torch.asin(angles.sin() * math.sqrt(1 - EDGE)).square().mean()
        assert float(found[Geodesic][scene]) == pytest.approx(float(curved), rel=1e-6)
        cost = float(angles.square().mean() - curved)
        assert 0 <= cost <= math.pi * math.sqrt(EDGE)


def turned(angle):
    """Return the true subspace with its first direction turned out of it."""
    basis = orthonormal_basis(TWO.steering_matrix())
    drawn = torch.randn((1, 16, 1), dtype=basis.dtype, generator=torch.Generator().manual_seed(0))
    away = complement_qr(drawn, basis)
    away = away / torch.linalg.vector_norm(away)
    first = math.cos(angle) * basis[..., :1] + math.sin(angle) * away
    return Covariance(torch.cat((first, 0.5 * basis[..., 1:]), -1))


@each_loss
@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-6, 1e-3, 0.031, 0.033, 0.5, math.pi / 2])
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_value_and_slope_are_finite_from_the_optimum_to_a_right_angle(loss, angle, dtype):
    factor = turned(angle).factor.to(dtype).requires_grad_()
    value = loss()(Covariance(factor), TWO.to(dtype=dtype))
    value.sum().backward()
    wanted = (math.sin(angle) if loss is Chordal else angle) ** 2 / 2
    assert value.item() == pytest.approx(wanted, rel=2e-3, abs=1e-6)
    assert bool(factor.grad.isfinite().all())
    if angle <= 1e-3:
        assert float(factor.grad.abs().max()) < 1e-2


@each_loss
def test_equal_eigenvalues_within_a_subspace_leave_the_slope_right(loss):
    """Two equal ones in the signal, three in the noise: finite differences agree."""
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randn((1, 16, 5), dtype=torch.complex128, generator=generator)
    vectors = torch.linalg.qr(drawn)[0]
    factor = vectors * torch.tensor([1.0, 1.0, 0.3, 0.3, 0.3])
    toward = torch.randn(factor.shape, dtype=factor.dtype, generator=generator)
    leaf = factor.clone().requires_grad_()
    loss()(Covariance(leaf), TWO).sum().backward()
    found = float((leaf.grad.conj() * toward).real.sum())
    step = 1e-5
    ahead, behind = (loss()(Covariance(factor + s * toward), TWO) for s in (step, -step))
    assert found == pytest.approx(float(ahead - behind) / (2 * step), rel=1e-6)


@each_loss
@pytest.mark.parametrize("width", [1, 2, 5, 16])
def test_the_slope_is_finite_where_signal_and_noise_meet(loss, width):
    """All eigenvalues are equal, or R lacks a direction, or has none at all."""
    for scale in (1.0, 0.0):
        factor = (scale * torch.eye(16)[:, :width])[None].to(torch.complex64).requires_grad_()
        value = loss()(Covariance(factor), TWO)
        value.sum().backward()
        assert bool(value.isfinite().all())
        assert bool(factor.grad.isfinite().all())


@each_loss
def test_a_direction_that_is_missing_costs_a_right_angle(loss):
    basis = orthonormal_basis(TWO.steering_matrix())
    value = float(loss()(Covariance(basis[..., :1]), TWO))
    assert value == pytest.approx(0.5 if loss is Chordal else (math.pi / 2) ** 2 / 2, rel=2e-3)
