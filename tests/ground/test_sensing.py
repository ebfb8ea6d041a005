"""From the field at the aperture to the outputs, and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.errors import InputError
from risdoa.sensing import Direct, RisCoded, all_finite, taken
from risdoa.snapshots import Snapshots
from risdoa.testing.strategies import seeds
from tests import oracles
from tests.draws import coded, normal

sizes = st.integers(1, 6)
TIGHT = {"rtol": 1e-12, "atol": 1e-12}  # sums of tens of products of order 1


@settings(max_examples=50)
@given(
    seed=seeds,
    elements=sizes,
    outputs=sizes,
    snapshots=sizes,
    scenes=st.integers(0, 3),
    direct=st.booleans(),
)
def test_the_adjoint_is_the_adjoint(seed, elements, outputs, snapshots, scenes, direct):
    """⟨G x, y⟩ = ⟨x, Gᴴ y⟩ for every x and y."""
    sensing = Direct() if direct else coded(elements, outputs, snapshots, seed, scenes)
    lead = (scenes,) if scenes else ()
    m = sensing.outputs(elements)
    x = normal((*lead, snapshots, elements), seed + 2)
    y = normal((*lead, snapshots, m), seed + 3)
    assert m == (elements if direct else outputs)
    forward = (sensing.forward(x).conj() * y).sum()
    adjoint = (x.conj() * sensing.adjoint(y)).sum()
    torch.testing.assert_close(forward, adjoint, **TIGHT)


@settings(max_examples=30)
@given(seed=seeds, elements=sizes, outputs=sizes, snapshots=sizes, shared=st.booleans())
def test_everything_is_a_product_with_the_dense_matrices(
    seed, elements, outputs, snapshots, shared
):
    sensing = coded(elements, outputs, snapshots, seed, 0 if shared else 2)
    dense = sensing.matrix()
    channel, codes = (
        value.expand(2, *value.shape[-2:]).numpy() for value in (sensing.channel, sensing.codes)
    )
    expected = np.stack([oracles.coded_matrices(channel[s], codes[s]) for s in range(2)])
    np.testing.assert_allclose(dense.expand(2, -1, -1, -1).numpy(), expected, atol=1e-12)
    x = normal((2, snapshots, elements), seed + 2)
    y = normal((2, snapshots, outputs), seed + 3)
    a = normal((2, elements, 3), seed + 4)
    torch.testing.assert_close(sensing.forward(x), (dense @ x[..., None])[..., 0], **TIGHT)
    torch.testing.assert_close(sensing.adjoint(y), (dense.mH @ y[..., None])[..., 0], **TIGHT)
    torch.testing.assert_close(sensing.observe(a), dense @ a[:, None], **TIGHT)


def test_steering_shared_by_all_scenes_is_observed_in_each():
    sensing = coded(5, 3, 4, 1, scenes=2)
    a = normal((5, 2), 2)
    torch.testing.assert_close(sensing.observe(a), sensing.matrix() @ a, **TIGHT)


def test_reading_directly_sees_the_vectors_themselves():
    a = normal((2, 5, 3), 0)
    assert torch.equal(Direct().observe(a), a[:, None])


@settings(max_examples=30)
@given(seed=seeds, elements=sizes, outputs=sizes, snapshots=sizes)
def test_the_equalised_adjoint_is_the_loaded_inverse(seed, elements, outputs, snapshots):
    sensing = coded(elements, outputs, snapshots, seed)
    y = normal((snapshots, outputs), seed + 2)
    channel, codes = sensing.channel.numpy(), sensing.codes.numpy()
    gram = channel @ channel.conj().T
    load = np.trace(gram).real / outputs
    inverse = channel.conj().T @ np.linalg.inv(gram + load * np.eye(outputs))
    expected = np.stack(
        [code.conj() * (inverse @ one) for code, one in zip(codes, y.numpy(), strict=True)]
    )
    np.testing.assert_allclose(sensing.equalised_adjoint(y).numpy(), expected, atol=1e-11)


@pytest.mark.parametrize(
    ("channel", "codes"),
    [
        (torch.ones(2, 3), torch.ones(4, 3)),
        (normal((3,), 0), normal((4, 3), 0)),
        (normal((2, 3), 0), normal((4, 5), 0)),
        (normal((2, 3), 0) * torch.nan, normal((4, 3), 0)),
        (normal((2, 3), 0), normal((4, 3), 0) * torch.inf),
    ],
)
def test_impossible_surfaces_are_refused(channel, codes):
    with pytest.raises(InputError):
        RisCoded(channel, codes)


def test_a_surface_for_another_array_is_refused():
    with pytest.raises(InputError, match="channel has 5 elements, the array 6"):
        coded(5, 3, 4, 0).outputs(6)


def test_selecting_scenes_and_changing_precision():
    own = coded(5, 3, 4, 0, scenes=3)
    picked = own.select(torch.tensor([2, 0]))
    assert torch.equal(picked.channel, own.channel[[2, 0]])
    assert torch.equal(picked.codes, own.codes[[2, 0]])
    shared = coded(5, 3, 4, 0)
    assert torch.equal(shared.select(torch.tensor([1])).codes, shared.codes)
    narrow = own.to(None, torch.complex64)
    assert narrow.channel.dtype == narrow.codes.dtype == torch.complex64


@pytest.mark.parametrize(
    ("labels", "count", "index", "fresh"),
    [
        (None, 4, [0, 1, 2, 3], True),
        ([7, 7, 7, 7], 1, [0, 0, 0, 0], False),
        ([5, -1, 5, -1], 2, [1, 0, 1, 0], False),
        ([3, 2, 1, 0], 4, [3, 2, 1, 0], True),
    ],
)
def test_labels_say_which_snapshots_share_a_signal(labels, count, index, fresh):
    blocks = None if labels is None else torch.tensor(labels)
    snapshots = Snapshots(normal((2, 4, 3), 0), Direct(), blocks)
    assert snapshots.block_count == count
    assert snapshots.block_index.tolist() == index
    assert snapshots.fresh is fresh


@pytest.mark.parametrize(
    ("values", "blocks"),
    [
        (torch.ones(4, 3), None),
        (normal((3,), 0), None),
        (normal((0, 3), 0), None),
        (normal((4, 3), 0) * torch.nan, None),
        (normal((4, 3), 0), torch.zeros(3, dtype=torch.int64)),
    ],
)
def test_impossible_snapshots_are_refused(values, blocks):
    with pytest.raises(InputError):
        Snapshots(values, Direct(), blocks)


def test_selecting_scenes_takes_their_noise_power_along():
    noise = torch.tensor([1.0, 2.0, 3.0])
    snapshots = Snapshots(normal((3, 4, 5), 0), coded(6, 5, 4, 1, scenes=3), None, noise)
    picked = snapshots.select(torch.tensor([2, 0]))
    assert picked.noise_power is not None
    assert picked.noise_power.tolist() == [3.0, 1.0]
    assert torch.equal(picked.values, snapshots.values[[2, 0]])
    narrow = snapshots.to(dtype=torch.complex64)
    assert narrow.noise_power is not None
    assert (narrow.values.dtype, narrow.noise_power.dtype) == (torch.complex64, torch.float32)


@pytest.mark.parametrize("columns", [1, 5])
def test_what_is_laid_out_for_many_products_observes_the_same(columns):
    sensing = coded(6, 3, 4, seed=2, scenes=5)
    vectors = normal((5, 6, columns), 3)
    prepared = sensing.prepared(10**6)
    assert prepared.stacked is not None
    torch.testing.assert_close(prepared.observe(vectors), sensing.observe(vectors))
    chosen = torch.tensor([3, 1])
    part = prepared.select(chosen).to(None, torch.complex64)
    assert part.stacked is not None
    expected = sensing.select(chosen).observe(vectors[chosen]).to(torch.complex64)
    torch.testing.assert_close(part.observe(vectors[chosen].to(torch.complex64)), expected)


def test_nothing_is_laid_out_beyond_the_memory_or_for_all_scenes_alike():
    assert coded(6, 3, 4, seed=2, scenes=5).prepared(5 * 6 * 12 * 16 - 1).stacked is None
    assert coded(6, 3, 4, seed=2).prepared(10**6).stacked is None


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf, -torch.inf, complex(0, torch.nan)])
def test_one_number_that_is_not_finite_is_seen(wrong):
    values = normal((3, 4), 0)
    assert all_finite(values)
    values[1, 2] = wrong
    assert not all_finite(values)
    values[0, 0] = -wrong
    assert not all_finite(values)


def test_finite_numbers_whose_sum_overflows_are_finite():
    values = torch.full((8,), 3e38)
    assert not bool(values.sum().isfinite())
    assert all_finite(values)


@pytest.mark.parametrize(
    ("scenes", "view"),
    [([1, 2, 3], True), ([2], True), ([3, 2, 1], False), ([0, 0, 1], False), ([1, 3], False),
     ([0, 2, 1, 3], False), ([-2, -1], False), ([], False)],
)  # fmt: skip
def test_scenes_that_follow_each_other_are_not_copied(scenes, view):
    values, index = normal((5, 2, 3), 0), torch.tensor(scenes, dtype=torch.int64)
    found = taken(values, index)
    assert torch.equal(found, values[index])
    shared = found.untyped_storage().data_ptr() == values.untyped_storage().data_ptr()
    assert shared is view


def test_scenes_may_be_chosen_by_a_mask():
    values = normal((3, 2), 0)
    mask = torch.tensor([True, False, True])
    assert torch.equal(taken(values, mask), values[mask])
