"""The classical covariance: plain where the array is read, a sparse fit behind a surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from risdoa.backends.music import Music
from risdoa.errors import InputError
from risdoa.grid import search_grid
from risdoa.models import sample
from risdoa.models.sample import Sample
from risdoa.scenarios.canonical_sep10 import CanonicalSep10
from tests.draws import generator
from tests.estimation.matching import errors
from tests.estimation.scenes import SHARING, scene


@pytest.mark.parametrize("labels", SHARING.values(), ids=SHARING.keys())
def test_read_directly_it_is_the_mean_of_outer_products_of_block_means(labels):
    known = scene(2, direct=True, blocks=labels, scenes=2, snr_db=5.0)
    found = Sample()(known.problem).dense().numpy()
    index = known.problem.snapshots.block_index.numpy()
    for s, values in enumerate(known.problem.snapshots.values.numpy()):
        means = [values[index == block].mean(0) for block in np.unique(index)]
        expected = sum(np.outer(mean, mean.conj()) for mean in means) / len(means)
        np.testing.assert_allclose(found[s], expected, atol=1e-12)


@pytest.mark.parametrize("sources", [1, 2])
def test_behind_a_surface_it_holds_the_sources(sources):
    """Most of its energy lies along the true steering vectors, in about their power."""
    problem, truth = CanonicalSep10().sample(8, generator(1), sources=sources, snr_db=20.0)
    covariance = Sample()(problem)
    a = truth.steering_matrix()
    beside = torch.linalg.qr(a)[0]
    inside = (beside.mH @ covariance.factor).abs().square().sum((-2, -1))
    # the neighbours on the grid of a source resemble it by more than 3 dB
    assert float((inside / covariance.energy()).median()) > 0.5
    # what no neighbour explains counts as noise: up to 3 dB of the power ‖a‖ = 1
    ratio = covariance.trace() / truth.covariance.trace()
    assert 0.5 < float(ratio.median()) < 1.2


def test_it_is_no_back_projection():
    """A pseudo-inverse keeps M/N of the energy and its subspace is far off; this one is near."""
    problem, truth = CanonicalSep10().sample(8, generator(2), sources=2, snr_db=20.0)
    a = torch.linalg.qr(truth.steering_matrix())[0]

    def angle(basis):
        """Return the largest principal angle to the true subspace in degrees, (S,)."""
        cosines = torch.linalg.svdvals(a.mH @ basis).amin(-1).clamp(max=1.0)
        return torch.rad2deg(torch.acos(cosines))

    sensing = problem.snapshots.sensing
    fields = torch.linalg.pinv(sensing.matrix()) @ problem.snapshots.values.unsqueeze(-1)
    back = torch.linalg.svd(fields.squeeze(-1).mT)[0][..., :2]
    found = Sample()(problem).signal_subspace(2)
    assert float(angle(back).median()) > 60
    assert float(angle(found).median()) < 30  # the best of a grid with 3 dB between points


@pytest.mark.parametrize("snr_db", [0.0, 60.0, 200.0, 400.0])
def test_it_is_finite_at_any_snr(snr_db):
    known = scene(1, scenes=2, snr_db=snr_db)
    covariance = Sample()(known.problem)
    assert bool(covariance.factor.isfinite().all())
    found = Music()(known.problem, covariance, None)
    if snr_db >= 60:
        assert float(errors(found.positions, known.truth.positions).max()) < 0.3  # a grid step


@pytest.mark.parametrize(("seed", "snr_db"), [(2, 150.0), (4, 200.0)])
def test_without_noise_single_precision_does_not_break(seed, snr_db):
    """The noise power of the fixed point falls to 0, and with it R_l to a singular matrix."""
    problem, truth = CanonicalSep10().sample(16, generator(seed), sources=1, snr_db=snr_db)
    covariance = Sample()(problem)
    assert bool(covariance.factor.isfinite().all())
    found = Music()(problem, covariance, None)
    step = float(search_grid(problem.array, problem.region).steps().max())
    assert float(errors(found.positions, truth.positions).median()) < step


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_it_scales_with_the_measurements(scale):
    known = scene(2, snr_db=10.0)
    values = known.problem.snapshots.values * scale
    louder = replace(known.problem, snapshots=replace(known.problem.snapshots, values=values))
    first, second = Sample()(known.problem), Sample()(louder)
    expected = first.dense() * scale**2
    size = float(expected.abs().max())
    torch.testing.assert_close(second.dense() / size, expected / size, rtol=0, atol=1e-3)


def test_the_fixed_point_raises_the_likelihood(monkeypatch):
    known = scene(2, snr_db=10.0)
    costs = []
    step = sample._update

    def watched(seen, values, state):
        covariance = (seen * state.powers[:, None, None]) @ seen.mH
        eye = torch.eye(seen.shape[-2], dtype=seen.dtype)
        full = (covariance + state.noise[:, None, None, None] * eye).to(torch.complex128)
        fit = (values.conj() * torch.linalg.solve(full, values.to(full.dtype))).sum().real
        costs.append(float(torch.linalg.slogdet(full)[1].sum() + fit))
        return step(seen, values, state)

    monkeypatch.setattr(sample, "_update", watched)
    Sample()(known.problem)
    assert len(costs) == 20
    falls = np.diff(costs)
    assert float(falls.max()) < 1e-3  # never up, but for single precision
    assert costs[-1] < costs[0] - 10


def test_a_batch_is_a_loop(monkeypatch):
    known = scene(2, scenes=5, snr_db=10.0)
    whole = Sample()(known.problem).dense()
    monkeypatch.setattr(sample, "BATCH", 2)
    torch.testing.assert_close(Sample()(known.problem).dense(), whole, rtol=1e-3, atol=1e-4)
    alone = Sample()(known.problem.select(torch.tensor([3]))).dense()
    torch.testing.assert_close(alone[0], whole[3], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("labels", "direct", "sources", "outputs", "expected"),
    [
        (None, False, 2, 8, True),
        (None, False, 2, 2, False),  # M <= K
        ("static", False, 1, 8, False),
        ("blocks", False, 1, 8, False),
        (None, True, 3, 8, True),
        ("blocks", True, 3, 8, True),
        ("static", True, 1, 8, True),
        ("static", True, 2, 8, False),  # one signal spans one dimension
    ],
)
def test_it_says_where_no_covariance_can_be_had(labels, direct, sources, outputs, expected):
    blocks = None if labels is None else SHARING[labels]
    snapshots = 24 if labels is None else 8
    known = scene(sources, direct=direct, blocks=blocks, outputs=outputs, snapshots=snapshots)
    assert Sample().supports(known.problem) is expected


def test_asked_all_the_same_behind_a_surface_it_refuses_shared_signals():
    known = scene(1, blocks=SHARING["static"])
    with pytest.raises(InputError, match="fresh signal") as caught:
        Sample()(known.problem)
    assert "nf-mle" in caught.value.hint


@pytest.mark.parametrize("options", [{"atoms": 0}, {"iterations": 0}, {"rank": 0}])
def test_impossible_options_are_refused(options):
    with pytest.raises(InputError, match="sample needs"):
        Sample(**options)


def test_the_rank_bounds_the_width():
    known = scene(1, snr_db=10.0)
    assert Sample(rank=5)(known.problem).width == 5
    assert Sample(atoms=3, rank=5)(known.problem).width == 3
