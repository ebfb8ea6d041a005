"""``risdoa calibrate``: from simulated recordings to estimates with the calibrated array."""

from __future__ import annotations

import json

import numpy as np
import pytest

from risdoa.calibration import read_calibration
from risdoa.reading import read_recording
from risdoa.recordings import write_recording

ERRORS = {
    "nx": "5",
    "ny": "5",
    "gain_db": "1",
    "phase_deg": "10",
    "position": "0.02",
    "missing": "0",
    "channel_db": "none",
    "direct_db": "none",
    "panel": "3",
}


def simulated(cli, path, seed, scenes=24, **changes):
    settings = [f"--set=miscalibrated.{name}={value}" for name, value in (ERRORS | changes).items()]
    words = ["--scenes", scenes, "--sources", 1, "--snr", 25, "--seed", seed, *settings]
    outcome = cli("simulate", "--scenario", "miscalibrated", *words, "--out", path)
    assert outcome.code == 0, outcome.err
    return path


@pytest.fixture
def scenes(cli, tmp_path):
    return simulated(cli, tmp_path / "scenes.npz", 1)


def calibrated(cli, scenes, *more):
    out = scenes.parent / "panel.npz"
    return cli("calibrate", scenes, "--steering", "canonical", "--out", out, *more), out


def worst(outcome):
    """Return the largest errors in the file that the last lines of an estimate name."""
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()[-3:]
    return np.array([float(line.split(", ")[1].rstrip("°m ")) for line in lines])


def test_simulate_calibrate_estimate(cli, scenes, tmp_path):
    outcome, panel = calibrated(cli, scenes, "--position", "0.02")
    assert outcome.code == 0, outcome.err
    assert outcome.err == f"wrote {panel}\n"
    assert outcome.out.startswith("25 elements from 24 scenes, canonical steering\n")
    assert read_calibration(panel).steering == "canonical"
    other = simulated(cli, tmp_path / "other.npz", 2, scenes=12)
    plain = cli("estimate", other, "--steering", "canonical")
    told = cli("estimate", other, "--steering", "canonical", "--calibration", panel)
    assert "note: the array is as calibrated from 24 scenes" in told.out
    assert (worst(told) < worst(plain)).all()


def test_json(cli, scenes):
    outcome, _ = calibrated(cli, scenes, "--json")
    content = json.loads(outcome.out)
    assert content["schema"] == "risdoa.calibrate/1"
    assert (content["scenes"], content["elements"], content["weak_elements"]) == (24, 25, 0)
    assert content["gain_db"]["rms"] == pytest.approx(1, abs=0.5)
    assert content["phase_deg"]["rms"] == pytest.approx(10, abs=5)
    assert content["position_m"] == {"rms": 0, "std": 0}
    assert content["converged"]
    assert content["excess"] > 1


def test_figures_are_those_of_coordinates_that_were_not_held(cli, scenes):
    outcome, panel = calibrated(cli, scenes, "--position", "0.02", "--json")
    figures, found = json.loads(outcome.out)["position_m"], read_calibration(panel)
    moved = (found.positions_m - found.nominal_m)[:, :2].numpy()
    assert figures["rms"] == pytest.approx(np.sqrt((moved**2).mean()))
    assert figures["std"] == pytest.approx(float(found.positions_std_m[:, :2].median()))


def test_silent_elements_are_counted_apart(cli, tmp_path):
    silent = simulated(cli, tmp_path / "silent.npz", 1, missing="0.2", position="0")
    content = json.loads(calibrated(cli, silent, "--json")[0].out)
    assert 0 < content["weak_elements"] < 10
    assert content["gain_db"]["rms"] < 3
    text = f"{content['weak_elements']} elements are below -20 dB and not counted above\n"
    assert text in calibrated(cli, silent, "--force")[0].out


def test_a_fit_that_was_cut_short_says_so(cli, scenes, monkeypatch):
    monkeypatch.setattr("risdoa.calibration.fit.STEPS", 1)
    outcome, panel = calibrated(cli, scenes)
    assert "warning: the fit has not converged; more scenes would help\n" in outcome.err
    assert not read_calibration(panel).converged


def test_several_files_count_together(cli, scenes, tmp_path):
    more = simulated(cli, tmp_path / "more.npz", 2, scenes=10)
    out = tmp_path / "both.npz"
    outcome = cli("calibrate", scenes, more, "--steering", "canonical", "--out", out)
    assert outcome.code == 0, outcome.err
    assert read_calibration(out).scenes == 34


def test_other_steering_than_made_the_data_is_said(cli, scenes, tmp_path):
    panel = tmp_path / "panel.npz"
    outcome = cli("calibrate", scenes, "--out", panel)
    assert outcome.code == 0
    text = f"warning: {scenes}: data made with canonical steering, calibrated with spherical\n"
    assert text in outcome.err
    told = cli("estimate", scenes, "--steering", "canonical", "--calibration", panel)
    assert "note: calibrated with spherical steering, estimated with canonical" in told.out


def test_a_wrong_channel_is_seen(cli, tmp_path):
    scenes = simulated(cli, tmp_path / "wrong.npz", 1, scenes=8)
    recording = read_recording(scenes)
    recording.channel[:] = recording.channel[::-1].copy()
    write_recording(scenes, recording)
    for what, more in (("gains alone", []), ("gains and places", ["--position", "0.02"])):
        outcome, _ = calibrated(cli, scenes, "--force", *more)
        assert outcome.code == 0
        assert f"warning: {what} do not explain these recordings\n" in outcome.err


def without_truth(scenes):
    with np.load(scenes) as archive:
        content = {name: archive[name] for name in archive.files if name != "truth_deg_m"}
    np.savez(scenes, **content)


