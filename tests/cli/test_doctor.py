"""``risdoa doctor``: the installation, scenarios and recordings, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from risdoa.diagnosis import installation
from risdoa.recordings import recording_from, sample_path, write_recording
from tests.cli.test_estimate import refused
from tests.estimation.scenes import scene

SMALL = ["--set", "digital.nx=6", "--set", "digital.ny=6", "--set", "digital.snapshots=4"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A recording with truth, of an array that is read directly."""
    path = tmp_path_factory.mktemp("recordings") / "scenes.npz"
    made = scene(2, scenes=2, direct=True, snr_db=20.0)
    write_recording(path, recording_from(made.problem, made.truth, steering="spherical"))
    return path


@pytest.fixture
def alone(monkeypatch):
    """No plugins but risdoa's own."""
    monkeypatch.setenv("RISDOA_PLUGINS_ALLOW", "")


def statuses(printed):
    return {each["check"]: each["status"] for each in printed["checks"]}


def test_the_installation(cli, alone):
    outcome = cli("doctor")
    assert (outcome.code, outcome.err) == (0, "")
    lines = [line for line in outcome.out.splitlines() if not line.startswith("    -> ")]
    assert all(line.startswith(("[ok] ", "[warn] ")) for line in lines)
    for check in ("python", "torch", "plugins", "sample-recording", "estimate", "determinism"):
        assert f" {check}: " in outcome.out


def test_an_installation_that_fails_ends_with_3_and_has_been_told(cli, alone, monkeypatch):
    monkeypatch.setattr(installation, "ACCURATE_DEG", 0.0)
    outcome = cli("doctor", "--json")
    assert outcome.code == 3
    printed = json.loads(outcome.out)
    assert (printed["schema"], printed["subject"]) == ("risdoa.doctor/1", "installation")
    assert statuses(printed)["estimate"] == "fail"
    error, hint = outcome.err.splitlines()
    assert error.startswith("error: 1 of ")
    assert "estimate" in error
    assert hint.startswith("hint: ")


def test_a_scenario(cli, alone):
    outcome = cli("doctor", "digital", *SMALL)
    assert (outcome.code, outcome.err) == (0, "")
    assert "bias of canonical against spherical" in outcome.out
    for check in ("near-field", "grating-lobes", "mirror", "sign", "origin", "scale"):
        assert f" {check}: " in outcome.out
    assert all(len(line) <= 80 for line in outcome.out.splitlines() if "[" not in line[:1])


def test_a_scenario_as_json_twice_the_same(cli, alone):
    first, second = (cli("doctor", "digital", *SMALL, "--json") for _ in range(2))
    assert first.code == 0
    assert first.out == second.out
    printed = json.loads(first.out)
    assert printed["steering"] == "canonical"
    assert printed["geometry"]["elements"] == 36
    assert len(printed["cost"]["bands"]) == 4
    assert printed["cost"]["overall"]["worst_over_sqrt_crb"]["azimuth"] > 1
    exact = json.loads(cli("doctor", "digital", *SMALL, "--steering", "spherical", "--json").out)
    assert exact["cost"]["overall"]["worst_over_sqrt_crb"]["azimuth"] < 1e-3
    assert statuses(exact)["steering-model"] == "ok"


def test_a_recording(cli, alone, file):
    outcome = cli("doctor", file, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    printed = json.loads(outcome.out)
    assert (printed["subject"], printed["steering"]) == ("recording", "spherical")
    assert printed["scenes"] == 2
    assert statuses(printed)["sign"] == "ok"
    table = cli("doctor", file, "--steering", "canonical")
    assert table.code == 0
    assert "bias of canonical against spherical" in " ".join(table.out.split())


def test_a_broken_recording_ends_with_3(cli, alone, file, tmp_path):
    with np.load(file) as archive:
        content = dict(archive)
    content["snapshots"] = content["snapshots"].conj()
    np.savez(tmp_path / "conjugated.npz", **content)
    outcome = cli("doctor", tmp_path / "conjugated.npz")
    assert outcome.code == 3
    assert "[fail] sign: " in outcome.out
    assert outcome.err.startswith("error: 1 of ")


def test_the_sample_recording_is_sound(cli, alone):
    printed = json.loads(cli("doctor", sample_path(), "--sources", 1, "--json").out)
    assert "fail" not in statuses(printed).values()
    assert printed["geometry"]["shape"] == "three-dimensional"


WRONG = {
    "unknown scenario": (["canonicle"], "canonicle"),
    "missing file": (["missing.npz"], "missing.npz"),
    "unknown steering": (["canonical", "--steering", "sperical"], "sperical"),
    "no sources": (["canonical", "--sources", "0"], "--sources"),
    "too many sources": (["canonical", "--sources", "9"], "impossible number of sources 9"),
    "sources of the installation": (["--sources", "1"], "SCENARIO or a FILE"),
    "steering of the installation": (["--steering", "canonical"], "SCENARIO or a FILE"),
    "settings of the installation": (["--set", "canonical.nx=4"], "SCENARIO or a FILE"),
    "setting that is not in use": (["canonical", "--set", "music.density=2"], "music"),
    "impossible option": (["digital", "--set", "digital.nx=0"], "positive sizes"),
    "unknown option": (["canonical", "--steer", "canonical"], "--steer"),
    "two targets": (["canonical", "digital"], "digital"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_requests(cli, alone, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, words = WRONG[name]
    refused(cli("doctor", *arguments, "--json"), words)


def test_recordings_that_cannot_be_diagnosed(cli, alone, file, tmp_path):
    (tmp_path / "cut.npz").write_bytes(file.read_bytes()[:1000])
    refused(cli("doctor", tmp_path / "cut.npz"), "cut.npz")
    refused(cli("doctor", file, "--sources", 40), "impossible number of sources 40")
    refused(cli("doctor", sample_path(), "--steering", "canonical"), "x-y plane")
    with np.load(file) as archive:
        content = {key: value for key, value in archive.items() if key != "sources"}
    np.savez(tmp_path / "unknown.npz", **content)
    refused(cli("doctor", tmp_path / "unknown.npz"), "number of sources is not known")
