"""``risdoa hpo``: from the command line."""

from __future__ import annotations

import csv
import json
import time
import tomllib

import pytest

from tests.tuning.small import COMMAND

TINY = [*COMMAND, "--trials", "3", "--chain-trials", "2", "--budget", "10000"]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Return the folder of a search, and how it ended."""
    from risdoa.cli import main

    folder = tmp_path_factory.mktemp("search")
    code = main([*map(str, TINY), "--out", str(folder)])
    return folder, code


def test_the_best_configuration_trains(searched, cli, tmp_path):
    folder, code = searched
    assert code == 0
    best = tomllib.loads((folder / "best.toml").read_text())
    assert set(best["options"]["hybrid"]) >= {"beta", "shrinkage", "channels"}
    outcome = cli(
        "train", folder / "best.toml", "--epochs", "1", "--steps-per-epoch", "1",
        "--held-out-scenes", "0", "--seed", "5", "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    summary = json.loads(outcome.out)
    assert (summary["steps"], summary["loss"]) == (1, best["loss"])
    again = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert again["options"]["hybrid"] == best["options"]["hybrid"]


def test_the_folder_has_the_trials(searched):
    folder, _ = searched
    content = json.loads((folder / "hpo.json").read_text())
    assert content["schema"] == "risdoa.hpo/1"
    assert content["complete"]
    assert content["storage"] == "journal"
    assert [each["role"] for each in content["trials"]] == ["default", "sampled", "sampled"]
    values = {each["trial"]: each["value"] for each in content["trials"]}
    assert content["best"]["value"] == min(values.values())
    assert content["default"] == values[0]
    assert set(content["chain"]) == {"default", "best", "chosen"}
    with (folder / "trials.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["value"]) for row in rows] == list(values.values())
    assert [row["learning_rate"] == "" for row in rows] == [True, False, False]


def test_it_goes_on_and_confirms_on_fresh_seeds(searched, cli):
    folder, _ = searched
    before = json.loads((folder / "hpo.json").read_text())
    stopped = cli(*TINY, "--out", folder, "--confirm", "7,8", "--budget", "0", "--json")
    assert stopped.code == 0, stopped.err
    assert "3 trials (3 done)" in stopped.err
    assert "trainings from fresh seeds" in stopped.err
    assert "call it again with the same --out" in stopped.err
    assert not json.loads(stopped.out)["complete"]
    whole = cli(*TINY, "--out", folder, "--confirm", "7,8")
    assert whole.code == 0, whole.err
    assert all(len(line) <= 80 for line in whole.out.splitlines() if "/" not in line)
    assert "from fresh seeds 7, 8" in whole.out
    content = json.loads((folder / "hpo.json").read_text())
    assert content["complete"]
    assert content["trials"] == before["trials"]
    assert set(content["confirmation"]["standings"]) == {"best", "median", "default"}
    refused = cli(*TINY, "--out", folder, "--confirm", "9")
    assert refused.code == 2
    assert "another setup" in refused.err


def test_who_joins_a_finished_search_leaves_it_as_it_is(searched, cli):
    folder, _ = searched
    names = ("hpo.json", "trials.csv", "best.toml", "study.json")
    before = [(folder / name).read_bytes() for name in names]
    outcome = cli("hpo", "--join", folder, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.err == "3 of 3 trials are finished\n"
    assert len(json.loads(outcome.out)["trials"]) == 3
    assert before == [(folder / name).read_bytes() for name in names]
    elsewhere = cli("hpo", "--join", folder, "--storage", "sqlite://")
    assert (elsewhere.code, elsewhere.out) == (2, "")
    assert "is in its own journal" in elsewhere.err


def test_what_is_searched_can_be_seen(cli):
    outcome = cli("hpo", "--space", "narrow", "--show", "--json")
    narrow = json.loads(outcome.out)
    assert narrow["schema"] == "risdoa.hpo-space/1"
    assert "hybrid.channels" not in narrow["ranges"]
    assert {"learning_rate", "hybrid.beta", "nf-mle.starts"} <= set(narrow["ranges"])
    wide = cli("hpo", "--set", "hybrid.channels=8", "--show")
    assert "hybrid.depth" in wide.out
    assert "hybrid.channels" not in wide.out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--trials", "2"], "give --out DIR"),
        (["--set", "omp.density=2", "--show"], "does not use 'omp'"),
        (["--set", "hybrid.depth=abc", "--show"], "depth"),
        (["--set", "completeness.zz=1", "--show"], "no option 'zz'"),
        (["--set", "nf-mle.starts=many", "--show"], "starts"),
        (["--losses", "magic", "--show"], "no loss is called 'magic'"),
        (["--losses", "chordal,nmse", "--show"], "that align R, got 'nmse'"),
        (["--losses", "completeness", "--show"], "that align R, got 'completeness'"),
        (["--losses", "peak-contrast", "--show"], "that align R, got 'peak-contrast'"),
        (["--preset", "magic", "--show"], "no preset is called 'magic'"),
        (["--join", "nowhere"], "cannot read nowhere/study.json"),
        (["--scenario", "unknown-sources", "--out", "out"], "tell the number of sources"),
        (["--out", "out", "--storage", "magic://here"], "cannot use magic://here"),
    ],
)
def test_wrong_input_is_two_lines(wrong, said, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = cli("hpo", *wrong)
    assert outcome.code == 2
    assert said in outcome.err
    assert "unexpected" not in outcome.err
    assert "Traceback" not in outcome.err


def test_another_search_in_the_same_folder_is_refused(searched, cli):
    folder, _ = searched
    outcome = cli(*TINY, "--space", "narrow", "--out", folder)
    assert outcome.code == 2
    assert "is another one: its space differ" in outcome.err
    study = json.loads((folder / "study.json").read_text())
    assert study["plan"]["space"] == "wide"


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (["--study", "second"], "is the folder of the study 'hpo', got 'second'"),
        (["--storage", "sqlite://"], "is the folder of the storage 'journal', got 'sqlite://'"),
    ],
)
def test_a_folder_keeps_one_study(other, said, searched, cli):
    folder, _ = searched
    weights = folder / "runs" / "trial-0000" / "checkpoints" / "best.safetensors"
    kept = [folder / "study.json", folder / "journal.log", weights]
    before = [path.read_bytes() for path in kept]
    outcome = cli(*TINY, *other, "--out", folder)
    assert outcome.code == 2
    assert said in outcome.err
    assert before == [path.read_bytes() for path in kept]


def test_a_chain_that_is_asked_for_later_is_finished_by_the_estimate(cli, tmp_path, monkeypatch):
    from risdoa.tuning import campaign, refining

    def slow(*arguments):
        made, begun = refining.cached(*arguments), time.process_time()
        while time.process_time() < begun + 2:
            pass
        return made

    alone = [*COMMAND, "--trials", "1", "--out", tmp_path, "--chain-trials"]
    assert cli(*alone, "0", "--budget", "10000").code == 0
    monkeypatch.setattr(campaign, "_timed", lambda action: 0.0)
    monkeypatch.setattr(campaign, "cached", slow)
    outcome = cli(*alone, "1", "--json")
    assert outcome.code == 0, outcome.err
    assert "budget 2 s" in outcome.err  # 1.5 times BESIDES, for nothing else takes time here
    assert json.loads(outcome.out)["complete"], outcome.err


def test_a_damaged_folder_is_named(searched, cli, tmp_path):
    folder, _ = searched
    study = json.loads((folder / "study.json").read_text())
    (tmp_path / "study.json").write_text(json.dumps(study | {"plan": "abc"}))
    outcome = cli("hpo", "--join", tmp_path)
    assert outcome.code == 2
    assert "no plan of a study" in outcome.err
    (tmp_path / "study.json").write_text(json.dumps(study))
    (tmp_path / "journal.log").write_text("damaged\n{}\n")
    outcome = cli("hpo", "--join", tmp_path)
    assert outcome.code == 2
    assert "journal.log as a journal" in outcome.err
