"""``risdoa bench gradients`` and ``risdoa bench loss``: from the command line."""

from __future__ import annotations

import json

import pytest

SMALL = ["--batches", "12", "--side", "4", "--widths", "3,20", "--loads", "0", "--snr", "5"]
BUILT_IN = ["--losses", "gt-projection,one-sided-projection"]


def test_gradients_are_counted_and_the_budget_is_told(cli):
    outcome = cli("bench", "gradients", *SMALL, *BUILT_IN, "--json")
    assert outcome.code == 0
    assert "budget 900 s of processor time" in outcome.err
    content = json.loads(outcome.out)
    assert content["schema"] == "risdoa.bench-gradients/1"
    assert content["complete"]
    assert content["batches"] == 12
    assert {each["loss"] for each in content["counts"]} == {*BUILT_IN[1].split(",")}
    assert sum(each["nonfinite"] for each in content["counts"]) == 0


def test_the_legacy_loss_has_gradients_that_are_not_finite(cli):
    outcome = cli("bench", "gradients", *SMALL, "--losses", "legacy-evd,legacy-evd-safe", "--json")
    assert outcome.code == 0
    bad = {"legacy-evd": 0, "legacy-evd-safe": 0}
    for each in json.loads(outcome.out)["counts"]:
        bad[each["loss"]] += each["nonfinite"]
    assert bad["legacy-evd"] > 0
    assert bad["legacy-evd-safe"] == 0


def test_a_stopped_count_goes_on(cli, tmp_path):
    out = ["--out", str(tmp_path / "counts")]
    stopped = cli("bench", "gradients", *SMALL, *BUILT_IN, *out, "--budget", "0", "--json")
    assert (stopped.code, json.loads(stopped.out)["complete"]) == (0, False)
    assert "call it again" in stopped.err
    first = cli("bench", "gradients", *SMALL, *BUILT_IN, *out, "--json")
    again = cli("bench", "gradients", *SMALL, *BUILT_IN, *out, "--budget", "0", "--json")
    assert "(2 done)" in again.err
    assert first.out == again.out
    other = cli("bench", "gradients", *SMALL, *BUILT_IN, *out, "--seed", "1")
    assert other.code == 2
    assert "another setup" in other.err


def test_the_tables_fit(cli):
    outcome = cli("bench", "gradients", *SMALL)
    assert outcome.code == 0
    assert all(len(line) <= 80 for line in outcome.out.splitlines())
    assert "NaN/inf %" in outcome.out
    assert "float32: largest norm" in outcome.out


@pytest.mark.parametrize(
    "wrong",
    [["--precisions", "float8"], ["--losses", "nothing"], ["--set", "nmse.x=1"], ["--widths", "0"]],
)
def test_wrong_use_is_refused(cli, wrong):
    outcome = cli("bench", "gradients", *SMALL, *wrong)
    assert outcome.code == 2
    assert "error: " in outcome.err


def test_the_loop_agrees_with_the_loss_and_both_are_timed(cli):
    sizes = ["--side", "5", "--scenes", "3", "--repeats", "1", "--width", "6"]
    outcome = cli("bench", "loss", *sizes, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    content = json.loads(outcome.out)
    assert content["schema"] == "risdoa.bench-loss/1"
    for run in content["runs"]:
        assert 0 <= run["difference"] < 1e-4
        assert run["over_literal"] == pytest.approx(run["literal"] / run["factored"])
    assert "dense NMSE" in cli("bench", "loss", *sizes).out


def test_a_loop_that_disagrees_is_told(cli, monkeypatch):
    monkeypatch.setattr("risdoa.benchmarks.losses.EPSILON", 0.5)
    outcome = cli("bench", "loss", "--side", "5", "--scenes", "3", "--repeats", "1")
    assert outcome.code == 3
    assert "off its own formula" in outcome.err