@pytest.mark.parametrize(
    ("words", "more"),
    [
        ("must be positive", ["--gain-db", "0"]),
        ("must be positive", ["--phase-deg", "nan"]),
        ("only with phases", ["--gain-db", "1"]),
        ("must be 0, or at least", ["--position", "-1"]),
        ("no such file", ["missing.npz"]),
        ("steering", ["--steering", "sphercal"]),
        ("does not use 'music'", ["--set", "music.density=2"]),
    ],
)
def test_wrong_input_leaves_nothing_behind(words, more, cli, scenes):
    outcome, panel = calibrated(cli, scenes, *more)
    assert outcome.code == 2
    assert words in outcome.err.lower()
    assert len(outcome.err.splitlines()) == 2
    assert not panel.exists()


def test_recordings_that_cannot_calibrate_are_refused(cli, scenes, tmp_path):
    one = simulated(cli, tmp_path / "one.npz", 1, scenes=1, snapshots=1)
    outcome, panel = calibrated(cli, one)
    assert (outcome.code, panel.exists()) == (2, False)
    assert outcome.err.startswith("error: too few measurements: 30 real numbers")
    small = simulated(cli, tmp_path / "small.npz", 1, nx=4)
    outcome = cli("calibrate", scenes, small, "--steering", "canonical", "--out", panel)
    assert (outcome.code, panel.exists()) == (2, False)
    without_truth(scenes)
    outcome, panel = calibrated(cli, scenes)
    assert (outcome.code, panel.exists()) == (2, False)
    assert outcome.err.startswith(f"error: {scenes}: this recording has no truth\n")


def test_an_existing_calibration_is_replaced_only_when_told(cli, scenes):
    panel = scenes.parent / "panel.npz"
    panel.write_bytes(b"precious")
    outcome, _ = calibrated(cli, scenes)
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: {panel} exists already\nhint: ")
    assert panel.read_bytes() == b"precious"
    assert calibrated(cli, scenes, "--force")[0].code == 0
    assert read_calibration(panel).scenes == 24
    outcome = cli("calibrate", scenes, "--out", panel.with_suffix(".txt"))
    assert (outcome.code, outcome.out) == (2, "")


def test_a_recording_is_not_replaced_by_its_calibration(cli, scenes):
    before = scenes.read_bytes()
    for out in (scenes, scenes.parent / "more" / ".." / scenes.name):
        outcome = cli("calibrate", scenes, "--steering", "canonical", "--out", out, "--force")
        assert outcome.code == 2
        assert "would replace a recording" in outcome.err
    assert scenes.read_bytes() == before


def test_scenes_count_once(cli, scenes):
    outcome, panel = calibrated(cli, scenes, scenes)
    assert (outcome.code, panel.exists()) == (2, False)
    assert outcome.err.startswith(f"error: {scenes} is given twice\nhint: ")


def test_a_place_that_cannot_be_written_is_found_before_the_work(cli, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.npz").mkdir()
    for out, words in (
        (tmp_path / "file" / "panel.npz", "is a file"),
        (tmp_path / "folder.npz", "is a directory"),
        (".", "is a directory"),
    ):
        outcome = cli("calibrate", "no-such-scenes.npz", "--out", out, "--force")
        assert outcome.code == 2
        assert words in outcome.err


def test_estimate_refuses_what_is_no_calibration_of_the_array(cli, scenes, tmp_path):
    _, panel = calibrated(cli, scenes)
    other = simulated(cli, tmp_path / "other.npz", 1, scenes=1, nx=4)
    for file, words in ((panel, "25 elements, got 20"), (other, "risdoa-calibration/1")):
        outcome = cli("estimate", other, "--calibration", file)
        assert (outcome.code, outcome.out) == (2, "")
        assert words in outcome.err
        assert len(outcome.err.splitlines()) == 2


def test_compare_has_every_method_told_the_calibrated_array_too(cli, scenes):
    _, panel = calibrated(cli, scenes, "--position", "0.02")
    settings = [f"--set=miscalibrated.{name}={value}" for name, value in ERRORS.items()]
    words = ["--snr", "30", "--trials", "20", "--method", "ml=none:nf-mle", *settings]
    outcome = cli(
        "compare", "--scenario", "miscalibrated", *words, "--calibration", panel, "--json"
    )
    assert outcome.code == 0, outcome.err
    content = json.loads(outcome.out)
    assert f"--calibration {panel}" in content["meta"]["command"]
    rmse = {
        row["method"]: row["rmse_inliers"]
        for row in content["rows"]
        if row["coordinate"] == "azimuth"
    }
    assert list(rmse) == ["ml", "ml calibrated"]
    assert 2 * rmse["ml calibrated"] < rmse["ml"]


def test_compare_refuses_another_array_before_the_work_and_names_another_model(
    cli, scenes, monkeypatch
):
    _, panel = calibrated(cli, scenes)
    words = ["compare", "--trials", "2", "--snr", "20", "--calibration", panel]
    with monkeypatch.context() as patch:
        patch.setattr("risdoa.pipeline.Chain.__call__", None)
        outcome = cli(*words, "--method", "none:omp")
    assert (outcome.code, outcome.out) == (2, "")
    assert "25 elements, got 144" in outcome.err
    settings = [f"--set=miscalibrated.{name}={value}" for name, value in ERRORS.items()]
    pair = ["--method", "a=none:omp", "--method", "b=none:omp@plane-wave"]
    outcome = cli(*words, "--scenario", "miscalibrated", *settings, *pair)
    assert outcome.code == 0
    text = "warning: b: calibrated with canonical steering, estimated with plane-wave\n"
    assert outcome.err == text
