"""The mean of the weights, and stopping early."""

from __future__ import annotations

import json

import pytest
import torch

from risdoa.checkpoints import load_model
from risdoa.training.ema import Ema
from risdoa.training.loop import Trainer, validate
from risdoa.training.rundir import RunDirectory
from tests.training.small import experiment


def test_the_mean_is_the_recursion():
    model = torch.nn.Linear(2, 1)
    ema = Ema(model, 0.9)
    expected = model.weight.detach().clone()
    for step in range(1, 200):
        with torch.no_grad():
            model.weight += 1
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model.weight.detach()
        ema.update(step)
    torch.testing.assert_close(ema.mean["weight"], expected)
    # a line is followed at a distance of d/(1 - d) steps
    torch.testing.assert_close(
        model.weight.detach() - expected, torch.full((1, 2), 9.0), rtol=1e-3, atol=0
    )


def test_the_mean_is_in_place_for_a_while_and_restored():
    model = torch.nn.Linear(2, 1)
    ema = Ema(model, 0.5)
    mean = model.weight.detach().clone()
    with torch.no_grad():
        model.weight += 1
    kept = model.weight.detach().clone()
    with ema.in_place():
        assert torch.equal(model.weight, mean)
    assert torch.equal(model.weight, kept)
    other = Ema(torch.nn.Linear(2, 1), 0.5)
    other.restore(ema.tensors())
    assert torch.equal(other.mean["weight"], mean)


def test_without_decay_there_is_no_mean():
    model = torch.nn.Linear(2, 1)
    ema = Ema(model, 0.0)
    weight = model.weight.detach().clone()
    ema.update(1)
    with ema.in_place():
        assert torch.equal(model.weight, weight)
    assert ema.tensors() == {}


def test_the_best_checkpoint_holds_the_mean_that_was_validated(tmp_path):
    made = experiment(ema=0.95, epochs=2, batch_size=8)
    trainer = Trainer(made, RunDirectory.create(tmp_path / "run"))
    history = trainer.fit()
    model, _ = load_model(tmp_path / "run", made.registry)
    best = min(record.validation["loss"] for record in history.epochs)
    found = validate(model, made.loss, made.scenes.validation())["loss"]
    assert found == pytest.approx(best, rel=1e-6)
    plain = experiment(epochs=2, batch_size=8)
    Trainer(plain, RunDirectory.create(tmp_path / "plain")).fit()
    pairs = zip(made.model.parameters(), plain.model.parameters(), strict=True)
    assert any(not torch.equal(one, other) for one, other in pairs)


def test_training_ends_after_epochs_without_a_better_one(tmp_path):
    made = experiment(epochs=6, steps_per_epoch=1, batch_size=4, learning_rate=1e-30, patience=2)
    path = tmp_path / "run"
    history = Trainer(made, RunDirectory.create(path)).fit()
    assert (len(history.epochs), history.best_epoch) == (3, 1)
    lines = (path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]
