"""How every loss grows with the angle of the subspace, and what a dropped source costs it."""

from __future__ import annotations

import math

import pytest
import torch

from risdoa.covariance import Covariance
from risdoa.registry import Registry
from risdoa.subspace import complement_qr, orthonormal_basis
from tests.losses.scenes import positions, truth_at

REGISTRY = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
NAMES = REGISTRY.names("loss")
QUARTIC = {"gt-projection"}
BLIND = {"gt-projection", "one-sided-projection", "trace-projection"}
TRUTH = truth_at(positions([[-0.5, 0.1, 1.5], [0.4, -0.2, 0.8]])[None])


def turned(angle):
    """Return R_true with every column of its factor turned out of the span by an angle."""
    factor = TRUTH.covariance.factor
    basis = orthonormal_basis(TRUTH.steering_matrix())
    generator = torch.Generator().manual_seed(0)
    away = complement_qr(torch.randn(factor.shape, dtype=factor.dtype, generator=generator), basis)
    away = away / torch.linalg.vector_norm(away, dim=-2, keepdim=True)
    return Covariance(math.cos(angle) * factor + math.sin(angle) * away)


@pytest.mark.parametrize("name", NAMES)
def test_the_cost_grows_as_the_documented_power_of_the_angle(name):
    loss = REGISTRY.create("loss", name)
    least = float(loss(TRUTH.covariance, TRUTH))
    two, one = (float(loss(turned(angle), TRUTH)) - least for angle in (2e-3, 1e-3))
    assert math.log2(two / one) == pytest.approx(4 if name in QUARTIC else 2, abs=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_a_dropped_source_costs_where_the_record_says_so(name):
    loss = REGISTRY.create("loss", name)
    dropped = Covariance(2**0.5 * TRUTH.steering_matrix()[..., :1])
    extra = float(loss(dropped, TRUTH) - loss(TRUTH.covariance, TRUTH))
    assert (extra > 0.01) == (name not in BLIND)
    complete = "complete" in REGISTRY.find("loss", name).record.traits
    assert complete == (name not in BLIND)
