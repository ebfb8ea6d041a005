"""A run that ended early goes on to the weights that it would have ended with."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from risdoa.checkpoints import find_weights
from risdoa.errors import InputError
from risdoa.registry import Registry
from risdoa.training import origin
from risdoa.training.run import resume_training, run_training
from risdoa.training.rundir import RunDirectory
from tests.training.small import ARGUMENTS, config

PLANS = {
    "plain": {},
    "everything": {
        "ema": 0.9,
        "amp": "float16",
        "draws": 2,
        "loss": "nmse=1,gt-projection=0.1..0.5",
        "patience": 3,
    },
}


class Killed(BaseException):
    """What no code of the training expects."""


def registry():
    return Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})


def plan(**changes):
    return config(
        **{
            "epochs": 3,
            "steps_per_epoch": 5,
            "batch_size": 4,
            "checkpoint_steps": 2,
            "validation_scenes": 4,
            "held_out_scenes": 2,
        }
        | changes
    )


def killed_after(steps):
    def progress(done, _total):
        if done == steps:
            raise Killed

    return progress


def begun(path, steps, **changes):
    """Return a run directory whose training ended after some steps."""
    with pytest.raises(Killed):
        run_training(plan(**changes), registry(), path, killed_after(steps))
    return path


def outcome(path):
    """Return the weights and the figures that a run has come to, without its times."""
    best = find_weights(path).read_bytes()
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        del line["seconds"]
    summary = json.loads((path / "summary.json").read_text())
    return best, lines, summary["held_out"], summary["first_gradients"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return what trainings come to that nothing interrupts."""
    made = {}
    for name, changes in PLANS.items():
        path = tmp_path_factory.mktemp("whole") / name
        run_training(plan(**changes), registry(), path)
        made[name] = outcome(path)
    return made


@pytest.mark.parametrize(
    ("name", "steps"),
    [("plain", 8), *(("everything", steps) for steps in (1, 5, 8, 15))],
)
def test_resumed_weights_are_those_of_a_run_that_was_never_killed(tmp_path, whole, name, steps):
    path = begun(tmp_path / "run", steps, **PLANS[name])
    summary = resume_training(path, registry())
    assert outcome(path) == whole[name]
    assert json.loads((path / "resumed.jsonl").read_text())["changes"] == []
    saved = {1: 0, 5: 4, 8: 6, 15: 14}[steps]
    assert summary.history.resumed == (saved,)
    assert json.loads((path / "resumed.jsonl").read_text())["step"] == saved


def test_a_run_may_be_killed_more_than_once(tmp_path, whole):
    path = begun(tmp_path / "run", 4)
    with pytest.raises(Killed):
        resume_training(path, registry(), killed_after(12))
    summary = resume_training(path, registry())
    assert outcome(path) == whole["plain"]
    assert summary.history.resumed == (2, 10)
    assert len((path / "resumed.jsonl").read_text().splitlines()) == 2


def test_states_are_pruned(tmp_path):
    path = begun(tmp_path / "run", 9, keep_checkpoints=3)
    states = [state.name for state in RunDirectory(path).states()]
    assert states == [f"step-{step:08d}.safetensors" for step in (5, 6, 8)]
    assert len(list((path / "checkpoints").glob("step-*.json"))) == 3


def test_states_are_saved_by_time(tmp_path):
    path = begun(tmp_path / "run", 3, checkpoint_steps=None, checkpoint_seconds=1e-6)
    assert RunDirectory(path).states()[-1].stem == "step-00000002"
    path = begun(tmp_path / "never", 3, checkpoint_steps=None, checkpoint_seconds=0)
    assert RunDirectory(path).states() == []


def test_a_damaged_state_gives_way_to_the_one_before(tmp_path, whole, caplog):
    path = begun(tmp_path / "run", 9)
    newest = RunDirectory(path).states()[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    with caplog.at_level(logging.WARNING, "risdoa.training"):
        summary = resume_training(path, registry())
    assert summary.history.resumed == (6,)
    assert "trying the one before" in caplog.text
    assert outcome(path) == whole["plain"]


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """Return a run that ended after seven steps; to be copied."""
    return begun(tmp_path_factory.mktemp("cut") / "run", 7)


def truncate(path):
    for state in RunDirectory(path).states():
        state.write_bytes(state.read_bytes()[:100])


def swap(path):
    """Put the best weights where a state should be."""
    best = (path / "checkpoints" / "best.safetensors").read_bytes()
    for state in RunDirectory(path).states():
        state.write_bytes(best)


def cut_metrics(path):
    (path / "metrics.jsonl").write_text("")


def spoil_metrics(path):
    (path / "metrics.jsonl").write_text('{"schema": "risdoa.metrics/1", "eopch": 1}\n')


def lose_config(path):
    (path / "config.toml").unlink()


def spoil_config(path):
    (path / "config.toml").write_text("epochs = ")


def change_config(path):
    text = (path / "config.toml").read_text()
    (path / "config.toml").write_text(text.replace("width = 16", "width = 8"))


def spoil_environment(path):
    (path / "environment.json").write_text("[")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "no checkpoint in"),
        (swap, "not a state of this run"),
        (cut_metrics, "lacks epoch 1"),
        (spoil_metrics, "not a state of this run"),
        (lose_config, "is not a run directory"),
        (spoil_config, "is not TOML"),
        (change_config, "does not fit the model"),
        (spoil_environment, "is damaged"),
    ],
)
def test_damaged_runs_are_refused(tmp_path, cut, damage, message):
    path = shutil.copytree(cut, tmp_path / "run")
    damage(path)
    with pytest.raises(InputError, match=message) as caught:
        resume_training(path, registry())
    assert caught.value.hint


