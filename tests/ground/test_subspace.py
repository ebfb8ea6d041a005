"""Projectors, in factors and dense."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.subspace import (
    EPSILON,
    complement_epsilon,
    complement_qr,
    masked_columns,
    orthonormal_basis,
    projector,
)
from risdoa.testing.strategies import seeds
from tests import oracles
from tests.draws import normal

few = settings(max_examples=40)
counts = st.integers(1, 4)
ROUNDING = 1e-12  # products of 8 x 8 matrices of order 1


def matrix(seed, sources, closeness=0.0):
    """Return (2, 8, K) columns of unit norm; the last two of scene 0 may be close to parallel."""
    columns = normal((2, 8, sources), seed)
    if closeness and sources > 1:
        columns[0, :, -1] = columns[0, :, -2] + closeness * columns[0, :, -1]
    return columns / torch.linalg.vector_norm(columns, dim=-2, keepdim=True)


def masks(seed, sources):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((2, sources), generator=generator) < 0.6


@few
@given(seed=seeds, sources=counts)
def test_the_qr_projector_is_hermitian_idempotent_of_rank_k_and_keeps_a(seed, sources):
    a = matrix(seed, sources)
    p = projector(a)
    torch.testing.assert_close(p, p.mH, rtol=0, atol=ROUNDING)
    torch.testing.assert_close(p @ p, p, rtol=0, atol=ROUNDING)
    trace = p.diagonal(dim1=-2, dim2=-1).sum(-1).real
    assert float((trace - sources).abs().max()) < ROUNDING  # a projector's trace is its rank
    assert float((a - p @ a).abs().max()) < ROUNDING
    np.testing.assert_allclose(p[0].numpy(), oracles.projector(a[0].numpy()), atol=1e-9)


@few
@given(seed=seeds, sources=counts, closeness=st.sampled_from([0.0, 1e-1, 1e-2, 1e-3, 1e-5]))
def test_the_epsilon_projector_is_idempotent_within_its_bound(seed, sources, closeness):
    a = matrix(seed, sources, closeness)
    p = projector(a, epsilon=EPSILON)
    torch.testing.assert_close(p, p.mH, rtol=0, atol=1e-9)
    values = torch.linalg.eigvalsh(a.mH @ a).clamp_min(0)
    bound = (values * EPSILON / (values + EPSILON) ** 2).amax(-1)
    error = torch.linalg.matrix_norm(p @ p - p, ord=2)
    # P has the eigenvalues λ/(λ + ε); rounding enters divided by ε
    assert bool((error <= bound + 1e-9).all())
    assert bool((error >= bound - 1e-9).all())  # and the bound is reached
    left = torch.linalg.matrix_norm(a - p @ a, ord=2)
    assert bool((left <= (values.sqrt() * EPSILON / (values + EPSILON)).amax(-1) + 1e-9).all())


@few
@given(seed=seeds, sources=counts)
def test_masked_sources_play_no_part(seed, sources):
    a, mask = matrix(seed, sources), masks(seed, sources)
    basis = orthonormal_basis(a, mask)
    counts_ = mask.sum(-1)
    for scene in range(2):
        alone = a[scene][:, mask[scene]]
        rank = int(counts_[scene])
        expected = projector(alone) if rank else torch.zeros((8, 8), dtype=a.dtype)
        dense = projector(a, mask)[scene]
        torch.testing.assert_close(dense, expected, rtol=0, atol=ROUNDING)
        assert float(basis[scene][:, rank:].abs().sum()) == 0.0  # unmasked columns first
        with_epsilon = projector(a, mask, EPSILON)[scene]
        torch.testing.assert_close(with_epsilon, expected, rtol=0, atol=1e-4)  # ε/λ_min


@few
@given(seed=seeds, sources=counts, width=st.integers(1, 10))
def test_complements_in_factors_are_products_with_the_dense_complement(seed, sources, width):
    a, f = matrix(seed, sources), normal((2, 8, width), seed + 1)
    eye = torch.eye(8, dtype=a.dtype)
    qr = complement_qr(f, orthonormal_basis(a))
    torch.testing.assert_close(qr, (eye - projector(a)) @ f, rtol=0, atol=ROUNDING)
    inverse = torch.linalg.inv(a.mH @ a + EPSILON * torch.eye(sources))
    expected = f - a @ inverse @ a.mH @ f
    torch.testing.assert_close(complement_epsilon(f, a), expected, rtol=0, atol=1e-8)


def test_masking_sets_columns_to_zero():
    a = normal((2, 4, 3), 0)
    mask = torch.tensor([[True, False, True], [False, False, False]])
    masked = masked_columns(a, mask)
    assert torch.equal(masked[0, :, 0], a[0, :, 0])
    assert float(masked[0, :, 1].abs().max()) == 0.0
    assert float(masked[1].abs().max()) == 0.0
    assert masked_columns(a, None) is a


@pytest.mark.parametrize("epsilon", [None, EPSILON])
def test_single_precision_stays_single(epsilon):
    assert projector(matrix(0, 2).to(torch.complex64), epsilon=epsilon).dtype == torch.complex64
