"""``risdoa estimate``: positions out, or two lines that say what is wrong."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import risdoa
from risdoa.recordings import FORMAT, recording_from, sample_path, write_recording
from tests.draws import normal
from tests.estimation.scenes import scene

KEYS = ["azimuth_deg", "elevation_deg", "range_m"]
REMOVED = object()


@pytest.fixture(scope="module")
def known():
    return scene(2, scenes=2, snr_db=20.0)


@pytest.fixture(scope="module")
def file(tmp_path_factory, known):
    """A surface recording with truth: two scenes of two sources."""
    path = tmp_path_factory.mktemp("recordings") / "scenes.npz"
    write_recording(path, recording_from(known.problem, known.truth))
    return path


@pytest.fixture
def changed(tmp_path, file):
    """Write the recording with some fields changed or removed."""

    def write(**fields):
        with np.load(file) as archive:
            content = {**dict(archive), **fields}
        path = tmp_path / "changed.npz"
        np.savez(path, **{key: value for key, value in content.items() if value is not REMOVED})
        return path

    return write


def refused(outcome, *words):
    """Check that a command ended as one does on wrong input."""
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert len(lines) == 2, outcome.err
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("hint: ")
    assert len(lines[1]) > len("hint: ")
    assert "Traceback" not in outcome.err
    for word in words:
        assert word in outcome.err


def test_a_table_with_the_distance_to_the_truth(cli, file):
    outcome = cli("estimate", file)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("none:nf-mle@spherical")
    assert sum("yes" in line for line in lines) == 4
    assert lines[-4].startswith("off the truth in the file")
    for line, axis in zip(lines[-3:], ("azimuth", "elevation", "range"), strict=True):
        assert line.strip().startswith(axis)


def test_json_is_as_documented_and_that_of_the_library(cli, file):
    outcome = cli("estimate", file, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    printed = json.loads(outcome.out)
    assert printed["schema"] == "risdoa.estimate/1"
    assert [len(each["sources"]) for each in printed["scenes"]] == [2, 2]
    for each in printed["scenes"]:
        assert each["converged"] is True
        for source in each["sources"]:
            assert all(math.isfinite(source[key]) for key in KEYS)
            assert -180 <= source["azimuth_deg"] <= 180
            assert source["range_m"] > 0
            assert "unobservable" not in source
    assert printed == risdoa.estimate(file).to_json()


def test_json_is_all_that_stdout_holds_even_with_a_picture(cli, file, tmp_path):
    picture = tmp_path / "result.png"
    outcome = cli("estimate", file, "--json", "--backend", "music", "--plot", picture)
    assert outcome.code == 0
    assert json.loads(outcome.out)["schema"] == "risdoa.estimate/1"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [picture]


def test_what_simulate_writes_is_what_estimate_reads(cli, tmp_path):
    path = tmp_path / "digital.npz"
    settings = ["--set", "digital.nx=6", "--set", "digital.ny=6"]
    common = ["--scenes", 2, "--sources", 1, "--snr", 30, "--seed", 3, "--out", path]
    assert cli("simulate", "--scenario", "digital", *settings, *common).code == 0
    outcome = cli("estimate", path, "--steering", "canonical", "--json")
    assert outcome.code == 0
    with np.load(path) as archive:
        truth = archive["truth_deg_m"][:, 0]
    for each, place in zip(json.loads(outcome.out)["scenes"], truth, strict=True):
        source = each["sources"][0]
        # 30 dB an element, 36 elements, 16 snapshots: 0.05° at broadside, twice that at 60°
        assert source["azimuth_deg"] == pytest.approx(place[0], abs=0.5)
        assert source["elevation_deg"] == pytest.approx(place[1], abs=0.5)


def test_sources_and_region_may_replace_those_of_the_file(cli, file):
    region = "azimuth=-40:-20, elevation=0:10,range=1.5:1.5"
    outcome = cli("estimate", file, "--sources", 1, "--region", region, "--json")
    assert outcome.code == 0, outcome.err
    for each in json.loads(outcome.out)["scenes"]:
        assert len(each["sources"]) == 1
        source = each["sources"][0]
        assert -40 - 1e-9 <= source["azimuth_deg"] <= -20 + 1e-9
        assert -1e-9 <= source["elevation_deg"] <= 10 + 1e-9
        assert source["range_m"] == 1.5
        assert source["std"]["range_m"] == 0


def test_sources_are_counted_where_that_is_asked_for(cli, changed):
    with np.load(changed()) as archive:
        first = archive["snapshots"][:1]
    noise = normal(first.shape, 3).numpy()
    path = changed(sources=REMOVED, snapshots=np.concatenate((first, noise)))
    content = json.loads(cli("estimate", path, "--sources", "auto", "--json").out)
    assert [len(scene["sources"]) for scene in content["scenes"]] == [2, 0]
    notes = " ".join(content["notes"])
    assert "1% false alarms" in notes
    assert "no source found above the noise in 1 of 2 scenes" in notes
    table = cli("estimate", path, "--sources", "auto")
    assert table.code == 0, table.err


def test_a_region_of_one_axis_keeps_the_others(cli, file):
    first = cli("estimate", file, "--region", "range=0.5:10", "--json")
    assert json.loads(first.out) == json.loads(cli("estimate", file, "--json").out)


def test_what_cannot_be_observed_is_named_and_finite(cli, file):
    outcome = cli("estimate", file, "--steering", "plane-wave", "--json")
    assert outcome.code == 0, outcome.err
    for each in json.loads(outcome.out)["scenes"]:
        for source in each["sources"]:
            assert source["unobservable"] == ["range"]
            assert all(math.isfinite(source[key]) for key in KEYS)
            assert all(math.isfinite(source["std"][key]) for key in KEYS)


def test_a_line_of_elements_with_a_free_elevation(cli, tmp_path):
    array = risdoa.Array.linear(16, 0.3)
    line = scene(1, scenes=2, array=array, direct=True, snr_db=20.0)
    write_recording(tmp_path / "line.npz", recording_from(line.problem))
    outcome = cli("estimate", tmp_path / "line.npz", "--json")
    assert outcome.code == 0, outcome.err
    for each in json.loads(outcome.out)["scenes"]:
        assert "elevation" in each["sources"][0]["unobservable"]


def test_static_sources_and_one_output_say_that_there_was_no_covariance(cli, tmp_path):
    one = scene(1, outputs=1, snapshots=16, blocks=[0] * 16, snr_db=30.0)
    write_recording(tmp_path / "static.npz", recording_from(one.problem))
    outcome = cli("estimate", tmp_path / "static.npz", "--backend", "music,newton", "--json")
    assert outcome.code == 0
    notes = json.loads(outcome.out)["notes"]
    assert sum("no covariance" in note for note in notes) == 2
    table = cli("estimate", tmp_path / "static.npz", "--backend", "music,newton")
    assert table.out.count("note: ") == len(notes)


def test_options_of_the_backends(cli, file):
    outcome = cli(
        "estimate",
        file,
        "--backend",
        "risdoa/nf-mle",
        "--set",
        "nf-mle.likelihood=conditional",
        "--set",
        "risdoa/nf-mle.iterations=40",
        "--json",
    )
    assert outcome.code == 0, outcome.err


FIELDS = {
    "NaN snapshots": ({"snapshots": "spoilt"}, "snapshots must be finite"),
    "wrong M": ({"snapshots": np.ones((2, 8, 5), dtype=complex)}, "M = 5"),
    "wrong M without a channel": (
        {"channel": REMOVED, "codes": REMOVED},
        "36 outputs, one per element, got 8",
    ),
    "missing snapshots": ({"snapshots": REMOVED}, "missing field snapshots"),
    "missing codes": ({"codes": REMOVED}, "missing field codes"),
    "missing positions": ({"positions_m": REMOVED}, "missing field positions_m"),
    "missing wavelength": ({"wavelength_m": REMOVED}, "missing field wavelength_m"),
    "another format": ({"format": "other/1"}, "format must be"),
    "no scenes": ({"snapshots": np.ones((0, 8, 8), dtype=complex)}, "got (0, 8, 8)"),
    "no sources": ({"sources": np.array([0, 1])}, "impossible number of sources 0"),
    "too many sources": ({"sources": np.array([40, 1])}, "impossible number of sources 40"),
    "range 0": (
        {"region_deg_m": np.array([[-60.0, 60], [-30, 30], [0, 10]])},
        "ranges must be positive",
    ),
    "true range 0": ({"truth_deg_m": np.zeros((2, 2, 3))}, "positive ranges"),
    "unknown sources": ({"sources": REMOVED}, "number of sources is not known"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_wrong_recordings(cli, changed, file, name):
    fields, words = FIELDS[name]
    if fields.get("snapshots") is not None and isinstance(fields["snapshots"], str):
        with np.load(file) as archive:
            values = archive["snapshots"]
        values[0, 0, 0] = np.nan
        fields = {"snapshots": values}
    refused(cli("estimate", changed(**fields)), words)


def test_damaged_and_missing_files(cli, tmp_path, file):
    (tmp_path / "cut.npz").write_bytes(file.read_bytes()[:1000])
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.npz").write_text("azimuth,elevation\n")
    for name in ("cut.npz", "empty.npz", "text.npz", "missing.npz"):
        refused(cli("estimate", tmp_path / name, "--sources", 1), name)
    refused(cli("estimate", tmp_path))


WRONG = {
    "impossible K": (["--sources", "0"], "--sources"),
    "negative K": (["--sources", "-1"], "--sources"),
    "too large K": (["--sources", "36"], "impossible number of sources 36"),
    "K is no number": (["--sources", "two"], "'two'"),
    "unknown backend": (["--backend", "musik"], "musik"),
    "unknown backend in a chain": (["--backend", "music,newtown"], "newtown"),
    "empty backend": (["--backend", "music,,newton"], "empty name"),
    "unknown steering": (["--steering", "sperical"], "sperical"),
    "unknown model": (["--model", "simple"], "simple"),
    "unknown option": (["--bakend", "music"], "--bakend"),
    "unknown plugin option": (["--set", "nf-mle.densty=2"], "densty"),
    "plugin that is not in use": (["--backend", "music", "--set", "newton.iterations=2"], "newton"),
    "plugin option of a wrong kind": (["--set", "nf-mle.density=lots"], "density"),
    "impossible plugin option": (["--set", "nf-mle.density=-1"], "density > 0"),
    "setting without a value": (["--set", "music.density"], "PLUGIN.OPTION=VALUE"),
    "likelihood that nobody knows": (["--set", "nf-mle.likelihood=best"], "likelihood"),
    "range 0": (["--region", "range=0:5"], "ranges must be positive"),
    "negative range": (["--region", "range=-1:5"], "ranges must be positive"),
    "region the wrong way round": (["--region", "azimuth=10:-10"], "lower bound"),
    "region beyond the sphere": (["--region", "azimuth=-200:10"], "180"),
    "region of an unknown axis": (["--region", "azimut=0:1"], "azimut=0:1"),
    "region without bounds": (["--region", "azimuth"], "AXIS=LOW:HIGH"),
    "region of words": (["--region", "azimuth=low:high"], "'low'"),
    "region that is not finite": (["--region", "range=1:inf"], "'inf'"),
    "learned model without weights": (["--model", "hybrid"], "checkpoint"),
    "checkpoint that is not there": (["--checkpoint", "nowhere"], "nowhere"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_requests_print_and_write_nothing(cli, file, tmp_path, name):
    options, words = WRONG[name]
    picture = tmp_path / "result.png"
    refused(cli("estimate", file, *options, "--plot", picture, "--json"), words)
    assert list(tmp_path.iterdir()) == []


def test_likelihoods_that_do_not_fit_the_data(cli, tmp_path):
    static = scene(1, blocks=[0] * 8)
    write_recording(tmp_path / "static.npz", recording_from(static.problem))
    refused(
        cli("estimate", tmp_path / "static.npz", "--set", "nf-mle.likelihood=stochastic"),
        "fresh source signal",
    )
    crowded = scene(2, outputs=2, snapshots=12)
    write_recording(tmp_path / "crowded.npz", recording_from(crowded.problem))
    refused(
        cli("estimate", tmp_path / "crowded.npz", "--set", "nf-mle.likelihood=conditional"),
        "more than 2 outputs",
    )


def test_a_steering_model_that_does_not_hold_for_the_array(cli):
    refused(cli("estimate", sample_path(), "--steering", "canonical", "--sources", 1), "x-y plane")


def test_a_picture_of_an_unknown_kind(cli, file, tmp_path):
    options = ["--backend", "music", "--plot", tmp_path / "result.docx", "--json"]
    refused(cli("estimate", file, *options), "result.docx")
    assert list(tmp_path.iterdir()) == []


def test_no_file_at_all(cli):
    refused(cli("estimate"), "FILE")


def test_as_a_command_of_its_own(python, file, tmp_path):
    """Once in a process: stdout is data, stderr talk, and the exit codes are those in process."""
    good = python("-m", "risdoa", "estimate", file, "--backend", "music", "--json")
    assert (good.code, good.err) == (0, "")
    assert json.loads(good.out)["schema"] == "risdoa.estimate/1"
    np.savez(tmp_path / "bad.npz", format=FORMAT)
    refused(python("-m", "risdoa", "estimate", tmp_path / "bad.npz"), "missing field")
