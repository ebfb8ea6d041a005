"""``risdoa bench train``: the phases of a training step."""

from __future__ import annotations

import json

import pytest

from risdoa.training.timing import PHASES
from tests.training.small import ARGUMENTS

SMALL = ["--batch-size", 4, "--steps", 2, *ARGUMENTS]


@pytest.fixture(autouse=True)
def no_third_parties(monkeypatch):
    monkeypatch.setenv("RISDOA_PLUGINS_ALLOW", "")


def test_the_shares_of_all_phases_add_up(cli):
    outcome = cli("bench", "train", *SMALL, "--draws", 2, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(outcome.out)
    assert content["schema"] == "risdoa.bench-train/1"
    assert tuple(phase["name"] for phase in content["phases"]) == PHASES
    assert sum(phase["share"] for phase in content["phases"]) == pytest.approx(1)
    assert all(phase["seconds"] > 0 for phase in content["phases"])


def test_the_table_fits(cli):
    outcome = cli("bench", "train", *SMALL, "--loss", "nmse", "--amp", "bfloat16")
    assert outcome.code == 0, outcome.err
    assert all(len(line) <= 80 for line in outcome.out.splitlines())
    assert [name for name in (*PHASES, "all") if name not in outcome.out] == []


@pytest.mark.parametrize(
    "wrong", [["--loss", "nowhere"], ["--set", "music.zoom=2"], ["--draws", 3], ["--steps", 0]]
)
def test_wrong_use_is_refused(cli, wrong):
    outcome = cli("bench", "train", *SMALL, *wrong)
    assert outcome.code == 2
    assert "error: " in outcome.err
