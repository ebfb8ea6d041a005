"""``risdoa bench bias``: from the command line."""

from __future__ import annotations

import json

import pytest

SMALL = ["--set", "spherical-data.nx=4", "--set", "spherical-data.ny=4", "--draws", "2"]


def test_every_place_has_a_row(cli):
    outcome = cli("bench", "bias", *SMALL, "--ranges", "1,2", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(outcome.out)
    assert content["schema"] == "risdoa.bias/1"
    assert (content["data_model"], content["estimation_model"]) == ("spherical", "canonical")
    assert [place["range_m"] for place in content["places"]] == [1.0] * 5 + [2.0] * 5


def test_the_table_fits_and_names_the_models(cli):
    outcome = cli("bench", "bias", *SMALL, "--ranges", "2")
    assert outcome.code == 0
    assert all(len(line) <= 80 for line in outcome.out.splitlines())
    assert "data: spherical; search: canonical; polish: spherical" in outcome.out
    assert "largest |bias|" in outcome.out


def test_what_was_kept_is_of_the_same_measurement(cli, tmp_path):
    call = ["bench", "bias", *SMALL, "--ranges", "2", "--out", str(tmp_path), "--json"]
    first = cli(*call)
    assert first.code == 0
    assert len((tmp_path / "bias.jsonl").read_text().splitlines()) == 6
    assert cli(*call).out == first.out
    other = cli(*call, "--seed", "1")
    assert (other.code, "another setup" in other.err) == (2, True)


@pytest.mark.parametrize("wrong", [["--ranges", "0"], ["--draws", "0"], ["--set", "music.zoom=2"]])
def test_wrong_use_is_refused(cli, wrong):
    outcome = cli("bench", "bias", *wrong)
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")


def test_a_place_without_inliers_has_no_bias(cli):
    small = ["--set", "spherical-data.nx=2", "--set", "spherical-data.ny=2"]
    small += ["--set", "spherical-data.snapshots=4"]
    points = ["--draws", "1", "--ranges", "5", "--snr", "-40"]
    outcome = cli("bench", "bias", *small, *points, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    places = json.loads(outcome.out)["places"]
    lost = [place for place in places if place["outliers"] == place["draws"]]
    assert lost
    assert all(place["polished"]["azimuth_deg"] is None for place in lost)
    assert cli("bench", "bias", *small, *points).code == 0
