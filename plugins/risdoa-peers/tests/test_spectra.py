"""The libraries' spectra against their formulas, called on their own."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import risdoa
from risdoa.benchmarks.cases import near_field
from risdoa.benchmarks.scan import scan_speed


@pytest.fixture
def array():
    """Elements that no mirror and no exchange of axes maps onto each other."""
    random = np.random.default_rng(2)
    points = random.standard_normal((9, 3)) * [0.3, 0.2, 0.1]
    return risdoa.Array(torch.from_numpy(points), 0.3)


@pytest.fixture
def points():
    return np.random.default_rng(3).uniform([-1, -1, 1], [1, 1, 3], (50, 3))


@pytest.fixture
def covariance():
    """A covariance of full rank whose eigenvalues differ."""
    random = np.random.default_rng(5)
    factor = random.standard_normal((9, 9)) + 1j * random.standard_normal((9, 9))
    return factor @ factor.conj().T


def waves(array, points):
    """Return exp(-jkρ)/√N, (N, P), loop by loop."""
    rows = [
        [np.exp(-1j * array.wavenumber * np.linalg.norm(point - element)) for point in points]
        for element in array.positions.numpy()
    ]
    return np.array(rows) / np.sqrt(array.count)


def expect_proportional(found, wanted):
    np.testing.assert_allclose(found / found.max(), wanted / wanted.max(), rtol=1e-4)


def noise_energy(covariance, vectors, sources, load):
    """Return Σ_i (λ_i + load) |u_iᴴa|² over the noise eigenvectors."""
    values, basis = np.linalg.eigh(covariance)
    inside = np.abs(basis[:, : len(values) - sources].conj().T @ vectors) ** 2
    return (values[: len(values) - sources, None] + load).T @ inside


@pytest.mark.parametrize("sources", [1, 3])
def test_music_of_acoular(registry, array, points, covariance, sources):
    mean = np.trace(covariance).real / 9
    for load in (0.01, 1e6):
        backend = registry.create("backend", "acoular-music", load=load)
        found = backend.spectrum(backend.prepared(array, points), covariance, sources)
        energy = noise_energy(covariance, waves(array, points), sources, load * mean)[0]
        expect_proportional(found, 1 / energy)


def test_capon_of_acoular(registry, array, points, covariance):
    backend = registry.create("backend", "acoular-capon", load=0.1)
    found = backend.spectrum(backend.prepared(array, points), covariance, 1)
    vectors = waves(array, points)
    loaded = covariance + 0.1 * np.trace(covariance).real / 9 * np.eye(9)
    power = 1 / np.einsum("np,nm,mp->p", vectors.conj(), np.linalg.inv(loaded), vectors).real
    expect_proportional(found, power)


@pytest.mark.parametrize("sources", [1, 3])
def test_music_of_pyroomacoustics(registry, array, points, covariance, sources):
    backend = registry.create("backend", "pyroomacoustics-music")
    prepared = backend.prepared(array, points)
    basis = np.linalg.eigh(covariance)[1][:, : 9 - sources]
    energy = (np.abs(basis.conj().T @ waves(array, points)) ** 2).sum(0)
    for _ in range(2):  # a prepared steering serves more than one scene
        expect_proportional(backend.spectrum(prepared, covariance, sources), 1 / energy)


def test_inputs_are_left_alone(registry, name, array, points, covariance):
    backend = registry.create("backend", name)
    before = covariance.copy(), points.copy()
    backend.spectrum(backend.prepared(array, points), covariance, 2)
    np.testing.assert_array_equal(covariance, before[0])
    np.testing.assert_array_equal(points, before[1])


def test_a_spectrum_is_timed_beside_that_of_risdoa(registry, name):
    case = near_field((4, 3), 2, (9, 5, 3), 0)
    speed, _ = scan_speed(case, 1, registry.create("backend", name))
    assert speed.peer > 0


def test_the_readme_runs():
    readme = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
    [code] = re.findall(r"^```py\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    namespace = {}
    exec(compile(code, "README.md", "exec"), namespace)
    assert namespace["spectrum"].shape == (2,)
