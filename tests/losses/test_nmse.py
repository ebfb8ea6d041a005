"""The covariance error, from factors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from risdoa.covariance import Covariance
from risdoa.losses.nmse import Nmse
from tests.losses.scenes import covariance, truth_of
from tests.oracles import nmse


@given(seed=st.integers(0, 2**31 - 1), load=st.sampled_from([None, 0.1]))
def test_equals_the_dense_formula(seed, load):
    truth = truth_of(seed, 3)
    predicted = covariance(seed, truth.problem, load=load)
    expected = [
        nmse(mine.numpy(), true.numpy())
        for mine, true in zip(predicted.dense(), truth.covariance.dense(), strict=True)
    ]
    np.testing.assert_allclose(Nmse()(predicted, truth).numpy(), expected, rtol=1e-9)


def test_is_0_at_the_truth_and_1_at_nothing():
    truth = truth_of(0, 3)
    nothing = Covariance(torch.zeros_like(truth.covariance.factor))
    assert float(Nmse()(truth.covariance, truth).abs().max()) < 1e-12
    assert Nmse()(nothing, truth).tolist() == pytest.approx([1.0] * 4)
