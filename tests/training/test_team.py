"""Several processes: the same step as one, on the batch that they share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from risdoa.checkpoints import read_checkpoint
from risdoa.errors import InputError
from risdoa.training.loop import training_step
from risdoa.training.run import shared
from risdoa.training.rundir import RunDirectory
from risdoa.training.team import Team
from tests.training.small import ARGUMENTS, config, experiment

ROOT = Path(__file__).parents[2]
TWO = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def run(*words):
    environment = os.environ | {"RISDOA_PLUGINS_ALLOW": "", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def test_draws_are_shared_by_all_processes():
    assert shared(config(), Team()).draws == 1
    assert shared(config(), Team(0, 4)).draws == 4
    assert shared(config(draws=8), Team(1, 4)).draws == 8
    with pytest.raises(InputError, match="cannot share"):
        shared(config(draws=2), Team(0, 4))
    with pytest.raises(InputError, match="cannot be drawn"):
        shared(config(batch_size=32), Team(0, 5))
    assert [list(Team(rank, 2).share(5)) for rank in (0, 1)] == [[0, 2, 4], [1, 3]]


def test_a_process_alone_writes_and_talks():
    assert Team().leads
    assert not Team(1, 2).leads


def test_those_that_do_not_lead_write_nothing(tmp_path):
    follower = RunDirectory(tmp_path, writes=False)
    follower.append({"schema": "risdoa.metrics/1"})
    follower.write_json("summary.json", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tmp_path):
    sizes = ["--epochs", 2, "--steps-per-epoch", 3, "--batch-size", 8, "--held-out-scenes", 4]
    train = ["-m", "risdoa", "train", *sizes, *ARGUMENTS]
    two, one, first = tmp_path / "two", tmp_path / "one", tmp_path / "first"
    talk = run(*TWO, *train, "--out", two)
    run(*train, "--draws", 2, "--out", one)
    assert talk.stdout.count("run directory:") == 1
    assert talk.stderr.count("epoch 1/2") == 1
    assert "draws = 2" in (two / "config.toml").read_text()

    assert sorted(path.name for path in two.rglob("*")) == sorted(
        path.name for path in one.rglob("*")
    )
    lines = [
        [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        for path in (two, one)
    ]
    for joined, alone in zip(*lines, strict=True):
        for part in ("train", "validation", "gradients"):
            assert joined[part] == pytest.approx(alone[part], rel=1e-3)

    # after one step the first moments of AdamW are the clipped gradients times 0.1
    for path, words in ((first, TWO), (tmp_path / "alone", [])):
        short = ["--epochs", 1, "--steps-per-epoch", 1, "--batch-size", 8, *ARGUMENTS]
        run(*words, "-m", "risdoa", "train", *short, "--draws", 2, "--out", path)
    moments = [
        read_checkpoint(RunDirectory(path).states()[-1])[0] for path in (first, tmp_path / "alone")
    ]
    for name, value in moments[1].items():
        if name.endswith("exp_avg"):
            error = (moments[0][name] - value).norm() / value.norm().clamp_min(1e-12)
            assert error < 1e-4, name


@pytest.mark.slow
def test_a_breakdown_in_one_process_is_a_skipped_batch_in_all():
    lines = run(*TWO, ROOT / "tests" / "training" / "workers.py").stdout.splitlines()
    records = {record.pop("rank"): record for record in map(json.loads, lines)}
    assert set(records) == {0, 1}
    assert records[0] == records[1]
    assert records[0]["skipped"] == [True, False]
    assert records[0]["losses"][0] is None

    alone = experiment(loss="nmse", batch_size=8, draws=2, validation_scenes=30)
    step = training_step(alone, 4)
    alone.model.train()
    result = step(*(lambda draw=draw: alone.scenes.batch(1, draw) for draw in range(2)))
    assert records[0]["losses"][1] == pytest.approx(result.loss, rel=1e-5)
    assert records[0]["gradients"] == pytest.approx(result.gradients, rel=1e-4)
    assert torch.distributed.is_available()