@pytest.mark.parametrize("foreign", ["nowhere", "empty", "file"])
def test_what_is_no_run_is_refused(tmp_path, foreign):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is not a run directory") as caught:
        resume_training(tmp_path / foreign, registry())
    assert caught.value.hint


def test_a_finished_run_says_so(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("RISDOA_PLUGINS_ALLOW", "")
    run_training(plan(epochs=1), registry(), tmp_path / "run")
    before = (tmp_path / "run" / "summary.json").read_text()
    outcome = cli("train", "--resume", tmp_path / "run", "--json")
    assert (outcome.code, outcome.out) == (0, before)
    assert "is finished" in outcome.err


def test_what_has_changed_since_is_told(cli, tmp_path, cut, monkeypatch):
    monkeypatch.setenv("RISDOA_PLUGINS_ALLOW", "")
    path = shutil.copytree(cut, tmp_path / "run")
    for name, change in (
        ("environment.json", {"torch": "1.0", "threads": 99}),
        ("plugins.json", {"plugins": []}),
    ):
        content = json.loads((path / name).read_text()) | change
        (path / name).write_text(json.dumps(content))
    text = (path / "config.toml").read_text()
    (path / "config.toml").write_text(text.replace("clip_norm = 1.0", "clip_norm = 2.0"))
    monkeypatch.setattr(origin, "digest", lambda name: "another")
    outcome = cli("train", "--resume", path)
    assert outcome.code == 0, outcome.err
    for text in (
        "since the run began, torch was 1.0, is ",
        "since the run began, threads was 99, is ",
        "since the run began, configuration was ",
        "since the run began, the code of risdoa has changed",
        "since the run began, model risdoa/hybrid was None, is ",
        "after 6 of 15 steps",
    ):
        assert text in outcome.err
    changed = json.loads((path / "resumed.jsonl").read_text())["changes"]
    assert "the code of risdoa has changed" in changed


def test_resume_takes_no_other_settings(cli, tmp_path):
    for extra in (["--seed", 1], ["--preset", "smoke"], ["--set", "hybrid.width=8"], ["--show"]):
        outcome = cli("train", "--resume", tmp_path, *extra)
        assert outcome.code == 2
        assert "takes no others" in outcome.err


def test_the_digest_sees_an_edited_file(tmp_path, monkeypatch):
    (tmp_path / "some_losses.py").write_text("one = 1\n")
    (tmp_path / "a_package").mkdir()
    (tmp_path / "a_package" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    first = origin.digest("some_losses"), origin.digest("a_package")
    (tmp_path / "some_losses.py").write_text("one = 2\n")
    (tmp_path / "a_package" / "more.py").write_text("")
    second = origin.digest("some_losses"), origin.digest("a_package")
    assert first[0] != second[0]
    assert first[1] != second[1]


@pytest.mark.slow
def test_kill_9_in_mid_epoch_and_resume(tmp_path):
    """A real process, killed as the system kills it."""
    environment = os.environ | {"RISDOA_PLUGINS_ALLOW": "", "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-m", "risdoa", "train"]
    sizes = ["--epochs", "3", "--steps-per-epoch", "40", "--held-out-scenes", "8"]
    settings = [*sizes, *ARGUMENTS, "--checkpoint-steps", "5", "--ema", "0.99"]
    whole, path = tmp_path / "whole", tmp_path / "run"
    subprocess.run([*words, *settings, "--out", str(whole)], env=environment, check=True)

    process = subprocess.Popen([*words, *settings, "--out", str(path)], env=environment)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        states = [int(state.stem.removeprefix("step-")) for state in RunDirectory(path).states()]
        if states and states[-1] > 40 and states[-1] % 40:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (path / "summary.json").exists()

    subprocess.run([*words, "--resume", str(path)], env=environment, check=True)
    assert outcome(path) == outcome(whole)
    last = [RunDirectory(one).states()[-1] for one in (path, whole)]
    assert last[0].name == last[1].name == "step-00000120.safetensors"
