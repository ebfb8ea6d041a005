"""The affine-invariant distance, from factors."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st

from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.losses.affine_invariant import AffineInvariant
from risdoa.testing.strategies import seeds
from tests.losses.scenes import covariance, truth_of


@given(
    seed=seeds, sources=st.integers(1, 4), width=st.integers(1, 20), load=st.sampled_from([None, 1])
)
def test_equals_its_dense_formula(seed, sources, width, load):
    truth = truth_of(seed, sources)
    predicted = covariance(seed, truth.problem, width, load)
    found = AffineInvariant(0.05)(predicted, truth)
    for scene in range(truth.problem.scenes):
        true = truth.covariance.dense()[scene].numpy()
        floor = 0.05 * np.trace(true).real / 16 * np.eye(16)
        values = scipy.linalg.eigh(
            predicted.dense()[scene].numpy() + floor, true + floor, eigvals_only=True
        )
        assert float(found[scene]) == pytest.approx(np.mean(np.log(values) ** 2), rel=1e-8)


def test_is_0_at_the_truth_alone_and_symmetric_in_scale():
    truth = truth_of(0, 3)
    assert float(AffineInvariant()(truth.covariance, truth).max()) < 1e-20
    for scale in (0.9, 1.1):
        scaled = truth.covariance.scaled(torch.tensor(scale, dtype=torch.float64))
        assert float(AffineInvariant()(scaled, truth).min()) > 1e-5


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_any_covariance_has_a_finite_gradient(dtype):
    truth = truth_of(2, 3)
    factors = [torch.zeros(4, 16, 3), torch.ones(4, 16, 5), torch.eye(16).expand(4, 16, 16)]
    for factor in [*factors, truth.covariance.factor]:
        leaf = factor.to(dtype).clone().requires_grad_()
        AffineInvariant()(Covariance(leaf), truth).sum().backward()
        assert bool(leaf.grad.isfinite().all())


def test_a_load_of_0_is_refused():
    with pytest.raises(InputError):
        AffineInvariant(0.0)
