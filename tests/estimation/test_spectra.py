"""Bartlett and MVDR: their spectra, their peaks, and what they do not tell apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.arrays import Array
from risdoa.backends.bartlett import Bartlett
from risdoa.backends.music_objective import null_spectrum
from risdoa.backends.mvdr import Mvdr
from risdoa.backends.spectral import Form, eigen, unresolved_note
from risdoa.conventions import invert_range
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.models.sample import Sample
from risdoa.steering.canonical import Canonical
from risdoa.steering.spherical import Spherical
from risdoa.testing.strategies import seeds
from tests import oracles
from tests.draws import normal
from tests.estimation.matching import errors, remarks
from tests.estimation.scenes import SHARING, scene

both = pytest.mark.parametrize("backend", [Bartlett, Mvdr])
LARGE = Array.planar(12, 12, 0.3)
PLACED = 1e-6
"""Rad and m: a Newton descent ends at the same point to some digits less than its cost."""


def form_of(backend, covariance):
    vectors, values = eigen(covariance)
    return Form(vectors, backend.weights(values, covariance))


@settings(max_examples=20)
@given(seed=seeds, width=st.sampled_from([3, 9, 20]), load=st.sampled_from([None, 0.3]))
def test_the_spectra_are_those_of_the_dense_covariance(seed, width, load):
    load = None if load is None else torch.tensor([load]).double()
    covariance = Covariance(normal((1, 9, width), seed), load)
    steering = normal((9, 20), seed + 1)
    steering = steering / torch.linalg.vector_norm(steering, dim=0)
    dense, vectors = covariance.dense()[0].numpy(), steering.numpy()

    form = form_of(Bartlett(), covariance).at(steering)[0]
    power = oracles.bartlett_spectrum(dense, vectors)
    largest = np.linalg.eigvalsh(dense)[-1] - (0 if load is None else float(load))
    own = 0 if load is None else float(load)
    np.testing.assert_allclose(form * largest + own, power, rtol=1e-9)

    mvdr = Mvdr(loading=0.1)
    found = mvdr.spectrum(form_of(mvdr, covariance).at(steering))[0]
    loaded = 0.1 * np.trace(dense).real / 9
    expected = oracles.mvdr_spectrum(dense + loaded * np.eye(9), vectors) / (own + loaded)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize("model", [Canonical(), Spherical()], ids=["canonical", "spherical"])
def test_the_weighted_objective_and_its_derivatives(model):
    known = scene(1, scenes=3, direct=True, steering=model)
    vectors, values = eigen(Covariance(normal((3, 36, 4), 1)))
    weights = values / values.amax(-1, keepdim=True)
    search = invert_range(known.truth.positions[:, 0]) + 0.03
    found = null_spectrum(known.problem, vectors, search, weights)

    def value(at, u, c):
        a = model(known.problem.array, invert_range(at)[None])[:, 0]
        return 1 - (c * (u.mH @ a).abs() ** 2).sum()

    for s in range(3):
        at, u, c = search[s], vectors[s], weights[s]
        torch.testing.assert_close(found.cost[s], value(at, u, c), rtol=1e-12, atol=1e-14)
        gradient = torch.autograd.functional.jacobian(lambda x, u=u, c=c: value(x, u, c), at)
        torch.testing.assert_close(found.gradient[s], gradient, rtol=1e-9, atol=1e-10)


@both
@pytest.mark.parametrize("model", [Canonical(), Spherical()], ids=["canonical", "spherical"])
def test_one_source_is_found_exactly(backend, model):
    known = scene(1, steering=model, array=LARGE)
    found = backend()(known.problem, known.truth.covariance, None)
    assert float(errors(found.positions, known.truth.positions)) < PLACED
    assert bool(found.valid.all())
    assert bool(found.converged.all())
    assert remarks(found) == ()


@pytest.mark.parametrize("sources", [2, 3])
def test_bartlett_is_biased_for_more_and_mvdr_hardly(sources):
    known = scene(sources)
    covariance = known.truth.covariance
    biased = float(
        errors(Bartlett()(known.problem, covariance, None).positions, known.truth.positions)
    )
    mvdr = float(
        errors(Mvdr(loading=1e-4)(known.problem, covariance, None).positions, known.truth.positions)
    )
    assert mvdr < 1e-3 < biased < 0.5


@both
def test_sources_within_a_half_width_are_one_and_the_other_is_not_valid(backend):
    places = torch.tensor([[0.10, 0.1, 3.0], [0.105, 0.1, 3.0]], dtype=torch.float64)
    known = scene(2, places=places, array=LARGE)
    found = backend()(known.problem, known.truth.covariance, None)
    assert found.valid.tolist() == [[True, False]]
    assert remarks(found) == (unresolved_note(backend.name),)
    assert bool(found.positions.isfinite().all())
    assert abs(float(found.positions[0, 0, 0]) - 0.1025) < 0.01


@both
def test_side_lobes_of_one_source_are_no_sources(backend):
    known = scene(1, array=LARGE)
    asked = replace(known.problem, sources=torch.tensor([3]))
    found = backend()(asked, known.truth.covariance, None)
    assert found.valid.tolist() == [[True, False, False]]


@both
def test_a_weaker_source_beside_side_lobes_is_found(backend):
    """Among the 26 dB of side lobes of the stronger one."""
    known = scene(2, array=LARGE, powers=torch.tensor([1.0, 0.1], dtype=torch.float64))
    found = backend()(known.problem, known.truth.covariance, None)
    assert found.valid.tolist() == [[True, True]]
    assert float(errors(found.positions, known.truth.positions)) < 0.5


@both
@pytest.mark.parametrize("labels", SHARING.values(), ids=SHARING.keys())
def test_without_a_covariance_the_measurements_are_searched_and_the_notes_say_so(backend, labels):
    known = scene(2, blocks=labels, snapshots=8, outputs=12)
    found = backend()(known.problem, None, None)
    assert float(errors(found.positions, known.truth.positions)) < PLACED
    assert len(remarks(found)) == 1
    assert backend.name in found.notes[0]
    assert "omp" in found.notes[0]


@both
def test_a_few_scenes_at_a_time_change_nothing(backend, monkeypatch):
    known = scene(2, scenes=5, direct=True, snr_db=10.0)
    covariance = Sample()(known.problem)
    whole = backend()(known.problem, covariance, None)
    monkeypatch.setattr("risdoa.backends.spectral.MEMORY", 1)
    torch.testing.assert_close(
        backend()(known.problem, covariance, None).positions, whole.positions, rtol=0, atol=PLACED
    )


@both
def test_a_covariance_of_zeros_has_finite_estimates(backend):
    known = scene(2, direct=True)
    empty = Covariance(torch.zeros_like(known.truth.covariance.factor))
    found = backend()(known.problem, empty, None)
    assert bool(found.positions.isfinite().all())
    assert bool(found.objective.isfinite().all())
    assert int(found.valid.sum()) == 1


@both
@pytest.mark.parametrize("options", [{"density": 0.0}, {"iterations": 0}])
def test_impossible_options_are_refused(backend, options):
    with pytest.raises(InputError, match=f"{backend.name} needs"):
        backend(**options)


@pytest.mark.parametrize("loading", [0.0, -1.0, float("inf"), float("nan")])
def test_an_impossible_load_is_refused(loading):
    with pytest.raises(InputError, match="loading"):
        Mvdr(loading=loading)
