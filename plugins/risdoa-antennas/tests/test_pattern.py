"""Patterns: the smooth cosine, tables and their splines, and what a response file may hold."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from risdoa_antennas.element_response import ElementResponse
from risdoa_antennas.pattern import CosinePattern
from risdoa_antennas.table import TablePattern

from risdoa.errors import InputError

Z = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)


def directions(azimuth_deg, elevation_deg):
    """Return unit vectors (1, K, 3) of angles in degrees."""
    azimuth = torch.as_tensor(np.radians(np.atleast_1d(azimuth_deg)))
    elevation = torch.as_tensor(np.radians(np.atleast_1d(elevation_deg)))
    azimuth, elevation = torch.broadcast_tensors(azimuth, elevation)
    flat = elevation.cos()
    return torch.stack((azimuth.sin() * flat, elevation.sin(), azimuth.cos() * flat), -1)[None]


@pytest.mark.parametrize("exponent", [0.5, 1.0, 3.0])
def test_levels_in_front_at_the_side_and_at_the_back(exponent):
    levels = CosinePattern(exponent, 0.1, Z)(directions([0.0, 90.0, 180.0], 0.0))[0]
    expected = torch.tensor([1, 0.1**exponent, 0.01**exponent], dtype=torch.float64)
    torch.testing.assert_close(levels, expected)


def test_the_cosine_is_one_where_it_is_large():
    angles = torch.linspace(-60, 60, 13, dtype=torch.float64)
    levels = CosinePattern(1.0, 0.01, Z)(directions(angles, 0.0))[0]
    torch.testing.assert_close(levels, torch.deg2rad(angles).cos(), rtol=0, atol=1e-3)


def test_the_back_keeps_its_digits_in_single_precision():
    pattern, around = CosinePattern(1.0, 0.001, Z), directions(np.arange(-180.0, 180, 7), 0.0)
    single, double = pattern(around.float()), pattern(around)
    torch.testing.assert_close(single.double(), double, rtol=1e-3, atol=0)
    assert bool(pattern.gradient(around.float())[1].isfinite().all())


AZIMUTHS = np.arange(-180.0, 180, 10)
ELEVATIONS = np.linspace(-90, 90, 19)


def smooth(azimuth_deg, elevation_deg):
    """A pattern that a grid of ten degrees resolves."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    return np.exp(np.cos(azimuth) * np.cos(elevation)) * np.exp(1j * np.cos(2 * azimuth))


def table():
    return smooth(AZIMUTHS[:, None], ELEVATIONS[None, :])


def test_a_table_is_met_at_its_points():
    pattern = TablePattern(table(), AZIMUTHS, ELEVATIONS)
    for i, j in ((0, 9), (17, 5), (35, 12), (20, 1)):
        found = pattern(directions(AZIMUTHS[i], ELEVATIONS[j]))
        assert complex(found) == pytest.approx(table()[i, j], abs=1e-12)


def test_a_table_is_smooth_between_its_points_and_around():
    pattern = TablePattern(table(), AZIMUTHS, ELEVATIONS)
    random = np.random.default_rng(0)
    azimuth, elevation = random.uniform(-180, 180, 200), random.uniform(-89, 89, 200)
    found = pattern(directions(azimuth, elevation))[0].numpy()
    np.testing.assert_allclose(found, smooth(azimuth, elevation), atol=2e-3)
    seam = pattern.gradient(directions([179.999, -179.999], 20.0))
    for values in seam:
        torch.testing.assert_close(values[0, 0], values[0, 1], rtol=0, atol=1e-3)


def test_both_ends_of_a_full_turn_may_be_there():
    open_end = TablePattern(table(), AZIMUTHS, ELEVATIONS)
    twice = np.append(AZIMUTHS, 180.0)
    closed = TablePattern(smooth(twice[:, None], ELEVATIONS[None, :]), twice, ELEVATIONS)
    seen = directions([-180.0, 177.0, 33.0], [4.0, -50.0, 0.0])
    torch.testing.assert_close(open_end(seen), closed(seen))


