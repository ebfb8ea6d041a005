"""A trial is a training that is judged, pruned where it breaks down, and worth what it keeps."""

from __future__ import annotations

import math

import numpy as np
import optuna
import pytest
import torch
from optuna.trial import TrialState

from risdoa.checkpoints import load_model
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.evaluation.assignment import assigned
from risdoa.evaluation.journal import Budget
from risdoa.pipeline import build_chain
from risdoa.training.contest import digest
from risdoa.training.experiment import Experiment
from risdoa.training.run import run_training
from risdoa.training.rundir import RunDirectory
from risdoa.tuning.judge import capped_angle, judged, outlier_rate, outputs, together
from risdoa.tuning.presence import Presence
from risdoa.tuning.refining import Refinement, cached
from risdoa.tuning.study import SeededSampler, SharedStudy, opened_storage, pruner_of
from risdoa.tuning.trainings import CONFIG, REASON, SECONDS, Trainings, run_path
from tests.tuning import fragile
from tests.tuning.small import discover, plan


def searched(own, folder, make=discover, trials=None, pruner="none"):
    """Return a study with its trials done."""
    trainings = Trainings(own, make, folder)
    with Presence(folder) as presence, opened_storage(None, folder) as storage:
        count = trials or own.trials
        sampler = SeededSampler(own.base.seed)
        shared = SharedStudy(
            storage, "study", own.setup(), count, folder, presence, sampler, pruner_of(pruner)
        )
        shared.work(trainings, Budget(600))
    return shared


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Return the folder and the study of a small search."""
    folder = tmp_path_factory.mktemp("search")
    return folder, searched(plan(), folder)


def naive(chain, truths):
    """Return the mean of min(ψ, 5°) by a loop over sources."""
    angles = []
    for truth in truths:
        estimates = chain(truth.problem)
        index = assigned(truth, estimates)
        for scene, source in torch.nonzero(truth.mask).tolist():
            angle = 5.0
            if index[scene, source] >= 0:
                true = truth.positions[scene, source].double().numpy()
                found = estimates.positions[scene, index[scene, source]].numpy()
                angle = min(5.0, great_circle(true, found))
            angles.append(angle)
    return np.mean(angles), np.mean(np.array(angles) >= 5)


def great_circle(one, two):
    vectors = [
        np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
        for a, e, _ in (one, two)
    ]
    return np.degrees(np.arccos(np.clip(vectors[0] @ vectors[1], -1, 1)))


def test_a_trial_is_worth_the_figure_of_the_weights_that_it_keeps(done):
    folder, shared = done
    registry, own = discover(), plan()
    for trial in shared.finished:
        chain = build_chain(
            registry,
            model="hybrid",
            chain=own.chain,
            checkpoint=run_path(folder, trial.number),
        )
        truths = Experiment.of(own.base, registry).scenes.validation()
        assert trial.value == pytest.approx(naive(chain, truths)[0], rel=1e-4)
        assert list(trial.intermediate_values) == [1, 2]
        assert trial.value in trial.intermediate_values.values()
        assert trial.user_attrs[SECONDS] > 0


def test_a_trial_is_the_training_that_its_configuration_repeats(done, tmp_path):
    folder, shared = done
    trial = shared.finished[-1]
    config = type(plan().base).of(trial.user_attrs[CONFIG])
    again = run_training(config, discover(), tmp_path / "again").run
    there = RunDirectory.existing(run_path(folder, trial.number))
    assert digest(RunDirectory.existing(again).best()) == digest(there.best())


def test_the_first_trial_is_the_default(done):
    _, shared = done
    first, *others = shared.finished
    assert first.params == {}
    assert first.user_attrs[CONFIG] == plan().base.model_dump(mode="json")
    assert all(each.params for each in others)


def test_outliers_are_counted():
    registry, own = discover(), plan()
    experiment = Experiment.of(own.base, registry)
    truths = experiment.scenes.held_out()
    chain = build_chain(registry, model="sample", chain="bartlett")
    made = outputs(experiment.model, truths)
    backends = [registry.create("backend", "bartlett")]
    fields = judged([type(each)(each.truth, each.covariance, None) for each in made], backends)
    assert fields[:, 1].sum() == sum(int(truth.mask.sum()) for truth in truths)
    chain = build_chain(registry, model="none", chain="nf-mle")
    exact = judged(made, chain.backends)
    assert (capped_angle(exact), outlier_rate(exact)) == pytest.approx(
        naive(chain, truths), rel=1e-4
    )


def test_scenes_are_judged_together_as_they_are_one_by_one():
    registry, own = discover(), plan({"validation_scenes": 24})
    experiment = Experiment.of(own.base, registry)
    parts = experiment.scenes.validation()
    whole = together(parts)
    assert (len(parts), len(whole)) == (3, 1)
    backends = [registry.create("backend", name) for name in own.chain]
    together_, apart = (
        judged(outputs(experiment.model, each), backends) for each in (whole, parts)
    )
    torch.testing.assert_close(together_, apart, rtol=1e-4, atol=1e-4)


def test_a_network_sees_no_more_scenes_at_once_than_in_estimation(monkeypatch):
    monkeypatch.setattr("risdoa.models.learned.BATCH", 4)
    experiment = Experiment.of(plan().base, discover())
    [truth] = together(experiment.scenes.validation())
    seen, predict = [], experiment.model.predict

    def counted(problem):
        seen.append(problem.scenes)
        return predict(problem)

    monkeypatch.setattr(experiment.model, "predict", counted)
    [made] = outputs(experiment.model, [truth])
    assert seen == [4, 2]
    with torch.no_grad():
        torch.testing.assert_close(made.covariance.factor, experiment.model(truth.problem).factor)
    assert seen == [4, 2, 4, 2]


@pytest.mark.parametrize("batch", [0, 1, 3])
def test_a_gradient_that_is_not_finite_prunes_the_trial(batch, tmp_path):
    own = plan(losses=("fragile",), fixed=plan().fixed | {"fragile": {"batch": str(batch)}})
    shared = searched(own, tmp_path, lambda: discover(fragile))
    default, *broken = shared.finished
    assert default.state == TrialState.COMPLETE
    assert len(broken) == 2
    for trial in broken:
        assert trial.state == TrialState.PRUNED
        assert trial.user_attrs[REASON] == f"loss or gradient not finite in step {batch + 1}"
        assert len(trial.intermediate_values) == batch // 2
        assert not run_path(tmp_path, trial.number).exists()


def test_a_covariance_that_is_not_finite_prunes_the_trial(tmp_path, monkeypatch):
    trainings = Trainings(plan(), discover, tmp_path)
    make = trainings._experiment

    def spoilt(config):
        experiment = make(config)
        predict = experiment.model.predict

        def broken(problem):
            covariance = predict(problem)
            training = experiment.model.training
            return covariance if training else Covariance(covariance.factor * math.nan)

        experiment.model.predict = broken
        return experiment

    monkeypatch.setattr(trainings, "_experiment", spoilt)
    study = optuna.create_study()
    study.enqueue_trial({}, user_attrs={"role": "default"})
    study.optimize(trainings, n_trials=1)
    [trial] = study.trials
    assert trial.state == TrialState.PRUNED
    assert trial.user_attrs[REASON] == "covariance not finite after epoch 1"


def test_scenes_that_do_not_tell_the_number_of_sources_cannot_judge(tmp_path):
    changes = {"scenario": "unknown-sources"}
    base = plan().base.model_dump() | changes | {"options": {}}
    own = plan()
    own = type(own)(**{**vars(own), "base": type(own.base).of(base)})
    with pytest.raises(InputError, match="tell the number of sources"):
        Trainings(own, discover, tmp_path)


def test_the_chain_behind_cached_covariances_is_that_of_the_model(done):
    folder, shared = done
    registry, own = discover(), plan(refine=("nf-mle",))
    best = min(shared.finished, key=lambda each: each.value)
    run = run_path(folder, best.number)
    made = cached(own, type(own.base).of(best.user_attrs[CONFIG]), run, registry)
    options = {
        "hybrid": {"beta": 0.4, "shrinkage": 0.05},
        "nf-mle": {"search": False},
    }
    fields = Refinement(own, registry, made).fields(options)
    chain = build_chain(
        registry, model="hybrid", chain=own.whole_chain, settings=options, checkpoint=run
    )
    assert chain.model.beta == 0.4
    held_out = {"held_out_scenes": own.base.validation_scenes}
    config = type(own.base).of(own.base.model_dump() | held_out)
    truths = Experiment.of(config, registry).scenes.held_out()
    assert capped_angle(fields) == pytest.approx(naive(chain, truths)[0], rel=1e-3)
    plain = Refinement(own, registry, made).fields({})
    assert capped_angle(plain) != pytest.approx(capped_angle(fields), rel=1e-6)


def test_weights_that_lie_elsewhere_are_made_again(done, tmp_path):
    folder, shared = done
    registry, own = discover(), plan()
    best = min(shared.finished, key=lambda each: each.value)
    config = type(own.base).of(best.user_attrs[CONFIG])
    here = cached(own, config, run_path(folder, best.number), registry)
    elsewhere = cached(own, config, tmp_path / "run", registry)
    torch.testing.assert_close(here[0].covariance.factor, elsewhere[0].covariance.factor)
    assert load_model(tmp_path / "run", registry)[1].epoch in {1, 2}
