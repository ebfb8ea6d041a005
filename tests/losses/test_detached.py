"""A detached loss has its value and no gradient."""

from __future__ import annotations

import torch

from risdoa.covariance import Covariance
from risdoa.losses.detached import Detached
from risdoa.losses.gt_projection import GtProjection
from tests.losses.scenes import truth_of


def test_the_value_without_the_gradient():
    truth = truth_of(0, 2).to(dtype=torch.complex64)
    generator = torch.Generator().manual_seed(0)
    elements = truth.problem.array.positions.shape[-2]
    shape = (truth.problem.scenes, elements, 3)
    factor = torch.randn(shape, dtype=torch.complex64, generator=generator).requires_grad_()
    covariance = Covariance(factor)
    loss = GtProjection()
    value = Detached(loss)(covariance, truth)
    assert torch.equal(value, loss(covariance, truth))
    assert not value.requires_grad
    assert factor.requires_grad
