"""``risdoa train`` on the command line."""

from __future__ import annotations

import json
import tomllib

import pytest

from tests.training.small import ARGUMENTS

SHORT = ["--epochs", 2, "--steps-per-epoch", 4, "--batch-size", 8, "--held-out-scenes", 8]


@pytest.fixture(scope="module", autouse=True)
def no_third_parties():
    """Leave what else is installed out of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RISDOA_PLUGINS_ALLOW", "")
        yield


def test_train_logs_the_seeds_success_list(cli, tmp_path):
    run = tmp_path / "run"
    outcome = cli("train", *SHORT, *ARGUMENTS, "--loss", "gt-projection", "--out", run)
    assert outcome.code == 0, outcome.err
    assert "[grad] backbone=" in outcome.err
    assert " head=" in outcome.err
    for line in (
        "[ok] no validation crash: 2 of 2",
        "[ok] finite gradient norms in 8 of 8 batches (0 skipped)",
        "[ok] no scheduler warning: 8 scheduler steps after 8 optimizer steps",
        "[ok] alignment from true steering vectors, model canonical: gt-projection",
        "training loss decreasing over 2 epochs",
    ):
        assert line in outcome.err
    assert "8 held-out scenes" in outcome.out
    assert "untrained" in outcome.out
    assert f"run directory: {run}" in outcome.out
    again = cli("train", run / "config.toml", "--json", "--out", tmp_path / "again")
    assert again.code == 0, again.err
    first = json.loads((run / "summary.json").read_text())
    second = json.loads(again.out)
    assert first["held_out"] == second["held_out"]
    weights = "checkpoints/best.safetensors"
    one, two = (tmp_path / name / weights for name in ("run", "again"))
    assert one.read_bytes() == two.read_bytes()


def test_a_preset_can_be_shown_copied_and_changed(cli, tmp_path):
    shown = cli("train", "--preset", "final", "--show")
    assert shown.code == 0
    assert shown.out.startswith("#")
    assert shown.err == ""
    copy = tmp_path / "mine.toml"
    copy.write_text(shown.out)
    changed = cli("train", copy, "--epochs", "3", "--loss", "nmse", "--show")
    assert changed.code == 0
    settings = tomllib.loads(changed.out)
    assert (settings["epochs"], settings["loss"], settings["alignment"]) == (3, "nmse", "0.1..0.2")
    assert not (tmp_path / "runs").exists()


def test_a_preset_is_overridden_by_options(cli, tmp_path):
    outcome = cli(
        "train",
        "--preset",
        "smoke",
        *SHORT,
        *ARGUMENTS,
        "--loss",
        "nmse",
        "--held-out-scenes",
        0,
        "--out",
        tmp_path / "run",
        "--json",
    )
    assert outcome.code == 0, outcome.err
    summary = json.loads(outcome.out)
    assert summary["loss"] == "nmse"
    assert len(summary["epochs"]) == 2
    assert summary["held_out"] == []
    assert "[--] alignment from true steering vectors" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--loss", "gt-projektion"], "no loss is called"),
        (["--loss", "nmse,gt-projection"], "cannot read 'nmse'"),
        (["--scenario", "nowhere"], "no scenario is called"),
        (["--model", "sample"], "nothing to train"),
        (["--preset", "nonsense"], "no preset is called"),
        (["--set", "music.grid=3"], "does not use"),
        (["--set", "hybrid.width=3"], "hybrid cannot have"),
        (["--sources", "9"], "sources"),
        (["nothing.toml"], "cannot read nothing.toml"),
        (["--epochs", "0"], "--epochs"),
        (["--device", "abacus"], "device"),
        (["--recording", "nothing.npz"], "nothing.npz"),
        (["--batch-size", "8", "--draws", "3"], "cannot be drawn in 3 parts"),
        (["--preset", "nonsense", "--show"], "no preset is called"),
    ],
)
def test_wrong_input_ends_with_two_lines_and_no_output(cli, tmp_path, arguments, message):
    run = tmp_path / "run"
    outcome = cli("train", *arguments, "--out", run)
    assert outcome.code == 2, outcome.err
    assert "error: " in outcome.err
    assert "hint: " in outcome.err
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    assert not run.exists()


def test_a_run_directory_in_use_is_left_alone(cli, tmp_path):
    (tmp_path / "precious").write_text("data")
    outcome = cli("train", *SHORT, *ARGUMENTS, "--out", tmp_path)
    assert outcome.code == 2
    assert "is not empty" in outcome.err
    assert [file.name for file in tmp_path.iterdir()] == ["precious"]


def test_of_several_processes_one_talks(cli, tmp_path, monkeypatch):
    arguments = ["train", *SHORT, *ARGUMENTS, "--loss", "nmse", "--json", "--out"]
    monkeypatch.setenv("RANK", "1")
    outcome = cli(*arguments, tmp_path / "run")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    monkeypatch.setenv("RANK", "0")
    assert cli(*arguments, tmp_path / "other").out
