"""What is written comes back, and poses the same problem."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from risdoa.conventions import to_degrees
from risdoa.errors import InputError
from risdoa.reading import read_recording
from risdoa.recordings import (
    FORMAT,
    Recording,
    recording_from,
    sample_path,
    write_recording,
)
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.digital import Digital
from risdoa.scenarios.static import Static
from risdoa.sensing import Direct, RisCoded
from risdoa.steering.spherical import Spherical

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
SMALL = {"nx": 4, "ny": 4, "snapshots": 6}


def drawn(kind, scenes=3):
    return kind(**SMALL).sample(scenes, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", [Canonical, Static, Digital])
def test_a_simulated_problem_survives_the_file(kind, tmp_path):
    problem, truth = drawn(kind)
    path = tmp_path / "deep" / "scenes.npz"
    write_recording(path, recording_from(problem, truth, description="drawn"))
    recording = read_recording(path)
    again = recording.problem(problem.steering)
    assert recording.description == "drawn"
    assert torch.equal(again.snapshots.values, problem.snapshots.values)
    assert torch.equal(again.snapshots.noise_power, problem.snapshots.noise_power)
    assert torch.equal(again.snapshots.block_index, problem.snapshots.block_index)
    assert torch.equal(again.sources, problem.sources)
    assert torch.equal(again.array.positions, problem.array.positions)
    torch.testing.assert_close(again.region, problem.region)
    sensing = problem.snapshots.sensing
    if isinstance(sensing, RisCoded):
        assert torch.equal(again.snapshots.sensing.channel, sensing.channel)
        assert torch.equal(again.snapshots.sensing.codes, sensing.codes)
    else:
        assert isinstance(again.snapshots.sensing, Direct)
    told = recording.truth(again)
    assert torch.equal(told.mask, truth.mask)
    torch.testing.assert_close(told.positions[truth.mask], truth.positions[truth.mask])
    torch.testing.assert_close(told.covariance.dense(), truth.covariance.dense())


def test_nothing_in_the_file_is_pickled_and_equal_scenes_make_equal_files(tmp_path):
    problem, truth = drawn(Canonical)
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    write_recording(first, recording_from(problem, truth))
    write_recording(second, recording_from(problem, truth))
    assert first.read_bytes() == second.read_bytes()
    with np.load(first, allow_pickle=False) as archive:
        assert str(archive["format"]) == FORMAT
        assert np.isnan(archive["truth_deg_m"]).any(-1).sum() == int((~truth.mask).sum())
        assert all(archive[name].dtype != object for name in archive.files)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_options_of_the_problem_come_before_the_file(tmp_path):
    problem, truth = drawn(Canonical)
    recording = recording_from(problem, truth)
    region = problem.region.clone()
    region[0] = 0.0
    changed = recording.problem(Spherical(), region=region, sources=2)
    assert changed.sources.tolist() == [2, 2, 2]
    assert changed.free.tolist() == [False, True, True]
    assert isinstance(changed.steering, Spherical)


def test_shared_channel_and_codes_stay_shared():
    problem, _ = drawn(Canonical)
    recording = recording_from(problem)
    shared = Recording(
        positions_m=recording.positions_m,
        wavelength_m=recording.wavelength_m,
        snapshots=recording.snapshots.astype(np.complex64),
        channel=recording.channel[0],
        codes=np.sign(recording.codes[0].real + 0.1),
    )
    assert shared.problem(Spherical()).snapshots.sensing.codes.shape == (6, 16)
    assert shared.problem(Spherical()).snapshots.values.dtype == torch.complex128
    assert shared.problem(Spherical()).sources is None


def test_truth_takes_fixed_coordinates_from_the_region():
    problem, _ = drawn(Digital, scenes=1)
    region = np.array([[-60.0, 60], [5, 5], [0.5, 10]])
    given = {
        "positions_m": problem.array.positions.numpy(),
        "wavelength_m": 0.3,
        "snapshots": problem.snapshots.values.numpy(),
        "region_deg_m": region,
    }
    recording = Recording(truth_deg_m=np.array([[[10.0, np.nan, 2.0], [np.nan] * 3]]), **given)
    truth = recording.truth(recording.problem(Spherical()))
    assert truth.mask.tolist() == [[True, False]]
    np.testing.assert_allclose(to_degrees(truth.positions)[0, 0].numpy(), [10, 5, 2])
    lacking = Recording(truth_deg_m=np.array([[[10.0, 5.0, np.nan]]]), **given)
    with pytest.raises(InputError, match="lacks a coordinate"):
        lacking.truth(lacking.problem(Spherical()))
    with pytest.raises(InputError, match="no truth"):
        Recording(**given).truth(recording.problem(Spherical()))


def test_one_array_of_equal_elements_only():
    problem, _ = drawn(Digital, scenes=2)
    own = problem.array.positions.expand(2, -1, -1)
    array = type(problem.array)(own, problem.array.wavelength)
    unusual = type(problem)(problem.snapshots, array, problem.steering, problem.region)
    with pytest.raises(InputError, match="one array"):
        recording_from(unusual)


def test_sample_recording_ships_with_its_attribution():
    recording = read_recording(sample_path())
    assert recording.scenes == 54
    assert recording.positions_m.shape == (48, 3)
    assert "CC-BY 4.0" in recording.licence
    notice = (sample_path().parent / "NOTICE").read_text(encoding="utf-8")
    for words in ("R", "Scheibler", "Pyramic", "CC-BY 4.0", "Changes", sample_path().name):
        assert words in notice


@pytest.mark.parametrize(
    ("name", "scenes", "blocks"),
    [
        ("fullwave_isolated_12x12", 4, 1),
        ("measured_microphones_pyramic", 54, 1),
        ("measured_rfid_line_aperture", 21, 1),
        ("measured_ris_tx120", 40, 1),
        ("measured_ultrasound_18", 1, 18),
        ("raytraced_street_canyon", 16, 1),
    ],
)
def test_every_shared_recording_reads(name, scenes, blocks):
    path = SHARED / f"{name}.npz"
    if not path.exists():
        pytest.skip("../shared/data is not here")
    recording = read_recording(path)
    problem = recording.problem(Spherical())
    assert problem.scenes == scenes
    assert problem.snapshots.block_count == blocks
    assert int(recording.truth(problem).mask.sum()) == int(problem.sources.sum())


def test_unknown_fields_are_left_alone_even_when_pickled(tmp_path):
    path = tmp_path / "more.npz"
    problem, _ = drawn(Digital, scenes=1)
    trap = np.array([pickle.dumps], dtype=object)
    np.savez(
        path,
        format=FORMAT,
        positions_m=problem.array.positions.numpy(),
        wavelength_m=0.3,
        snapshots=problem.snapshots.values.numpy(),
        remark=trap,
    )
    assert read_recording(path).scenes == 1


def test_arrays_that_run_backwards_are_taken():
    recording = read_recording(sample_path())
    turned = replace(
        recording,
        positions_m=recording.positions_m[::-1],
        snapshots=recording.snapshots[..., ::-1],
    )
    problem = turned.problem(Spherical(), sources=1)
    assert problem.array.count == len(recording.positions_m)
