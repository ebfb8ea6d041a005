"""A calibration as an array, and on disk."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from risdoa.arrays import Array
from risdoa.calibration import Calibration, calibrate, read_calibration, write_calibration
from risdoa.errors import InputError
from risdoa.frozen import changed
from tests.calibration.scenes import scenario, scenes


@pytest.fixture(scope="module")
def found():
    return calibrate(scenes(scenario(), 6, 20.0), steering="canonical")


def test_a_problem_is_told_the_calibrated_array(found):
    problem = scenes(scenario(), 2, 20.0, seed=9).problem
    told = found.applied(problem)
    assert torch.equal(told.array.gains, found.gains)
    assert torch.equal(told.array.positions, found.positions_m)
    assert told.snapshots is problem.snapshots
    single = found.applied(problem.to(dtype=torch.complex64))
    assert single.array.gains.dtype == torch.complex64


@pytest.mark.parametrize(
    ("words", "array"),
    [
        ("16 elements, got 9", Array.planar(3, 3, 0.3)),
        ("wavelength of 0.3 m, got 0.31 m", Array.planar(4, 4, 0.31)),
        ("other element positions", Array.planar(4, 4, 0.3, 0.51)),
        ("equal elements", changed(Array.planar(4, 4, 0.3), gains=torch.ones(16) + 0j)),
    ],
)
def test_another_array_is_refused(found, words, array):
    with pytest.raises(InputError) as error:
        found.check(array)
    assert words in error.value.message


def test_decibels_and_degrees(found):
    decibels, degrees = found.relative_std()
    assert decibels.shape == degrees.shape == (16,)
    expected = 20 / np.log(10) * found.gains_std[:, 0] / found.gains.abs()
    torch.testing.assert_close(decibels, expected)
    torch.testing.assert_close(degrees, (found.gains_std[:, 1] / found.gains.abs()).rad2deg())
    silent = replace(found, gains=found.gains * (torch.arange(16) > 0))
    assert float(silent.gain_db()[0]) == float("-inf")
    assert float(silent.relative_std()[0][0]) == float("inf")


def test_what_is_written_is_read(found, tmp_path):
    path = tmp_path / "panel.npz"
    write_calibration(path, found)
    again = read_calibration(path)
    for field in fields(Calibration):
        before, after = (getattr(each, field.name) for each in (found, again))
        assert torch.equal(before, after) if isinstance(before, torch.Tensor) else before == after
    assert [each.name for each in tmp_path.iterdir()] == ["panel.npz"]


def damaged(path, **changes):
    with np.load(path) as archive:
        content = dict(archive)
    content |= changes
    np.savez(path, **{name: value for name, value in content.items() if value is not None})


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("risdoa-calibration/1", {"format": None}),
        ("risdoa-calibration/1", {"format": "risdoa-recording/1"}),
        ("missing field gains", {"gains": None}),
        ("gains must be (N,) with N = 16", {"gains": np.ones(4, dtype=complex)}),
        ("gains must hold complex numbers", {"gains": np.ones(16)}),
        ("gains must be finite", {"gains": np.full(16, np.nan + 0j)}),
        ("not all zero", {"gains": np.zeros(16, dtype=complex)}),
        ("wavelength must be positive", {"wavelength_m": 0.0}),
        ("scenes must be a whole number", {"scenes": 1.5}),
        ("scenes must be at least 1", {"scenes": 0}),
        ("gains_std must be at least 0", {"gains_std": -np.ones((16, 2))}),
        ("positions_std_m must be at least 0", {"positions_std_m": -np.ones((16, 3))}),
    ],
)
def test_files_that_are_no_calibration_are_refused(words, changes, found, tmp_path):
    path = tmp_path / "panel.npz"
    write_calibration(path, found)
    damaged(path, **changes)
    with pytest.raises(InputError) as error:
        read_calibration(path)
    assert words in error.value.message
    assert str(path) in error.value.message
    assert error.value.hint


def test_what_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "panel.npz"
    for content in (b"", b"PK nothing"):
        path.write_bytes(content)
        with pytest.raises(InputError):
            read_calibration(path)
    with pytest.raises(InputError) as error:
        read_calibration(tmp_path / "none.npz")
    assert error.value.hint == "check the path of the calibration"
