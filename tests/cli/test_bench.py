"""``risdoa bench``: from the command line."""

from __future__ import annotations

import json

import pytest
import torch

from risdoa.benchmarks.simulation import simulation_speed
from risdoa.benchmarks.threads import threads
from risdoa.scenarios.base import Scenario
from risdoa.scenarios.canonical import Canonical

SMALL = ["--scenario", "digital", "--set", "digital.nx=4", "--set", "digital.ny=4"]
POINTS = ["--snr", "0,20", "--sources", "1,2", "--trials", "4"]


def test_the_search_is_counted_at_every_point(cli):
    outcome = cli("bench", "search", *SMALL, *POINTS, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(outcome.out)
    assert content["schema"] == "risdoa.bench-search/1"
    points = content["points"]
    assert [(each["sources"], each["snr_db"]) for each in points] == [
        (1, 0.0), (1, 20.0), (2, 0.0), (2, 20.0),
    ]  # fmt: skip
    assert all(each["scenes"] == 4 and 0 <= each["failures"] <= 4 for each in points)
    assert points[1]["failures"] == points[1]["outliers"] == 0


def test_the_table_fits(cli):
    outcome = cli("bench", "search", *SMALL, *POINTS)
    assert outcome.code == 0
    assert all(len(line) <= 80 for line in outcome.out.splitlines())
    assert "failed %" in outcome.out


def test_a_search_that_stops_at_once_fails(cli):
    """One peak and no second thoughts, at low SNR: the count can tell."""
    hasty = ["--set", "nf-mle.starts=1", "--set", "nf-mle.kept=1", "--set", "nf-mle.sweeps=0"]
    points = ["--snr", "0", "--sources", "3", "--trials", "20"]
    content = json.loads(cli("bench", "search", *points, *hasty, "--json").out)
    assert content["points"][0]["failures"] >= 2


@pytest.mark.parametrize("wrong", [["--set", "music.zoom=2"], ["--trials", "0"], ["--snr", "loud"]])
def test_wrong_use_is_refused(cli, wrong):
    outcome = cli("bench", "search", *SMALL, *wrong)
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")


@pytest.mark.parametrize("scenario", ["canonical", "digital"])
def test_simulation_is_timed_with_its_parts(cli, scenario):
    small = ["--scenario", scenario, "--scenes", "3", "--repeats", "1"]
    outcome = cli("bench", "simulate", *small, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(outcome.out)
    assert content["schema"] == "risdoa.bench-simulate/1"
    first = content["runs"][0]
    assert (first["threads"], first["scenes"]) == (1, 3)
    assert first["rate"] == pytest.approx(3 / first["seconds"])
    assert all(first[part] > 0 for part in ("processor", "normals", "sensing", "outputs"))
    assert first["rest"] >= 0


def test_the_table_of_simulation_fits(cli):
    outcome = cli("bench", "simulate", "--scenes", "2", "--repeats", "1")
    assert outcome.code == 0
    assert all(len(line) <= 80 for line in outcome.out.splitlines())
    assert "scenes/s" in outcome.out


def test_the_number_of_threads_is_left_as_it_was():
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_a_scenario_of_another_make_is_timed_as_a_whole():
    speed = simulation_speed(Other(), scenes=2, repeats=1, sources=1, seed=0, threads=1)
    assert speed.seconds > 0
    assert speed.sensing is speed.outputs is speed.rest is None


class Other(Scenario):
    """Hands on what the canonical scenario draws."""

    def sample(self, count, generator, *, sources=None, snr_db=None):
        return Canonical(nx=3, ny=3, snapshots=2).sample(
            count, generator, sources=sources, snr_db=snr_db
        )
