"""The legacy losses: what they are, and what is wrong with them."""

from __future__ import annotations

import pytest
import risdoa_legacy
import torch
from risdoa_legacy.eigenvector import Eigenvector
from risdoa_legacy.evd import LegacyEvd, LegacyEvdSafe

import risdoa
import risdoa.testing


@risdoa.testing.parametrize(risdoa_legacy)
def test_they_keep_the_contract(check):
    check()


@pytest.fixture
def truth():
    scenario = risdoa.Registry.discover({}).create("scenario", "canonical", nx=4, ny=4)
    return scenario.sample(6, torch.Generator().manual_seed(3))[1]


def drawn(truth, width, seed=0):
    shape = (truth.problem.scenes, truth.problem.array.count, width)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.complex128, generator=generator)


def test_the_hook_names_what_is_there():
    for record in risdoa_legacy.risdoa_losses():
        module, name = record.factory.split(":")
        loss = getattr(__import__(module, fromlist=[name]), name)
        assert issubclass(loss, risdoa.Loss)


def test_risdoa_finds_them():
    registry = risdoa.Registry.discover({})
    for name in ("legacy-evd", "legacy-evd-safe", "eigenvector"):
        assert registry.find("loss", name).distribution == "risdoa-legacy"
        assert isinstance(registry.create("loss", name), risdoa.Loss)


def test_evd_equals_its_formula(truth):
    covariance = risdoa.Covariance(drawn(truth, 5))
    expected = []
    for scene in range(truth.problem.scenes):
        columns = truth.steering_matrix()[scene][:, truth.mask[scene]]
        vectors = torch.linalg.eigh(covariance.dense()[scene])[1][:, : -columns.shape[1]]
        expected.append((vectors.mH @ columns).abs().square().sum() / columns.shape[1])
    torch.testing.assert_close(LegacyEvd()(covariance, truth), torch.stack(expected))


def test_evd_vanishes_at_the_truth_and_is_finite_without_gradients(truth):
    with torch.no_grad():
        assert float(LegacyEvd()(truth.covariance, truth).max()) < 1e-12


def test_evd_has_no_finite_gradient_where_eigenvalues_are_equal(truth):
    factor = torch.eye(16, dtype=torch.complex128)[:, :5].expand(6, 16, 5).clone()
    factor.requires_grad_()
    LegacyEvd()(risdoa.Covariance(factor), truth).sum().backward()
    assert not bool(factor.grad.isfinite().all())


def test_both_forms_of_evd_agree_where_all_eigenvalues_are_apart(truth):
    """The value is the same; the gradient too, for parts that cancel within a subspace."""
    slopes = []
    for loss in (LegacyEvd(), LegacyEvdSafe()):
        factor = drawn(truth, 20).requires_grad_()
        value = loss(risdoa.Covariance(factor), truth)
        slopes.append(torch.autograd.grad(value.sum(), factor)[0])
    torch.testing.assert_close(value, LegacyEvd()(risdoa.Covariance(factor), truth))
    torch.testing.assert_close(slopes[0], slopes[1], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("columns", [1, 5, 16])
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_the_safe_form_is_finite_where_eigenvalues_are_equal(truth, columns, dtype):
    """Within the noise, within the signal, and between the two."""
    factor = torch.eye(16, dtype=dtype)[:, :columns].expand(6, 16, columns).clone()
    factor.requires_grad_()
    LegacyEvdSafe()(risdoa.Covariance(factor), truth).sum().backward()
    assert bool(factor.grad.isfinite().all())


@pytest.mark.parametrize("load", [None, 0.1])
def test_eigenvector_is_the_projection_loss_where_the_true_covariance_has_no_noise(truth, load):
    delta = None if load is None else torch.full((6,), load, dtype=torch.float64)
    covariance = risdoa.Covariance(drawn(truth, 5), delta)
    registry = risdoa.Registry.discover({})
    reference = registry.create("loss", "gt-projection", projector="qr")
    torch.testing.assert_close(
        Eigenvector()(covariance, truth), reference(covariance, truth), rtol=1e-6, atol=1e-9
    )


def test_eigenvector_has_finite_gradients_even_at_zero(truth):
    for factor in (drawn(truth, 5), torch.zeros((6, 16, 5), dtype=torch.complex64)):
        leaf = factor.clone().requires_grad_()
        Eigenvector()(risdoa.Covariance(leaf), truth).sum().backward()
        assert bool(leaf.grad.isfinite().all())
