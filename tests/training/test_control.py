"""The controls: a table that a network which ignores its input cannot pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from risdoa.registry import Registry
from risdoa.training.config import TrainConfig, preset
from risdoa.training.control import compare, held_out_table, shuffle_snapshots
from risdoa.training.experiment import Experiment
from risdoa.training.loop import Trainer
from risdoa.training.rundir import RunDirectory
from tests.training.small import experiment


def test_every_scene_gets_the_snapshots_of_another_one():
    made = experiment()
    problem, _ = made.scenario.sample(9, torch.Generator().manual_seed(0))
    shuffled = shuffle_snapshots(problem, torch.Generator().manual_seed(1))
    before, after = problem.snapshots.values, shuffled.snapshots.values
    assert not bool((before == after).all((1, 2)).any())
    assert sorted(map(abs, before[:, 0, 0].tolist())) == sorted(map(abs, after[:, 0, 0].tolist()))
    assert shuffled.snapshots.sensing is problem.snapshots.sensing


def test_a_control_is_beaten_only_beyond_its_interval():
    generator = np.random.default_rng(0)
    values = generator.random(200)
    controls = {
        "worse": {"nmse": values + 0.1 + 0.1 * generator.random(200)},
        "equal": {"nmse": values + 0.1 * generator.normal(size=200)},
        "better": {"nmse": values - 0.1},
    }
    rows = {row.control: row for row in compare({"nmse": values}, controls, 0)}
    assert [rows[name].beaten for name in controls] == [True, False, False]
    interval = rows["worse"].trained
    assert interval.low < interval.mean < interval.high
    assert interval.mean == pytest.approx(values.mean())
    error = values.std() / 200**0.5
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.2)


def test_an_untrained_network_does_not_beat_itself():
    rows = {(row.figure, row.control): row for row in held_out_table(experiment())}
    assert set(rows) == {
        (figure, control)
        for figure in ("nmse", "gt-projection")
        for control in ("untrained", "shuffled")
    }
    assert rows["nmse", "untrained"].excess.mean == 0
    assert not rows["nmse", "untrained"].beaten


def test_figures_that_are_not_finite_are_told_and_recorded_as_none(caplog):
    made = experiment()
    predict = made.model.predict

    def lost(problem):
        found = predict(problem)
        factor = found.factor.clone()
        factor[0] = torch.nan
        return replace(found, factor=factor)

    made.model.predict = lost
    row = held_out_table(made)[0]
    assert "R is not finite" in caplog.text
    assert row.record()["trained"] == {"mean": None, "low": None, "high": None}
    assert not row.beaten


@pytest.mark.slow
def test_a_short_training_beats_its_controls(tmp_path):
    made = experiment(epochs=6, steps_per_epoch=40, batch_size=16, held_out_scenes=300)
    Trainer(made, RunDirectory.create(tmp_path / "run")).fit()
    rows = held_out_table(made)
    assert all(row.beaten for row in rows), rows


@pytest.mark.statistical
def test_half_a_minute_in_the_canonical_scenario_beats_both_controls_on_500_scenes(tmp_path):
    settings = preset("smoke") | {"held_out_scenes": 500}
    registry = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
    made = Experiment.of(TrainConfig.of(settings), registry)
    history = Trainer(made, RunDirectory.create(tmp_path / "run")).fit()
    assert all(holds for holds, _ in history.checks()), history.checks()
    rows = held_out_table(made)
    assert all(row.beaten for row in rows), rows
