"""``risdoa simulate`` writes what ``risdoa estimate`` reads."""

from __future__ import annotations

import numpy as np
import pytest

from risdoa.reading import read_recording

SMALL = ["--set", "canonical.nx=4", "--set", "canonical.ny=4"]


def test_scenes_with_truth(cli, tmp_path):
    out = tmp_path / "scenes.npz"
    outcome = cli("simulate", "--scenes", 3, "--sources", 2, "--snr", 10, "--out", out)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == f"wrote 3 scenes to {out}\n"
    recording = read_recording(out)
    assert recording.snapshots.shape == (3, 16, 16)
    assert recording.sources.tolist() == [2, 2, 2]
    assert recording.truth_deg_m.shape == (3, 2, 3)
    assert "canonical" in recording.description
    np.testing.assert_allclose(recording.region_deg_m, [[-60, 60], [-30, 30], [0.5, 10]])


@pytest.mark.parametrize(("steering", "said"), [("spherical", True), ("canonical", False)])
def test_estimating_with_another_model_than_made_the_data_is_said(steering, said, cli, tmp_path):
    out = tmp_path / "scenes.npz"
    assert cli("simulate", "--scenes", 1, "--sources", 1, "--out", out, *SMALL).code == 0
    outcome = cli("estimate", out, "--steering", steering, "--backend", "music")
    assert outcome.code == 0, outcome.err
    note = "data made with canonical steering, estimated with spherical"
    assert (note in outcome.out) is said


def test_the_seed_decides(cli, tmp_path):
    contents = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        out = tmp_path / f"{name}.npz"
        assert cli("simulate", "--scenes", 2, "--seed", seed, "--out", out, *SMALL).code == 0
        contents.append(out.read_bytes())
    assert contents[0] == contents[1] != contents[2]


def test_an_existing_file_is_replaced_only_when_told(cli, tmp_path):
    out = tmp_path / "scenes.npz"
    out.write_bytes(b"precious")
    outcome = cli("simulate", "--out", out, *SMALL)
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: {out} exists already\nhint: ")
    assert out.read_bytes() == b"precious"
    assert cli("simulate", "--out", out, "--force", *SMALL).code == 0
    assert read_recording(out).scenes == 10


def test_a_folder_is_no_recording_to_replace(cli, tmp_path):
    outcome = cli("simulate", "--out", tmp_path, "--force", *SMALL)
    assert outcome.code == 2
    assert "is a directory, not a recording" in outcome.err
    outcome = cli("simulate", "--out", ".", "--force", *SMALL)
    assert (outcome.code, "is a directory" in outcome.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scenario", "canonicl"], "canonical"),
        (["--sources", "0"], "impossible number of sources 0"),
        (["--sources", "9"], "impossible number of sources 9"),
        (["--scenes", "0"], "scenes"),
        (["--snr", "nan"], "finite number of dB"),
        (["--seed", "-1"], "seed"),
        (["--set", "canonical.nx=0"], "positive sizes"),
        (["--set", "canonical.nz=3"], "nz"),
        (["--set", "digital.nx=3"], "digital"),
        (["--set", "canonical.codes=odd"], "codes"),
    ],
)
def test_impossible_requests_leave_nothing_behind(arguments, words, cli, tmp_path):
    outcome = cli("simulate", "--out", tmp_path / "scenes.npz", *arguments)
    assert outcome.code == 2
    assert words in outcome.err
    assert len(outcome.err.splitlines()) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["folder.npz", "scenes.txt", "file/scenes.npz"])
def test_places_where_no_recording_can_be_written(name, cli, tmp_path):
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "file").write_text("")
    outcome = cli("simulate", "--out", tmp_path / name, "--force", *SMALL)
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 2
