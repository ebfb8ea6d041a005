"""Costs, gradients and curvatures from Gram matrices, against dense ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.conventions import invert_range
from risdoa.likelihood import (
    bent_grams,
    block_sums,
    conditional,
    deterministic_information,
    grams,
    stochastic,
)
from risdoa.sensing import Direct
from risdoa.testing.strategies import seeds
from tests import oracles
from tests.draws import generator
from tests.estimation.scenes import PLACES, SHARING, scene

STEP = 1e-6
"""Of a central difference: truncation 1e-12 relative, rounding 1e-16/1e-6 of the cost."""

sharing = pytest.mark.parametrize("labels", SHARING.values(), ids=SHARING.keys())
reading = pytest.mark.parametrize("direct", [False, True], ids=["coded", "direct"])


def dense_observed(problem, search):
    """Return G_l A of every scene by explicit matrices, (S, L, M, K)."""
    steering = problem.steering(problem.array, invert_range(search))
    sensing = problem.snapshots.sensing
    if isinstance(sensing, Direct):
        eye = torch.eye(problem.array.count, dtype=torch.complex128)
        return (eye @ steering)[:, None].expand(-1, problem.snapshots.count, -1, -1).numpy()
    return (sensing.matrix() @ steering[:, None]).numpy()


def nearby(known, seed, size=0.02):
    """Return points in (φ, θ, w) around the true ones."""
    search = invert_range(known.truth.positions)
    shift = torch.randn(search.shape, dtype=torch.float64, generator=generator(seed))
    return search + size * shift


def labels_of(problem):
    return problem.snapshots.block_index.numpy()


def differences(function, point):
    """Return the gradients of costs (S,) at points (S, Q)."""
    columns = oracles.central_differences(
        lambda at: function(torch.from_numpy(at)).numpy(),
        point.numpy().swapaxes(0, 1).copy(),
        [STEP] * point.shape[1],
    )
    return np.stack(columns, axis=1)


@sharing
@reading
@settings(max_examples=6)
@given(seed=seeds, sources=st.integers(1, 3))
def test_the_conditional_cost_is_what_projection_leaves(labels, direct, seed, sources):
    known = scene(sources, seed=seed, scenes=2, direct=direct, blocks=labels, snr_db=10.0)
    search = nearby(known, seed)
    found = conditional(grams(known.problem, search)).cost
    observed = dense_observed(known.problem, search)
    values = known.problem.snapshots.values.numpy()
    expected = [
        oracles.conditional_cost(values[s], observed[s], labels_of(known.problem)) for s in range(2)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)  # a difference of energies, 10 dB apart


@sharing
@reading
def test_the_conditional_gradient_is_its_derivative(labels, direct):
    known = scene(2, scenes=2, direct=direct, blocks=labels, snr_db=10.0)
    search = nearby(known, 3)

    def cost(rows):
        return conditional(grams(known.problem, rows.T.reshape(2, 2, 3))).cost

    expected = differences(cost, search.flatten(1))
    found = conditional(grams(known.problem, search)).gradient
    scale = float(found.abs().max())
    np.testing.assert_allclose(found, expected, atol=1e-6 * scale)  # rounding of the differences


@sharing
@reading
def test_the_conditional_curvature_is_twice_jhj(labels, direct):
    """J = ∂(Π⊥y)/∂x without the term that Kaufman drops, dense, by differences of B alone."""
    known = scene(2, scenes=1, direct=direct, blocks=labels, snr_db=10.0)
    search = nearby(known, 4)
    problem, index = known.problem, labels_of(known.problem)
    values = problem.snapshots.values[0].numpy()
    observed = dense_observed(problem, search)[0]

    def columns(at):
        return dense_observed(problem, torch.from_numpy(at.reshape(1, 2, 3)))[0]

    slopes = oracles.central_differences(columns, search.flatten().numpy(), [STEP] * 6)
    expected = np.zeros((6, 6))
    for label in np.unique(index):
        y, b = (np.concatenate(list(one[index == label])) for one in (values, observed))
        signals = np.linalg.lstsq(b, y, rcond=None)[0]
        rest = np.eye(len(b)) - oracles.projector(b)
        jacobian = np.stack(
            [rest @ np.concatenate(list(slope[index == label])) @ signals for slope in slopes], 1
        )
        expected += 2 * (jacobian.conj().T @ jacobian).real
    found = conditional(grams(problem, search)).curvature[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-7 * np.abs(expected).max())
    assert np.linalg.eigvalsh(found).min() > 0


@sharing
def test_stacking_a_block_is_stacking_its_matrices(labels):
    known = scene(2, scenes=2, blocks=labels)
    search = invert_range(known.truth.positions)
    stats = block_sums(grams(known.problem, search))
    observed, index = dense_observed(known.problem, search), labels_of(known.problem)
    for s in range(2):
        for b, stacked in enumerate(oracles.stacked(observed[s], index)):
            gram = stats.gram.expand(-1, index.max() + 1, -1, -1)[s, b, :2, :2]
            np.testing.assert_allclose(gram, stacked.conj().T @ stacked, rtol=0, atol=1e-10)
    assert int(stats.outputs) == 8 * 8 // (index.max() + 1)


@reading
@settings(max_examples=6)
@given(seed=seeds, sources=st.integers(1, 3))
def test_the_stochastic_cost_is_the_dense_likelihood(direct, seed, sources):
    known = scene(sources, seed=seed, scenes=2, direct=direct, snr_db=10.0)
    search = nearby(known, seed)
    powers = 0.2 + torch.rand((2, sources), dtype=torch.float64, generator=generator(seed))
    noise = torch.tensor([0.03, 0.7], dtype=torch.float64)
    found = stochastic(grams(known.problem, search), powers, noise)
    observed, values = dense_observed(known.problem, search), known.problem.snapshots.values
    expected = [
        oracles.stochastic_cost(values[s].numpy(), observed[s], powers[s].numpy(), float(noise[s]))
        for s in range(2)
    ]
    np.testing.assert_allclose(found.cost, expected, rtol=1e-10)  # condition of R_l below 1e4
    np.testing.assert_allclose(
        stochastic(grams(known.problem, search), powers, noise).cost, expected, rtol=1e-10
    )


@reading
def test_the_stochastic_gradient_is_its_derivative(direct):
    known = scene(2, scenes=2, direct=direct, snr_db=10.0)
    search = nearby(known, 5)
    noise = known.problem.snapshots.noise_power
    point = torch.cat(
        (search.flatten(1), torch.tensor([[0.1, -0.2]] * 2), noise.log()[:, None] + 0.3), -1
    )

    def cost(rows):
        at = rows.T
        stats = grams(known.problem, at[:, :6].reshape(2, 2, 3))
        return stochastic(stats, at[:, 6:8].exp(), at[:, 8].exp()).cost

    expected = differences(cost, point)
    stats = grams(known.problem, search)
    found = stochastic(stats, point[:, 6:8].exp(), point[:, 8].exp()).gradient
    np.testing.assert_allclose(found, expected, atol=1e-6 * float(found.abs().max()))


@reading
def test_the_stochastic_curvature_is_the_dense_fisher_information(direct):
    known = scene(2, direct=direct, snr_db=10.0)
    search = invert_range(known.truth.positions)
    noise = known.problem.snapshots.noise_power
    powers = torch.tensor([[1.0, 0.4]], dtype=torch.float64)
    point = torch.cat((search.flatten(), powers[0].log(), noise.log())).numpy()

    def covariances(at):
        observed = dense_observed(known.problem, torch.from_numpy(at[:6].reshape(1, 2, 3)))[0]
        return oracles.stochastic_covariances(observed, np.exp(at[6:8]), np.exp(at[8]))

    expected = oracles.slepian_bangs_covariance(covariances, point, [STEP] * 9)
    found = stochastic(grams(known.problem, search), powers, noise).curvature[0].numpy()
    scale = np.sqrt(np.outer(expected.diagonal(), expected.diagonal()))
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=1e-6)


def test_one_gram_for_all_snapshots_counts_as_many():
    """Where the array is read directly, Γ is there once and must count L times."""
    known = scene(2, direct=True, snr_db=10.0)
    search = nearby(known, 6)
    stats = grams(known.problem, search)
    assert stats.gram.shape[1] == 1
    spread = type(stats)(
        stats.gram.expand(-1, 8, -1, -1),
        stats.moments,
        stats.energy,
        stats.blocks,
        stats.outputs,
        stats.sources,
    )
    powers, noise = torch.ones((1, 2), dtype=torch.float64), torch.tensor([0.1]).double()
    once, often = stochastic(stats, powers, noise), stochastic(spread, powers, noise)
    for name in ("cost", "gradient", "curvature"):
        torch.testing.assert_close(getattr(once, name), getattr(often, name), rtol=1e-12, atol=1e-9)


def test_a_likelihood_does_not_see_the_order_of_the_sources():
    known = scene(3, snr_db=10.0)
    order = torch.tensor([2, 0, 1])
    search = nearby(known, 7)
    first = conditional(grams(known.problem, search))
    second = conditional(grams(known.problem, search[:, order]))
    torch.testing.assert_close(first.cost, second.cost, rtol=1e-10, atol=0)
    gradient = first.gradient.reshape(1, 3, 3)[:, order].flatten(1)
    torch.testing.assert_close(second.gradient, gradient, rtol=1e-8, atol=1e-8)


@sharing
def test_the_deterministic_information_is_positive_and_grows_with_the_signal(labels):
    known = scene(2, blocks=labels)
    stats = grams(known.problem, invert_range(known.truth.positions))
    once = deterministic_information(stats, known.truth.signals)
    twice = deterministic_information(stats, 2 * known.truth.signals)
    torch.testing.assert_close(twice, 4 * once, rtol=1e-12, atol=0)
    assert float(torch.linalg.eigvalsh(once).min()) > 0


def test_two_sources_in_one_place_cost_no_more_than_one():
    """B is singular there: the load must keep the cost finite and right."""
    known = scene(1, snr_db=10.0)
    search = invert_range(PLACES[:1])[None]
    alone = conditional(grams(known.problem, search))
    double = conditional(grams(known.problem, search.expand(1, 2, 3)))
    torch.testing.assert_close(double.cost, alone.cost, rtol=1e-6, atol=0)
    assert bool(double.gradient.isfinite().all())
    assert bool(double.curvature.isfinite().all())


@sharing
def test_sets_of_sources_are_as_one_by_one(labels):
    known = scene(2, scenes=3, blocks=labels, snr_db=10.0)
    search = invert_range(known.truth.positions)
    sets = torch.stack((search, search + 0.05), dim=1).flatten(0, 1)
    together = grams(known.problem, sets)
    for number in range(2):
        alone = grams(known.problem, sets[number::2])
        for name in ("gram", "moments", "energy"):
            torch.testing.assert_close(getattr(together, name)[number::2], getattr(alone, name))


def slopes_apart(gradient, point):
    """Return the central differences of gradients (S, Q) at points (S, Q), (S, Q, Q)."""
    moves = STEP * torch.eye(point.shape[1], dtype=torch.float64)
    columns = [(gradient(point + move) - gradient(point - move)) / (2 * STEP) for move in moves]
    return torch.stack(columns, dim=-1)


@sharing
@reading
def test_the_conditional_hessian_is_the_derivative_of_the_gradient(labels, direct):
    known = scene(2, scenes=2, direct=direct, blocks=labels, snr_db=3.0)
    search = nearby(known, 5)

    def gradient(point):
        return conditional(grams(known.problem, point.unflatten(1, (2, 3)))).gradient

    expected = slopes_apart(gradient, search.flatten(1))
    found = conditional(*bent_grams(known.problem, search)).hessian
    np.testing.assert_allclose(found, expected, atol=2e-6 * float(expected.abs().max()))


@reading
@settings(max_examples=6)
@given(seed=seeds, sources=st.integers(1, 3))
def test_the_stochastic_hessian_is_the_derivative_of_the_gradient(direct, seed, sources):
    known = scene(sources, seed=seed, scenes=2, direct=direct, snr_db=3.0)
    places = 3 * sources

    def gradient(point):
        search = point[:, :places].unflatten(1, (sources, 3))
        powers = point[:, places:].exp()
        return stochastic(grams(known.problem, search), powers[:, :-1], powers[:, -1]).gradient

    point = torch.cat((nearby(known, seed).flatten(1), torch.zeros(2, sources + 1)), dim=1)
    point[:, places:] += torch.randn((2, sources + 1), generator=generator(seed)).double()
    expected = slopes_apart(gradient, point)
    stats, bends = bent_grams(known.problem, point[:, :places].unflatten(1, (sources, 3)))
    powers = point[:, places:].exp()
    found = stochastic(stats, powers[:, :-1], powers[:, -1], bends).hessian
    np.testing.assert_allclose(found, expected, atol=2e-6 * float(expected.abs().max()))


def test_several_sets_of_sources_a_scene_bend_as_each_alone():
    known = scene(2, scenes=2)
    sets = torch.stack([nearby(known, seed) for seed in (1, 2, 3)], dim=1)
    together = bent_grams(known.problem, sets.flatten(0, 1))[1]
    for number in range(3):
        alone = bent_grams(known.problem, sets[:, number])[1]
        torch.testing.assert_close(together.cross[number::3], alone.cross)
        torch.testing.assert_close(together.moments[number::3], alone.moments)