def test_the_last_value_holds_beyond_the_ends():
    front, low = AZIMUTHS[9:28], ELEVATIONS[6:13]
    pattern = TablePattern(smooth(front[:, None], low[None, :]), front, low)
    values, slopes = pattern.gradient(directions([120.0, 0.0], [0.0, 80.0]))
    expected = [smooth(front[-1], 0.0), smooth(0.0, low[-1])]
    np.testing.assert_allclose(values[0].numpy(), expected, atol=1e-12)
    assert float(slopes[0, 1].abs().max()) < 1e-12


def test_every_element_may_have_a_table_of_its_own():
    factors = np.array([1.0, 2j, -0.5])
    pattern = TablePattern(factors[:, None, None] * table(), AZIMUTHS, ELEVATIONS)
    seen = directions([10.0, 20.0], [3.0, -7.0]).expand(3, 2, 3)
    single = TablePattern(table(), AZIMUTHS, ELEVATIONS)(seen[:1])
    torch.testing.assert_close(pattern(seen), torch.from_numpy(factors)[:, None] * single)


def test_a_table_is_finite_at_the_poles():
    pole = directions([0.0, 50.0], [90.0, -90.0])
    pole[..., [0, 2]] = 0
    for values in TablePattern(table(), AZIMUTHS, ELEVATIONS).gradient(pole):
        assert bool(values.isfinite().all())


def test_a_common_table_serves_any_number_of_elements(response, array, positions):
    fields = {"pattern": table(), "azimuth_deg": AZIMUTHS, "elevation_deg": ELEVATIONS}
    model = ElementResponse(coupling_db=None, response=response(**fields))
    assert model(array, positions).shape == (3, 12, 2)
    assert model.elements is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"coupling": np.ones((2, 3))}, r"coupling must be \(N, N\)"),
        ({"coupling": np.ones((12, 12))}, "condition number"),
        ({"coupling": np.eye(12) * math.nan}, "finite"),
        ({"boresight": np.zeros((12, 3))}, "boresight must be"),
        ({"boresight": np.ones((11, 3))}, r"are for \[11, 12\] elements"),
        ({"pattern": np.ones((12, 37, 9))}, "pattern must be"),
        ({"azimuth_deg": np.geomspace(1, 90, 37)}, "equal, ascending steps"),
        ({"elevation_deg": np.linspace(60, -60, 10)}, "equal, ascending steps"),
        ({"couplings": np.eye(12)}, "not a response"),
        ({"coupling": np.array([["a"]])}, "cannot be read"),
    ],
)
def test_wrong_responses_are_refused(changes, words, response, measured_fields):
    with pytest.raises(InputError, match=words):
        ElementResponse(response=response(**{**measured_fields, **changes}))


@pytest.mark.parametrize("missing", ["pattern", "azimuth_deg", "elevation_deg"])
def test_a_pattern_needs_its_axes(missing, response, measured_fields):
    del measured_fields[missing]
    with pytest.raises(InputError, match="a pattern needs"):
        ElementResponse(response=response(**measured_fields))


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "response.npz"
    for content in (b"", b"text", b"PK\x03\x04 damaged"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="cannot be read"):
            ElementResponse(response=str(path))
    np.save(tmp_path / "single.npy", np.eye(3))
    with pytest.raises(InputError, match="cannot be read"):
        ElementResponse(response=str(tmp_path / "single.npy"))


def test_a_damaged_file_is_refused_or_harmless(response, measured_fields, tmp_path):
    whole = Path(response(**measured_fields)).read_bytes()
    path, random = tmp_path / "damaged.npz", np.random.default_rng(0)
    for trial in range(60):
        damaged = bytearray(whole)
        for place in random.integers(len(whole), size=20):
            damaged[place] = int(random.integers(256))
        path.write_bytes(damaged[: int(random.integers(len(whole)))] if trial % 2 else damaged)
        with contextlib.suppress(InputError):
            ElementResponse(response=str(path))


def test_a_response_for_another_array_is_refused(response, positions, array, measured_fields):
    small = {"coupling": measured_fields["coupling"][:6, :6]}
    with pytest.raises(InputError, match="for 6 elements, the array has 12"):
        ElementResponse(response=response(**small))(array, positions)
