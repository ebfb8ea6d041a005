"""MUSIC on covariances, and on the measurements where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.arrays import Array
from risdoa.backends.bartlett import Bartlett
from risdoa.backends.music import MATCHED_NOTE, Music
from risdoa.backends.mvdr import Mvdr
from risdoa.backends.omp import Omp
from risdoa.backends.subspace_scan import Beside
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.grid import search_grid
from risdoa.models.sample import Sample
from risdoa.steering.base import Steering
from risdoa.steering.canonical import Canonical
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical
from risdoa.testing.strategies import seeds
from tests import oracles
from tests.draws import generator, normal
from tests.estimation.matching import errors, remarks
from tests.estimation.scenes import REGION, SHARING, region_with, scene

counts = pytest.mark.parametrize("sources", [1, 2, 3])
ON_GRID = 0.02
"""Rad and 1/m: the step of the grid of a 6 x 6 array, about 0.3, halved five times."""

PLACED = 1e-6
"""Rad and m: how well a parabola through a spectrum in single precision places a peak."""


class Turned(Steering):
    """Another steering model times e^{jα}, which nothing may see."""

    def __init__(self, model, angle):
        self.model, self.factor = model, complex(np.exp(1j * angle))

    def __call__(self, array, positions):
        return self.model(array, positions) * self.factor


@settings(max_examples=20)
@given(seed=seeds, sources=st.integers(1, 4))
def test_the_spectrum_is_one_less_the_noise_subspace_form(seed, sources):
    covariance = Covariance(normal((1, 9, 12), seed), torch.tensor([0.1]).double())
    steering = normal((9, 20), seed + 1)
    steering = steering / torch.linalg.vector_norm(steering, dim=0)
    found = Beside.of(covariance.signal_subspace(sources), None).at(steering)[0]
    expected = 1 - oracles.noise_subspace_spectrum(
        covariance.dense()[0].numpy(), sources, steering.numpy()
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)  # eigenvectors over their gaps


@settings(max_examples=20)
@given(seed=seeds, sources=st.integers(2, 4))
def test_beside_found_sources_the_others_reach_one_and_nothing_exceeds_it(seed, sources):
    a = normal((1, 12, sources), seed)
    a = a / torch.linalg.vector_norm(a, dim=-2, keepdim=True)
    basis = torch.linalg.qr(a)[0]
    others = normal((12, 30), seed + 1)
    others = others / torch.linalg.vector_norm(others, dim=0)
    for k in range(1, sources):
        value = Beside.of(basis, a[..., :k]).at(a)[0]
        # rounding of an SVD over what is left of a vector beside the others, at least 1e-3
        torch.testing.assert_close(
            value[k:], torch.ones(sources - k, dtype=torch.float64), rtol=0, atol=1e-9
        )
        assert float(Beside.of(basis, a[..., :k]).at(others).max()) <= 1 + 1e-9


@counts
@pytest.mark.parametrize("model", [Canonical(), Spherical()], ids=["canonical", "spherical"])
def test_sources_of_a_known_covariance_are_found(sources, model):
    known = scene(sources, steering=model, array=Array.planar(8, 8, 0.3))
    found = Music()(known.problem, known.truth.covariance, None)
    assert float(errors(found.positions, known.truth.positions)) < ON_GRID
    assert bool(found.valid.all())
    assert remarks(found) == ()


@counts
def test_sources_behind_a_surface_are_found_through_the_sample_covariance(sources):
    known = scene(sources, snapshots=16, outputs=16, snr_db=20.0)
    covariance = Sample()(known.problem)
    found = Music()(known.problem, covariance, None)
    # the sample covariance is a mixture of points of the same grid: no better than a step
    step = float(search_grid(known.problem.array, REGION).steps().max())
    assert float(errors(found.positions, known.truth.positions)) < step


@pytest.mark.parametrize("labels", SHARING.values(), ids=SHARING.keys())
@counts
def test_without_a_covariance_the_measurements_are_scanned_and_the_notes_say_so(labels, sources):
    known = scene(sources, blocks=labels, snapshots=8, outputs=12)
    found = Music(density=2.0)(known.problem, None, None)
    assert remarks(found) == (MATCHED_NOTE,)
    step = search_grid(known.problem.array, REGION, 2.0).steps()
    # half a step along every axis, and as much again: sources are inserted one by one
    assert float(errors(found.positions, known.truth.positions)) < float(step.max())
    assert bool((found.objective >= -1e-6).all())
    assert bool((found.objective <= 1).all())


def test_a_covariance_of_too_small_a_rank_counts_as_none():
    known = scene(2, direct=True)
    thin = Covariance(known.truth.covariance.factor[..., :1])
    assert remarks(Music()(known.problem, thin, None)) == (MATCHED_NOTE,)


@pytest.mark.parametrize("backend", [Music(), Bartlett(), Mvdr(), Omp()])
@pytest.mark.parametrize("with_covariance", [True, False])
def test_the_result_says_how_the_model_was_scanned(backend, with_covariance):
    array = Array.planar(12, 12, 0.3)
    for model, words in ((Canonical(), []), (Spherical(), ["sum of"])):
        known = scene(1, steering=model, array=array, outputs=12, snr_db=20.0)
        covariance = known.truth.covariance if with_covariance else None
        notes = backend(known.problem, covariance, None).notes
        told = [note for note in notes if note.startswith("the scan takes")]
        assert len(told) == len(words)
        assert all(word in note for word, note in zip(words, told, strict=True))


def test_the_mirror_of_a_source_is_low_in_the_far_field_spectrum():
    """Conjugated steering or a wrong sign of the geometry would put the peak at (-φ, -θ)."""
    place = torch.tensor([[0.4, 0.2, 1e4]], dtype=torch.float64)
    known = scene(1, places=place, direct=True, array=Array.planar(8, 8, 0.3), snr_db=20.0)
    basis = Sample()(known.problem).signal_subspace(1)
    there = PlaneWave()(known.problem.array, place * torch.tensor([1.0, 1.0, 1.0]))
    mirror = PlaneWave()(known.problem.array, place * torch.tensor([-1.0, -1.0, 1.0]))
    assert float(Beside.of(basis, None).at(there)) > 0.99  # 20 dB an element, 64 elements
    assert float(Beside.of(basis, None).at(mirror)) < 0.05  # a side lobe


def test_data_and_model_agree_at_the_truth():
    """corr(a_data, a_model) = 1: the element order and the origin of both are the same."""
    known = scene(1, direct=True)
    values = known.problem.snapshots.values[0]
    steering = known.problem.steering(known.problem.array, known.truth.positions)[0, :, 0]
    correlation = (values @ steering.conj()).abs() / torch.linalg.vector_norm(values, dim=-1)
    assert correlation.tolist() == pytest.approx([1.0] * 8, abs=1e-12)


@pytest.mark.parametrize("with_covariance", [True, False])
def test_a_global_phase_changes_nothing(with_covariance):
    known = scene(2, direct=with_covariance, snr_db=10.0)
    covariance = Sample()(known.problem) if with_covariance else None
    turned = replace(known.problem, steering=Turned(known.problem.steering, 1.234))
    first = Music()(known.problem, covariance, None)
    second = Music()(turned, covariance, None)
    torch.testing.assert_close(first.positions, second.positions, rtol=0, atol=PLACED)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_scale_of_the_measurements_changes_nothing(scale):
    known = scene(2, snr_db=10.0)
    louder = replace(
        known.problem,
        snapshots=replace(known.problem.snapshots, values=known.problem.snapshots.values * scale),
    )
    for problem in (known.problem, louder):
        assert bool(Sample()(problem).factor.isfinite().all())
    first = Music()(known.problem, None, None)
    torch.testing.assert_close(Music()(louder, None, None).positions, first.positions)


@pytest.mark.parametrize("with_covariance", [True, False])
def test_estimates_stay_in_the_region_and_fixed_coordinates_at_their_value(with_covariance):
    region = region_with(azimuth=(-0.2, 0.2), elevation=(0.1, 0.1), range=(3.8, 3.8))
    known = scene(2, region=region, direct=with_covariance, snr_db=10.0)
    covariance = Sample()(known.problem) if with_covariance else None
    found = Music()(known.problem, covariance, None).positions
    assert bool((found[..., 0].abs() <= 0.2 + 1e-12).all())
    assert found[..., 1].flatten().tolist() == [0.1, 0.1]
    assert found[..., 2].flatten().tolist() == [3.8, 3.8]


@pytest.mark.parametrize("with_covariance", [True, False])
def test_scenes_of_different_numbers_of_sources_are_as_one_by_one(with_covariance):
    known = scene(3, scenes=4, direct=with_covariance, snr_db=20.0)
    problem = replace(known.problem, sources=torch.tensor([2, 1, 3, 1]))
    covariance = Sample()(problem) if with_covariance else None
    together = Music()(problem, covariance, None)
    assert together.positions.shape == (4, 3, 3)
    assert together.valid.sum(-1).tolist() == [2, 1, 3, 1]
    assert bool(together.positions.isfinite().all())
    for s, sources in enumerate([2, 1, 3, 1]):
        index = torch.tensor([s])
        part = None if covariance is None else covariance.select(index)
        alone = Music()(problem.select(index), part, None)
        torch.testing.assert_close(
            together.positions[s, :sources], alone.positions[0], rtol=0, atol=PLACED
        )


def test_batches_bound_the_memory_and_change_nothing(monkeypatch):
    known = scene(1, scenes=5, snr_db=10.0)
    whole = Music()(known.problem, None, None)
    monkeypatch.setattr(Music, "batch", 2)
    torch.testing.assert_close(Music()(known.problem, None, None).positions, whole.positions)


def test_a_few_scenes_at_a_time_change_nothing(monkeypatch):
    known = scene(2, scenes=3, direct=True, snr_db=20.0)
    covariance = Sample()(known.problem)
    whole = Music()(known.problem, covariance, None)
    monkeypatch.setattr("risdoa.backends.music.MEMORY", 1)
    parts = Music()(known.problem, covariance, None)
    torch.testing.assert_close(parts.positions, whole.positions, rtol=0, atol=PLACED)


def test_zooming_approaches_the_peak():
    known = scene(1, array=Array.planar(8, 8, 0.3))
    covariance = known.truth.covariance
    left = [
        float(Music(zoom=zoom)(known.problem, covariance, None).objective) for zoom in (0, 2, 5, 8)
    ]
    assert left == sorted(left, reverse=True)
    assert left[-1] < 1e-4  # of a spectrum of 1, with a step of 0.3/2^8
    assert left[0] > 1e-3


def test_the_number_of_sources_is_needed():
    known = scene(1)
    with pytest.raises(InputError, match="number of sources") as caught:
        Music()(replace(known.problem, sources=None), None, None)
    assert "--sources" in caught.value.hint


@pytest.mark.parametrize("options", [{"density": 0.0}, {"density": -1.0}, {"zoom": -1}])
def test_impossible_options_are_refused(options):
    with pytest.raises(InputError, match="music needs"):
        Music(**options)


def test_every_direction_around_an_array_in_space_is_found():
    points = torch.randn((16, 3), dtype=torch.float64, generator=generator(3)) * 0.15
    array = Array(points, 0.3)
    region = array.default_region()
    region[2] = 2.0
    angles = torch.tensor([[-179.5, 0.0], [179.0, 40.0], [30.0, 88.0], [-90.0, -85.0]]).deg2rad()
    places = torch.cat((angles.double(), torch.full((4, 1), 2.0).double()), -1)[:, None]
    known = scene(1, scenes=4, places=places, direct=True, array=array, region=region)
    found = Music()(known.problem, known.truth.covariance, None)
    step = float(search_grid(array, region).steps().max())
    # five halvings, of which the slanted coordinates around a pole lose two
    assert float(errors(found.positions, known.truth.positions).max()) < step / 2**3
    assert bool((found.positions[..., :2].abs() <= region[:2, 1] + 1e-12).all())
