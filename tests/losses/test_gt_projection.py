"""The seed's loss does what the seed says, in factors and in batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.losses.gt_projection import GtProjection
from risdoa.testing.strategies import seeds
from tests.losses.scenes import covariance, positions, truth_at, truth_of
from tests.oracles import seed_projection_loss

PROJECTORS = ["epsilon", "qr"]
both = pytest.mark.parametrize("projector", PROJECTORS)


@given(seed=seeds, sources=st.integers(1, 4), load=st.sampled_from([None, 0.0, 0.02, 1.0]))
def test_equals_a_literal_transcription_of_the_seed(seed, sources, load):
    truth = truth_of(seed, sources)
    predicted = covariance(seed, truth.problem, load=load)
    expected = [
        seed_projection_loss(
            predicted.dense()[scene].numpy(),
            truth.positions[scene, truth.mask[scene]].numpy(),
            truth.problem.array.positions.numpy(),
            truth.problem.array.wavelength,
        )
        for scene in range(truth.problem.scenes)
    ]
    np.testing.assert_allclose(GtProjection()(predicted, truth).numpy(), expected, rtol=1e-9)


@both
@given(seed=seeds, width=st.integers(1, 30), load=st.sampled_from([None, 0.1]))
def test_lies_between_0_and_1(projector, seed, width, load):
    truth = truth_of(seed, 2)
    value = GtProjection(projector)(covariance(seed, truth.problem, width, load), truth)
    assert bool(((value >= 0) & (value <= 1 + 1e-12)).all())


@given(seed=seeds, sources=st.integers(1, 3))
def test_vanishes_inside_the_span(seed, sources):
    truth = truth_of(seed, sources)
    steering = truth.steering_matrix()
    weights = torch.randn(
        (*steering.shape[:1], sources, 5),
        dtype=steering.dtype,
        generator=torch.Generator().manual_seed(seed),
    )
    inside = Covariance(steering @ weights)
    assert float(GtProjection("qr")(inside, truth).max()) < 1e-28
    gram = steering.mH @ steering
    smallest = torch.stack(
        [
            torch.linalg.eigvalsh(one[mask][:, mask])[0]
            for one, mask in zip(gram, truth.mask, strict=True)
        ]
    )
    bound = (1e-6 / (smallest + 1e-6)) ** 4
    assert bool((GtProjection()(inside, truth) <= bound * (1 + 1e-6) + 1e-28).all())


@both
@given(seed=seeds, scale=st.floats(1e-9, 1e9), phase=st.floats(-math.pi, math.pi))
def test_does_not_depend_on_scale_or_global_phase(projector, seed, scale, phase):
    truth = truth_of(seed, 2)
    predicted = covariance(seed, truth.problem, load=0.05)
    turned = Covariance(
        predicted.factor * complex(math.cos(phase), math.sin(phase)), predicted.load
    )
    changed = turned.scaled(torch.tensor(scale, dtype=torch.float64))
    loss = GtProjection(projector)
    torch.testing.assert_close(loss(changed, truth), loss(predicted, truth))


@both
@given(seed=seeds)
def test_does_not_depend_on_the_order_of_the_sources(projector, seed):
    truth = truth_of(seed, 3)
    predicted = covariance(seed, truth.problem)
    order = torch.randperm(3, generator=torch.Generator().manual_seed(seed))
    relabelled = truth_at(truth.positions[:, order], truth.mask[:, order])
    loss = GtProjection(projector)
    torch.testing.assert_close(loss(predicted, relabelled), loss(predicted, truth))


@both
def test_the_projector_forms_agree_where_sources_are_apart(projector):
    truth = truth_at(positions([[-0.5, 0.1, 3.0], [0.4, -0.2, 5.0]])[None])
    predicted = covariance(0, truth.problem)
    expected = GtProjection("qr")(predicted, truth)
    torch.testing.assert_close(
        GtProjection(projector)(predicted, truth), expected, rtol=1e-5, atol=0
    )


@both
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_a_zero_covariance_costs_nothing_and_has_a_finite_gradient(projector, dtype):
    truth = truth_of(2, 2)
    factor = torch.zeros((truth.problem.scenes, 16, 3), dtype=dtype, requires_grad=True)
    value = GtProjection(projector)(Covariance(factor), truth)
    value.sum().backward()
    assert value.tolist() == [0.0] * truth.problem.scenes
    assert bool(factor.grad.isfinite().all())


@both
def test_is_finite_without_gradients_and_needs_none(projector):
    truth = truth_of(4, 2)
    with torch.no_grad():
        value = GtProjection(projector)(covariance(4, truth.problem), truth)
    assert not value.requires_grad
    assert bool(value.isfinite().all())


def test_a_tiny_covariance_does_not_underflow_in_single_precision():
    truth = truth_of(4, 2)
    predicted = covariance(4, truth.problem)
    tiny = Covariance((predicted.factor * 1e-15).to(torch.complex64))
    expected = GtProjection()(predicted, truth).float()
    torch.testing.assert_close(GtProjection()(tiny, truth), expected, rtol=1e-4, atol=1e-6)


def test_grows_as_the_fourth_power_of_the_angle():
    truth = truth_at(positions([[0.2, 0.1, 4.0]])[None])
    steering = truth.steering_matrix()
    other = torch.randn(steering.shape, dtype=steering.dtype)
    other = other - steering @ (steering.mH @ other)
    other = other / torch.linalg.vector_norm(other)
    for angle in (0.1, 0.01):
        turned = math.cos(angle) * steering + math.sin(angle) * other
        value = float(GtProjection("qr")(Covariance(turned), truth))
        assert value == pytest.approx(math.sin(angle) ** 4, rel=1e-6)


@pytest.mark.parametrize("options", [{"projector": "svd"}, {"epsilon": 0.0}, {"epsilon": math.nan}])
def test_impossible_options_are_refused(options):
    with pytest.raises(InputError):
        GtProjection(**options)
