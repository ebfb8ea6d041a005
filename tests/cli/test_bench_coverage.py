"""``risdoa bench coverage``: from the command line."""

from __future__ import annotations

import json

import pytest

SMALL = ["--scenario", "digital", "--set", "digital.nx=4", "--set", "digital.ny=4"]
POINTS = ["--snr", "10,20", "--sources", "1,2", "--trials", "6"]


def test_every_point_has_a_row(cli):
    outcome = cli("bench", "coverage", *SMALL, *POINTS, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(outcome.out)
    assert content["schema"] == "risdoa.coverage/1"
    assert content["level"] == 0.9
    points = content["points"]
    assert [(each["sources"], each["snr_db"]) for each in points] == [
        (1, 10.0), (1, 20.0), (2, 10.0), (2, 20.0),
    ]  # fmt: skip
    assert all(0 < each["counted"] <= 12 for each in points)


def test_a_higher_level_covers_more(cli):
    rates = []
    for level in ("0.01", "0.999"):
        outcome = cli("bench", "coverage", *SMALL, *POINTS, "--level", level, "--json")
        rates.append([each["coverage"] for each in json.loads(outcome.out)["points"]])
    assert sum(rates[0]) < sum(rates[1])


def test_the_table_fits(cli):
    outcome = cli("bench", "coverage", *SMALL, *POINTS)
    assert outcome.code == 0
    assert all(len(line) <= 80 for line in outcome.out.splitlines())
    assert "data: canonical; estimation: canonical" in outcome.out


@pytest.mark.parametrize("wrong", [["--level", "1"], ["--set", "music.zoom=2"], ["--trials", "0"]])
def test_wrong_use_is_refused(cli, wrong):
    outcome = cli("bench", "coverage", *SMALL, *wrong)
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
