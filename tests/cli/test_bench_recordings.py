"""``risdoa bench recordings``: from the command line, on simulated and measured recordings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from risdoa.recordings import sample_path

DATA = Path(__file__).parents[3] / "shared" / "data"
FREE = {
    "fullwave_isolated_12x12": ["azimuth", "elevation", "range"],
    "measured_microphones_pyramic": ["azimuth", "elevation"],
    "measured_rfid_line_aperture": ["azimuth", "range"],
    "measured_ris_tx120": ["azimuth"],
    "measured_ultrasound_18": ["azimuth", "range"],
    "raytraced_street_canyon": ["azimuth", "elevation", "range"],
}


@pytest.fixture
def simulated(cli, tmp_path):
    path = tmp_path / "scenes.npz"
    options = ["--scenario", "digital", "--set", "digital.nx=6", "--set", "digital.ny=6"]
    cli("simulate", *options, "--scenes", "4", "--sources", "2", "--snr", "25", "--out", path)
    return path


def test_errors_stand_beside_error_bars(cli, simulated):
    outcome = cli("bench", "recordings", simulated, "--steering", "canonical", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(outcome.out)
    assert content["schema"] == "risdoa.recordings/1"
    rows = content["rows"]
    assert [row["coordinate"] for row in rows] == ["azimuth", "elevation", "range"]
    for row in rows:
        assert (row["file"], row["scenes"], row["sources"]) == ("scenes.npz", 4, 8)
        assert 0 < row["median"] <= row["worst"]
        assert row["std"] > 0
        assert row["unobservable"] == 0
    # Eight errors of a few tenths of their error bars to a few times them.
    assert all(row["std"] / 10 < row["median"] < 10 * row["std"] for row in rows[:2])


def test_what_the_model_does_not_see_is_flagged(cli, simulated):
    outcome = cli("bench", "recordings", simulated, "--steering", "plane-wave", "--json")
    assert [row["unobservable"] for row in json.loads(outcome.out)["rows"]] == [0, 0, 8]


def test_the_table_fits(cli, simulated):
    outcome = cli("bench", "recordings", simulated, sample_path())
    assert outcome.code == 0
    assert all(len(line) <= 80 for line in outcome.out.splitlines())
    assert "none:nf-mle@spherical" in outcome.out


def test_a_missing_file_is_refused(cli, tmp_path):
    outcome = cli("bench", "recordings", tmp_path / "nothing.npz")
    assert outcome.code == 2


def test_every_recording_beside_the_checkout_has_error_bars(cli):
    """The figures themselves are held by ``test_recordings_of_shared``."""
    files = [DATA / f"{name}.npz" for name in FREE]
    if not all(file.exists() for file in files):
        pytest.skip("the recordings do not lie beside this checkout")
    outcome = cli("bench", "recordings", *files, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    rows = json.loads(outcome.out)["rows"]
    found = {name: [r["coordinate"] for r in rows if r["file"] == f"{name}.npz"] for name in FREE}
    assert found == FREE
    for row in rows:
        assert row["median"] is not None
        assert row["std"] > 0
        assert row["unobservable"] == 0
