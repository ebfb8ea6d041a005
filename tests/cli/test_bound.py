"""``risdoa bound``: scenarios, recordings and wrong use, from the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from risdoa.recordings import sample_path

SMALL = ["--set", "canonical.nx=6", "--set", "canonical.ny=6", "--set", "canonical.outputs=8"]
POINTS = ["canonical", *SMALL, "--scenes", "6"]
NAMES = ["azimuth_deg", "elevation_deg", "range_m", "inverse_range_per_m", "position_m"]


@pytest.fixture
def recording(cli, tmp_path):
    """Return a small simulated file."""
    out = tmp_path / "scenes.npz"
    assert (
        cli("simulate", "--scenes", 3, "--sources", 2, "--snr", 15, *SMALL, "--out", out).code == 0
    )
    return out


def test_json_has_a_point_for_every_snr_and_number_of_sources(cli):
    outcome = cli("bound", *POINTS, "--snr", "0,20", "--sources", "1,2", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(outcome.out)
    assert content["schema"] == "risdoa.bound/1"
    points = content["points"]
    assert [(each["sources"], each["snr_db"]) for each in points] == [
        (1, 0.0), (1, 20.0), (2, 0.0), (2, 20.0),
    ]  # fmt: skip
    for each in points:
        assert list(each["median"]) == NAMES
        assert each["lower_quartile"]["range_m"] <= each["median"]["range_m"]
    assert points[1]["median"]["azimuth_deg"] < points[0]["median"]["azimuth_deg"]


def test_the_table_fits_and_says_what_it_is(cli):
    outcome = cli("bound", *POINTS)
    assert outcome.code == 0
    assert all(len(line) <= 80 for line in outcome.out.splitlines())
    assert "6 scenes a point, stochastic bound, canonical steering" in outcome.out


def test_shared_signals_have_the_deterministic_bound(cli):
    small = [word.replace("canonical", "static") for word in POINTS]
    assert "deterministic bound" in cli("bound", *small).out


def test_what_is_known_is_shown_as_such_and_helps(cli):
    free = json.loads(cli("bound", *POINTS, "--snr", "10", "--json").out)["points"][0]
    told = ["--known", "range,noise"]
    held = json.loads(cli("bound", *POINTS, "--snr", "10", *told, "--json").out)["points"][0]
    assert held["median"]["range_m"] == 0.0
    assert held["median"]["azimuth_deg"] < free["median"]["azimuth_deg"]
    table = cli("bound", *POINTS, "--snr", "10", *told).out
    assert "=" in [word for line in table.splitlines() for word in line.split()]


def test_a_recording_has_a_line_a_scene(cli, recording):
    content = json.loads(cli("bound", recording, "--json").out)
    assert content["steering"] == "canonical"
    assert [list(each) for each in content["scenes"]] == [["sources", *NAMES]] * 3
    assert content["notes"] == [
        "the signals and powers of the sources are estimated at the true positions"
    ]
    table = cli("bound", recording, "--steering", "plane-wave")
    assert table.code == 0
    assert "plane-wave steering" in table.out
    assert all(len(line) <= 80 for line in table.out.splitlines())


def test_a_measured_recording_says_that_its_noise_is_estimated(cli):
    outcome = cli("bound", sample_path(), "--json")
    assert outcome.code == 0
    content = json.loads(outcome.out)
    assert "the noise power is estimated at the true positions" in content["notes"]
    assert all(0 < each["azimuth_deg"] < 5 for each in content["scenes"])


WRONG = ["--estimation", "canonical"]


def test_a_wrong_model_has_bias_and_spread(cli):
    small = [word.replace("canonical", "spherical-data") for word in POINTS]
    outcome = cli("bound", *small, *WRONG, "--snr", "10", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(outcome.out)
    assert (content["steering"], content["estimation"]) == ("spherical", "canonical")
    median = content["points"][0]["median"]
    assert list(median) == ["bias", "spread", "sqrt_crb", "bias_over_sqrt_crb"]
    assert median["bias"]["range_m"] > 0
    table = cli("bound", *small, *WRONG, "--snr", "10").out
    assert all(len(line) <= 80 for line in table.splitlines())
    assert "data: spherical; estimation: canonical" in table


def test_a_wrong_model_of_a_recording_has_signed_figures(cli, recording):
    words = [recording, "--steering", "spherical", *WRONG]
    scenes = json.loads(cli("bound", *words, "--json").out)["scenes"]
    biases = [source["bias"]["azimuth_deg"] for each in scenes for source in each["sources"]]
    assert len(biases) == 6
    assert min(biases) < 0 < max(biases)
    table = cli("bound", *words).out
    assert all(len(line) <= 80 for line in table.splitlines())
    assert "2.1" in table


def test_a_threshold_goes_from_no_information_to_the_bound(cli):
    words = [*POINTS, "--threshold", "--snr=-50,25"]
    outcome = cli("bound", *words, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    low, high = json.loads(outcome.out)["points"]
    assert low["outlier_rate"] > 0.8
    assert high["outlier_rate"] < 0.01
    assert low["likelihood"] == "stochastic"
    assert low["rmse"]["azimuth_deg"] > 20 * high["rmse"]["azimuth_deg"]
    table = cli("bound", *words, "--bound", "deterministic").out
    assert "conditional" in table
    assert "no information" in table
    assert all(len(line) <= 80 for line in table.splitlines())


def test_a_recording_without_truth_has_no_bound(cli, recording, tmp_path):
    with np.load(recording) as fields:
        kept = {name: fields[name] for name in fields.files if name != "truth_deg_m"}
    bare = tmp_path / "bare.npz"
    np.savez(bare, **kept)
    outcome = cli("bound", bare)
    assert outcome.code == 2
    assert "no truth" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["canonicl"], "canonical"),
        (["canonical", "--known", "colour"], "colour"),
        (["canonical", "--scenes", "0"], "scenes"),
        (["canonical", "--sources", "9"], "impossible number of sources 9"),
        (["canonical", "--set", "music.zoom=2"], "music"),
        (["canonical", "--steering", "spheric"], "spherical"),
        (["static", "--bound", "stochastic"], "fresh"),
        (["canonical", *WRONG, "--known", "range"], "--known"),
        (["canonical", *WRONG, "--bound", "stochastic"], "--bound stochastic"),
        (["canonical", "--threshold", "--sources", "2"], "number of sources"),
        (["canonical", "--threshold", *WRONG], "--estimation"),
        (["static", "--threshold"], "fresh source signal"),
        (["nowhere.npz", "--threshold"], "a file"),
        (["nowhere.npz"], "nowhere.npz"),
        (["nowhere.npz", "--seed", "1"], "--seed is for a scenario"),
        (["nowhere.npz", "--snr", "1"], "--snr is for a scenario"),
    ],
)
def test_wrong_requests_end_in_two_lines_and_code_2(arguments, words, cli):
    outcome = cli("bound", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err
    assert [line.split(":")[0] for line in outcome.err.splitlines()] == ["error", "hint"]
