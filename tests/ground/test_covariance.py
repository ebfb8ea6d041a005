"""Factored covariances against dense ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.covariance import Covariance, squared_norm
from risdoa.errors import InputError
from risdoa.testing.strategies import seeds
from tests.draws import normal

few = settings(max_examples=30)
widths = st.integers(1, 9)  # narrower and wider than the 6 elements
loads = st.sampled_from([None, 0.0, 0.3])
TIGHT = {"rtol": 1e-12, "atol": 1e-12}  # sums of tens of products of order 1


def drawn(seed, width, load, elements=6):
    value = None if load is None else load * torch.tensor([1.0, 2.0], dtype=torch.float64)
    return Covariance(normal((2, elements, width), seed), value)


@few
@given(seed=seeds, width=widths, load=loads)
def test_norms_and_traces_are_those_of_the_dense_matrix(seed, width, load):
    covariance = drawn(seed, width, load)
    dense = covariance.dense().numpy()
    np.testing.assert_allclose(dense, dense.conj().swapaxes(-1, -2), atol=1e-14)
    assert np.linalg.eigvalsh(dense).min() > -1e-12  # PSD by construction, up to rounding
    np.testing.assert_allclose(covariance.trace(), np.trace(dense, axis1=1, axis2=2).real)
    np.testing.assert_allclose(covariance.squared_norm(), np.linalg.norm(dense, axis=(1, 2)) ** 2)
    vectors = normal((2, 6, 3), seed + 1)
    np.testing.assert_allclose(covariance.apply(vectors), dense @ vectors.numpy(), atol=1e-12)


@few
@given(seed=seeds, width=widths, other=widths, load=loads, load_other=loads)
def test_the_inner_product_is_the_trace_of_the_product(seed, width, other, load, load_other):
    first, second = drawn(seed, width, load), drawn(seed + 1, other, load_other)
    product = (first.dense() @ second.dense()).diagonal(dim1=-2, dim2=-1).sum(-1)
    torch.testing.assert_close(first.inner(second), product.real, **TIGHT)
    torch.testing.assert_close(first.inner(first), first.squared_norm(), **TIGHT)


@few
@given(seed=seeds, width=widths, load=loads, scale=st.floats(0.0, 1e6))
def test_scaling_and_normalising(seed, width, load, scale):
    covariance = drawn(seed, width, load)
    factor = torch.full((2,), scale, dtype=torch.float64)
    torch.testing.assert_close(
        covariance.scaled(factor).dense(), scale * covariance.dense(), rtol=1e-12, atol=1e-12
    )
    torch.testing.assert_close(
        covariance.normalised().trace(), torch.full((2,), 6.0, dtype=torch.float64), **TIGHT
    )


def test_a_zero_covariance_stays_zero_and_finite():
    zero = Covariance(torch.zeros((2, 6, 3), dtype=torch.complex128)).normalised()
    assert float(zero.squared_norm().max()) == 0.0


@few
@given(seed=seeds, width=widths, other=widths, load=loads, beta=st.floats(0, 1))
def test_blending_is_the_weighted_mean_of_the_normalised_matrices(seed, width, other, load, beta):
    first, second = drawn(seed, width, load), drawn(seed + 1, other, 0.1)

    def normal_form(one):
        dense = one.dense()
        return dense * 6 / dense.diagonal(dim1=-2, dim2=-1).sum(-1).real[:, None, None]

    expected = beta * normal_form(first) + (1 - beta) * normal_form(second)
    torch.testing.assert_close(first.blended(second, beta).dense(), expected, **TIGHT)


@few
@given(seed=seeds, width=widths, load=loads, alpha=st.floats(0, 1))
def test_shrinking_moves_towards_the_identity_of_the_same_trace(seed, width, load, alpha):
    covariance = drawn(seed, width, load)
    dense = covariance.dense()
    mean = dense.diagonal(dim1=-2, dim2=-1).mean(-1).real[:, None, None]
    expected = (1 - alpha) * dense + alpha * mean * torch.eye(6)
    shrunk = covariance.shrunk(alpha)
    torch.testing.assert_close(shrunk.dense(), expected, **TIGHT)
    torch.testing.assert_close(shrunk.trace(), covariance.trace(), **TIGHT)


@few
@given(seed=seeds, width=widths, load=loads, data=st.data())
def test_the_signal_subspace_is_that_of_the_dense_eigenvectors(seed, width, load, data):
    covariance = drawn(seed, width, load)
    sources = data.draw(st.integers(1, min(width, 5)))
    basis = covariance.signal_subspace(sources)
    assert basis.shape == (2, 6, sources)
    eye = torch.eye(sources, dtype=basis.dtype).expand(2, -1, -1)
    torch.testing.assert_close(basis.mH @ basis, eye, **TIGHT)
    values, vectors = torch.linalg.eigh(covariance.dense())
    expected = vectors[..., -sources:]
    gap = (values[:, -sources] - values[:, -sources - 1]).min() / values.max()
    # eigenvectors move by rounding over the gap; the Gram matrix squares the condition
    torch.testing.assert_close(
        basis @ basis.mH, expected @ expected.mH, rtol=0, atol=1e-13 / float(gap)
    )


def test_the_signal_subspace_of_single_precision_is_computed_in_double():
    covariance = Covariance(normal((2, 6, 3), 0).to(torch.complex64))
    basis = covariance.signal_subspace(2)
    assert basis.dtype == torch.complex128
    eye = torch.eye(2, dtype=basis.dtype).expand(2, -1, -1)
    torch.testing.assert_close(basis.mH @ basis, eye, **TIGHT)


@pytest.mark.parametrize("sources", [0, -1, 4, 7])
def test_an_impossible_number_of_sources_is_refused(sources):
    with pytest.raises(InputError, match=f"dimension {sources}") as caught:
        drawn(0, 3, None).signal_subspace(sources)
    assert caught.value.hint


@pytest.mark.parametrize("factor", [torch.ones(6, 3), torch.ones(6, dtype=torch.complex64)])
def test_a_factor_of_another_kind_is_refused(factor):
    with pytest.raises(InputError, match="complex"):
        Covariance(factor)


def test_selecting_scenes_and_cutting_the_graph():
    factor = normal((3, 6, 2), 0).requires_grad_()
    load = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    covariance = Covariance(factor, load)
    picked = covariance.select(torch.tensor([2, 0]))
    assert torch.equal(picked.dense(), covariance.dense()[[2, 0]])
    assert picked.factor.requires_grad
    assert not covariance.detach().factor.requires_grad


def test_the_squared_norm_has_a_finite_gradient_at_zero():
    for dtype in (torch.float64, torch.complex128):
        zero = torch.zeros((2, 3, 3), dtype=dtype, requires_grad=True)
        squared_norm(zero).sum().backward()
        assert zero.grad is not None
        assert float(zero.grad.abs().max()) == 0.0


@pytest.mark.parametrize("level", [1e-16, 1e-12, 1.0, 1e12, 1e16])
def test_a_unit_trace_has_finite_gradients_at_every_level(level):
    """1/tr² of entries of 1e-12 does not fit into single precision, nor does tr² of 1e12."""
    generator = torch.Generator().manual_seed(0)
    factor = level * torch.randn(2, 6, 3, generator=generator, dtype=torch.complex64)
    factor.requires_grad_()
    unit = Covariance(factor).unit_trace()
    weights = torch.arange(1, 4)
    (unit.factor.abs().square() * weights).sum().backward()
    assert bool(torch.view_as_real(factor.grad).isfinite().all())
    assert float(torch.view_as_real(factor.grad).abs().max()) > 0
    assert unit.trace().tolist() == pytest.approx([1.0, 1.0], rel=1e-5)
