"""A short training from end to end."""

from __future__ import annotations

import json
import math
import tomllib
from itertools import count

import pytest
import torch

from risdoa.checkpoints import load_model
from risdoa.errors import InputError
from risdoa.registry import Registry
from risdoa.training.config import TrainConfig, read_config
from risdoa.training.data import Stream, generator
from risdoa.training.experiment import Experiment, fresh_model
from risdoa.training.loop import Trainer, training_step, validate
from risdoa.training.run import run_training
from risdoa.training.rundir import RunDirectory, default_path
from tests.training.small import config, experiment


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a trained experiment, its history and its run directory."""
    path = tmp_path_factory.mktemp("training") / "run"
    made = experiment()
    progress = []
    trainer = Trainer(made, RunDirectory.create(path), lambda *at: progress.append(at))
    return made, trainer.fit(), path, progress


def test_the_seeds_success_list_holds(trained):
    _, history, _, _ = trained
    assert [holds for holds, _ in history.checks()] == [True] * 5
    assert history.warnings == ()
    assert history.skipped == 0
    assert history.optimizer_steps == history.scheduler_steps == history.steps == 40


def test_the_loss_falls_and_every_norm_is_finite(trained):
    _, history, _, _ = trained
    losses = [record.train["loss"] for record in history.epochs]
    assert losses[-1] < 0.8 * losses[0]
    assert set(history.first_gradients) == {"backbone", "head"}
    norms = [norm for record in history.epochs for norm in record.gradients.values()]
    assert all(norm is not None and math.isfinite(norm) and norm > 0 for norm in norms)


def test_progress_is_told_step_by_step(trained):
    *_, progress = trained
    assert progress == [(done, 40) for done in range(1, 41)]


def test_the_run_directory_is_complete(trained):
    _, history, path, _ = trained
    files = sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())
    assert files == [
        "checkpoints/best.json",
        "checkpoints/best.safetensors",
        "checkpoints/step-00000030.json",
        "checkpoints/step-00000030.safetensors",
        "checkpoints/step-00000040.json",
        "checkpoints/step-00000040.safetensors",
        "config.toml",
        "environment.json",
        "metrics.jsonl",
        "plugins.json",
    ]
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert lines[-1]["validation"] == history.epochs[-1].validation
    plugins = json.loads((path / "plugins.json").read_text())["plugins"]
    assert {plugin["name"] for plugin in plugins} == {
        "risdoa/canonical",
        "risdoa/hybrid",
        "risdoa/nmse",
        "risdoa/gt-projection",
    }
    assert "torch" in json.loads((path / "environment.json").read_text())


def test_the_configuration_in_it_repeats_the_run(trained, tmp_path):
    made, history, path, _ = trained
    again = TrainConfig.of(read_config(path / "config.toml"))
    assert again == made.config
    repeated = Experiment.of(again, Registry.discover({"RISDOA_PLUGINS_ALLOW": ""}))
    twin = Trainer(repeated, RunDirectory.create(tmp_path / "twin")).fit()
    for one, other in zip(history.epochs, twin.epochs, strict=True):
        assert one.train == other.train
        assert one.validation == other.validation
    for name, value in made.model.state_dict().items():
        assert torch.equal(value, repeated.model.state_dict()[name]), name


def test_the_best_checkpoint_gives_the_model_back(trained):
    made, history, path, _ = trained
    model, metadata = load_model(path, made.registry)
    assert not model.training
    assert (metadata.model, metadata.steering, metadata.scenario) == (
        "hybrid",
        "canonical",
        "canonical",
    )
    assert metadata.epoch == history.best_epoch
    best = min(record.validation["loss"] for record in history.epochs)
    assert validate(model, made.loss, made.scenes.validation())["loss"] == pytest.approx(
        best, rel=1e-6
    )
    sidecar = json.loads((path / "checkpoints" / "best.json").read_text())
    assert sidecar["schema"] == "risdoa.checkpoint/1"


def test_batches_that_are_not_finite_are_counted_and_not_fatal(tmp_path):
    made = experiment(epochs=2, steps_per_epoch=3)
    trainer = Trainer(made, RunDirectory.create(tmp_path / "run"))
    calls = count()
    weighted = made.loss.weighted
    made.loss.weighted = lambda parts: (
        weighted(parts) * (math.nan if torch.is_grad_enabled() and next(calls) == 1 else 1.0)
    )
    history = trainer.fit()
    assert history.skipped == 1
    assert [record.skipped for record in history.epochs] == [1, 0]
    assert history.optimizer_steps == history.scheduler_steps == 5
    holds = [holds for holds, _ in history.checks()]
    assert holds[:3] == [True, False, True]


def test_a_training_without_one_finite_batch_still_ends(tmp_path):
    made = experiment(epochs=2, steps_per_epoch=2)
    made.loss.weighted = lambda parts: parts["nmse"] * math.nan
    history = Trainer(made, RunDirectory.create(tmp_path / "run")).fit()
    assert history.skipped == 4
    assert [holds for holds, _ in history.checks()][:2] == [False, False]
    text = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert "NaN" not in text
    load_model(tmp_path / "run", made.registry)


def test_the_seed_decides_the_weights_and_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    first, second, other = (experiment(seed=seed).model for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    one, two, three = (model.head.reading.weight for model in (first, second, other))
    assert torch.equal(one, two)
    assert not torch.equal(one, three)


def test_streams_differ_and_repeat():
    draws = [torch.rand(4, generator=generator(config(seed=5), stream)) for stream in Stream]
    again = [torch.rand(4, generator=generator(config(seed=5), stream)) for stream in Stream]
    assert len({tuple(draw.tolist()) for draw in draws}) == len(Stream)
    assert all(torch.equal(one, two) for one, two in zip(draws, again, strict=True))


def test_the_summary_is_written_and_strict_json(tmp_path):
    made = experiment()
    summary = run_training(config(epochs=1), made.registry, tmp_path / "run")
    written = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert written == json.loads(json.dumps(summary.record(), allow_nan=False))
    assert written["schema"] == "risdoa.train/1"
    assert {row["control"] for row in written["held_out"]} == {"untrained", "shuffled"}


def test_a_run_directory_in_use_is_refused(tmp_path):
    (tmp_path / "something").touch()
    with pytest.raises(InputError, match="not empty"):
        RunDirectory.create(tmp_path)
    with pytest.raises(InputError, match="cannot use"):
        RunDirectory.create(tmp_path / "something")


def test_the_default_folder_is_new(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = default_path(config())
    first.mkdir(parents=True)
    second = default_path(config())
    assert str(first) == "runs/canonical-gt-projection-seed0"
    assert str(second) == "runs/canonical-gt-projection-seed0-2"


def test_a_model_that_cannot_be_trained_is_refused():
    registry = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
    with pytest.raises(InputError, match="nothing to train"):
        fresh_model(TrainConfig(model="sample"), registry)


def test_the_resolved_options_are_in_the_configuration(trained):
    made, _, path, _ = trained
    written = tomllib.loads((path / "config.toml").read_text())
    assert written["options"]["hybrid"]["beta"] == 1.0
    assert written["options"]["gt-projection"] == {"projector": "epsilon", "epsilon": 1e-6}
    assert training_step(made, 10).clip_norm == 1.0
