"""``risdoa bench objectives``: from the command line."""

from __future__ import annotations

import json

import pytest

from tests.training.small import ARGUMENTS

SMALL = [
    "bench", "objectives", *ARGUMENTS, "--scenario", "canonical", "--steps", "2",
    "--batch-size", "4", "--snr", "20", "--sources", "1", "--trials", "3",
]  # fmt: skip
TWO = ["--losses", "gt-projection", "--completeness", "0", "--seeds", "0"]


def test_arms_and_their_differences(cli, tmp_path):
    outcome = cli(*SMALL, *TWO, "--out", tmp_path, "--json")
    assert outcome.code == 0, outcome.err
    assert "3 trainings (0 done) of 2 steps of 4 scenes; budget 100 s" in outcome.err
    assert "300 s (0.1 h) for what is left" in outcome.err
    content = json.loads(outcome.out)
    assert content["schema"] == "risdoa.bench-objectives/1"
    assert content["complete"]
    assert json.loads((tmp_path / "objectives.json").read_text()) == content
    first, plain, cut = content["arms"]
    assert [each["arm"]["label"] for each in content["arms"]] == [
        "gt-projection", "none", "detached",
    ]  # fmt: skip
    assert plain["digests"] == cut["digests"] != first["digests"]
    gap = plain["figures"]["projection"]["mean"] - first["figures"]["projection"]["mean"]
    assert plain["differences"]["projection"]["mean"] == pytest.approx(gap)


def test_it_goes_on_where_it_was_stopped(cli, tmp_path):
    stopped = cli(*SMALL, *TWO, "--out", tmp_path, "--budget", "0", "--json")
    assert stopped.code == 0
    assert "call it again with the same --out" in stopped.err
    assert not json.loads(stopped.out)["complete"]
    whole = cli(*SMALL, *TWO, "--out", tmp_path)
    assert whole.code == 0
    assert all(len(line) <= 80 for line in whole.out.splitlines())
    assert "detached trainings held against those of none, bit by bit: 1" in whole.out
    again = cli(*SMALL, *TWO, "--out", tmp_path)
    assert "3 trainings (3 done)" in again.err
    assert again.out == whole.out
    further = cli(*SMALL, *TWO[:-1], "0,1", "--out", tmp_path, "--budget", "0")
    assert "6 trainings (3 done)" in further.err


def test_schedules(cli, tmp_path):
    options = ["--schedules", "--losses", "chordal", "--seeds", "3", "--out", tmp_path, "--json"]
    content = json.loads(cli(*SMALL, *options).out)
    assert json.loads((tmp_path / "schedules.json").read_text()) == content
    assert [each["arm"]["label"] for each in content["arms"]] == [
        "hpo", "final constant", "final progressive",
    ]  # fmt: skip
    assert "chordal=0.1..0.2" in content["arms"][2]["arm"]["loss"]


def test_a_cut_gradient_that_teaches_is_a_failure(cli, tmp_path):
    cli(*SMALL, *TWO, "--out", tmp_path)
    journal = tmp_path / "trainings.jsonl"
    head, *lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        if "detached" in line["key"]:
            line["record"]["weights"] = "others"
    journal.write_text("".join(f"{json.dumps(line)}\n" for line in (head, *lines)))
    outcome = cli(*SMALL, *TWO, "--out", tmp_path)
    assert outcome.code == 3
    assert "a detached alignment term has changed the weights" in outcome.err


@pytest.mark.parametrize(
    "wrong",
    [
        ["--set", "omp.atoms=2"],
        ["--losses", "magic"],
        ["--sources", "40"],
        ["--steps", "0"],
        ["--chain", "music,"],
        ["--alignment", "0", "--covariance", "0", "--completeness", "0"],
    ],
)
def test_wrong_use_is_refused_before_anything_is_trained(cli, tmp_path, wrong):
    outcome = cli(*SMALL, *TWO, *wrong, "--out", tmp_path)
    assert outcome.code == 2
    assert outcome.err.splitlines()[-2].startswith("error: ") or outcome.err.startswith("error: ")
    assert not (tmp_path / "runs").exists()


def test_another_setup_is_refused(cli, tmp_path):
    cli(*SMALL, *TWO, "--out", tmp_path, "--budget", "0")
    cli(*SMALL, *TWO, "--out", tmp_path)
    outcome = cli(*SMALL, *TWO, "--out", tmp_path, "--trials", "4")
    assert outcome.code == 2
    assert "another setup" in outcome.err
