"""The weights that come with the package: what they are, and that they are worth having."""

from __future__ import annotations

import pytest
import torch

from risdoa.backends.music import Music
from risdoa.checkpoints import read_checkpoint
from risdoa.evaluation.metrics import Scores
from risdoa.losses.nmse import Nmse
from risdoa.models.pretrained import Pretrained, weights_path
from risdoa.models.unfolded import Unfolded
from risdoa.scenarios.canonical import Canonical
from risdoa.training.config import TrainConfig, preset


def scenes(count, sources, snr_db, **options):
    generator = torch.Generator().manual_seed(4711)
    return Canonical(**options).sample(count, generator, sources=sources, snr_db=snr_db)


def test_the_weights_are_small_and_those_of_the_preset():
    assert weights_path().stat().st_size < 10 * 2**20
    _, metadata = read_checkpoint(weights_path())
    config = TrainConfig.of(preset("pretrained"))
    assert (metadata.model, metadata.loss) == (config.model, config.loss)
    assert (metadata.scenario, metadata.steering) == (config.scenario, "canonical")
    model = Unfolded()
    made = {name: getattr(model, name) for name in ("rounds", "atoms", "anchors")}
    assert {name: metadata.options[name] for name in made} == made


@torch.no_grad()
def test_it_predicts_better_than_the_network_before_training():
    problem, truth = scenes(24, 2, 5.0)
    truth = truth.to(dtype=torch.complex64)
    trained = Nmse()(Pretrained()(problem), truth)
    untrained = Nmse()(Unfolded().eval()(problem), truth)
    assert float(trained.mean()) < 0.7 * float(untrained.mean())


@torch.no_grad()
def test_it_takes_sizes_that_it_was_not_trained_on():
    problem, truth = scenes(8, 1, 15.0, nx=10, ny=16, outputs=9, snapshots=24)
    found = Music()(problem, Pretrained()(problem), None)
    assert int(Scores.of(truth, found).inlier.sum()) >= 7


@pytest.mark.statistical
@torch.no_grad()
def test_it_leaves_fewer_outliers_than_omp():
    from risdoa.backends.omp import Omp

    problem, truth = scenes(300, 2, 0.0)
    learned = Scores.of(truth, Music()(problem, Pretrained()(problem), None)).inlier
    classical = Scores.of(truth, Omp()(problem, None, None)).inlier
    assert float(learned.float().mean()) > float(classical.float().mean()) + 0.05
