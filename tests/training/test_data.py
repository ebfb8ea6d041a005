"""Where scenes come from: drawn by seed, step and part, or read from a file."""

from __future__ import annotations

import tomllib

import pytest
import torch

from risdoa.errors import InputError
from risdoa.recordings import recording_from, write_recording
from risdoa.registry import Registry
from risdoa.scenarios.canonical import Canonical
from risdoa.training.config import TrainConfig
from risdoa.training.data import PART, in_parts
from risdoa.training.experiment import Experiment
from risdoa.training.loop import Trainer
from risdoa.training.run import run_training
from risdoa.training.rundir import RunDirectory
from tests.training.small import SETTINGS, config, experiment

COUNT = 40
FILE = {
    "sources": None,
    "snr_db": None,
    "validation_scenes": 6,
    "held_out_scenes": 4,
    "batch_size": 8,
}


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Return a file of scenes and their values."""
    path = tmp_path_factory.mktemp("recording") / "scenes.npz"
    problem, truth = Canonical(nx=6, ny=6, snapshots=6).sample(
        COUNT, torch.Generator().manual_seed(3)
    )
    write_recording(path, recording_from(problem, truth, steering="canonical"))
    return path, problem, truth


def from_file(path, **changes):
    return experiment(**FILE | {"recording": str(path)} | changes)


def values(truths):
    return torch.cat([truth.problem.snapshots.values for truth in truths])


def test_a_batch_depends_on_its_step_and_part_alone():
    one, two = experiment(draws=2), experiment(draws=2)
    two.scenes.batch(0, 0)
    found = [each.scenes.batch(5, 1).problem.snapshots.values for each in (one, two)]
    assert torch.equal(*found)
    others = [one.scenes.batch(*place).problem.snapshots.values for place in ((5, 0), (4, 1))]
    assert not any(torch.equal(found[0], other) for other in others)
    assert len(found[0]) == config().batch_size // 2


@pytest.mark.parametrize("count", [1, 9, 10, 11, 57, 200])
def test_parts_hold_every_scene_once_and_none_alone(count):
    parts = in_parts(torch.arange(count))
    assert torch.equal(torch.cat(parts), torch.arange(count))
    sizes = [len(part) for part in parts]
    assert max(sizes) <= PART
    assert min(sizes) >= min(count, PART // 2)
    assert in_parts(torch.arange(0)) == []


def test_the_scenes_of_a_file_are_split_in_three(recording):
    path, problem, truth = recording
    made = from_file(path)
    expected = problem.snapshots.values.to(torch.complex64)
    assert torch.equal(values(made.scenes.validation()), expected[:6])
    assert torch.equal(values(made.scenes.held_out()), expected[6:10])
    [part] = made.scenes.validation()
    assert torch.equal(part.mask, truth.mask[:6])
    there = part.mask
    torch.testing.assert_close(part.positions[there], truth.positions[:6][there].float())


def test_a_pass_takes_every_scene_once(recording):
    path, problem, _ = recording
    scenes = from_file(path, draws=2).scenes
    rows = {row[0, 0].item(): place for place, row in enumerate(
        problem.snapshots.values.to(torch.complex64)
    )}  # fmt: skip
    seen = [
        rows[row[0, 0].item()]
        for step in range(15)  # four passes over 30 scenes
        for draw in range(2)
        for row in scenes.batch(step, draw).problem.snapshots.values
    ]
    passes = [seen[start : start + 30] for start in range(0, 120, 30)]
    assert all(sorted(one) == list(range(10, COUNT)) for one in passes)
    assert passes[0] != passes[1]


def test_a_training_from_a_file(recording, tmp_path):
    path, _, _ = recording
    settings = FILE | {"epochs": 2, "steps_per_epoch": 3, "recording": str(path)}
    summary = run_training(config(**settings), experiment().registry, tmp_path / "run")
    assert summary.record()["held_out_scenes"] == 4
    assert summary.record()["data_model"] == "canonical"
    assert str(path) in (tmp_path / "run" / "config.toml").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 31}, "too few"),
        ({"validation_scenes": 30}, "too few"),
        ({"sources": 1}, "are what they are"),
        ({"snr_db": 3.0}, "are what they are"),
        ({"recording": "nowhere.npz"}, "nowhere.npz"),
    ],
)
def test_files_that_do_not_do_are_refused(recording, changes, message):
    with pytest.raises(InputError, match=message):
        from_file(recording[0], **changes)


def test_a_recording_without_truth_is_refused(recording, tmp_path):
    path = tmp_path / "blind.npz"
    write_recording(path, recording_from(recording[1], steering="canonical"))
    with pytest.raises(InputError, match="no truth"):
        from_file(path)


def test_a_mixture_trains_and_is_validated_on_all_its_kinds(tmp_path):
    small = {"nx": 4, "ny": 4, "outputs": 8}
    members = ["canonical", "static", "few-snapshots", "unknown-sources", "miscalibrated"]
    options = dict.fromkeys(members, small)
    settings = {name: SETTINGS[name] for name in ("learning_rate", "held_out_scenes")} | {
        "scenario": "mixture",
        "epochs": 1,
        "steps_per_epoch": 3,
        "batch_size": 8,
        "draws": 2,
        "validation_scenes": 200,
        "options": {
            "mixture": {"members": members, "options": options},
            "hybrid": SETTINGS["options"]["hybrid"],
        },
    }
    registry = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
    made = Experiment.of(TrainConfig.of(settings), registry)
    read = TrainConfig.of(tomllib.loads(made.config.text()))
    assert read.text() == made.config.text()
    problems = [part.problem for part in made.scenes.validation()]
    assert {problem.snapshots.count for problem in problems} == {4, 16}
    assert {problem.snapshots.fresh for problem in problems} == {True, False}
    assert {problem.sources is None for problem in problems} == {True, False}
    history = Trainer(made, RunDirectory.create(tmp_path / "run")).fit()
    assert history.skipped == 0
    assert history.epochs[0].validation["loss"] is not None
