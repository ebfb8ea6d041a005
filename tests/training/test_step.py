"""The training step does what the seed asks for, in its order."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from torch import nn

from risdoa.covariance import Covariance
from risdoa.errors import RisdoaError
from risdoa.losses.base import Loss
from risdoa.losses.combination import Combination, Term
from risdoa.losses.gt_projection import GtProjection
from risdoa.losses.nmse import Nmse
from risdoa.losses.weight import Weight
from risdoa.training.loop import training_step
from risdoa.training.schedule import warmed_cosine
from risdoa.training.step import TrainingStep, gradient_norms
from tests.losses.scenes import truth_of
from tests.training.small import experiment


class Factor(nn.Module):
    """A model that is its own answer."""

    def __init__(self, scenes):
        super().__init__()
        self.backbone = nn.Linear(1, 16, bias=False)
        self.head = nn.Linear(16, 32, bias=False)
        self.scenes = scenes

    def forward(self, problem):
        flat = self.head(self.backbone(torch.ones((self.scenes, 1))))
        return Covariance(torch.view_as_complex(flat.reshape(-1, 16, 1, 2)))


class Spoilt(Loss):
    """A loss that is not finite in chosen steps, or whose gradient is not."""

    def __init__(self, values):
        self.values = iter(values)

    def __call__(self, covariance, truth):
        value = next(self.values)
        if value == "gradient":
            zero = covariance.factor.real.sum((1, 2)) * 0
            return torch.sqrt(zero)
        if value == "breakdown":
            raise torch.linalg.LinAlgError("no convergence")
        return covariance.factor.real.sum((1, 2)) * 0 + value


class Recorder:
    """Wraps an object and writes down which of its methods are called."""

    def __init__(self, wrapped, calls, names):
        self._wrapped, self._calls, self._names = wrapped, calls, names

    def __getattr__(self, name):
        value = getattr(self._wrapped, name)
        if name not in self._names:
            return value

        def called(*arguments, **options):
            self._calls.append(self._names[name])
            return value(*arguments, **options)

        return called


def step_of(loss=None, calls=None, amp=False):
    truth = truth_of(0, 2).to(dtype=torch.complex64)
    model = Factor(truth.problem.scenes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    scheduler = warmed_cosine(optimizer, 10)
    scaler = torch.amp.GradScaler("cpu", enabled=amp)
    terms = [
        Term("nmse", Nmse(), Weight.of(1.0)),
        Term("gt-projection", GtProjection(), Weight.of(0.05)),
    ]
    loss = Combination(terms if loss is None else [*terms, Term("spoilt", loss, Weight.of(1.0))])
    if calls is not None:
        names = {"scale": "scale", "unscale_": "unscale", "step": "step", "update": "update"}
        scaler = Recorder(scaler, calls, names)
        scheduler = Recorder(scheduler, calls, {"step": "schedule"})
    return TrainingStep(model, loss, optimizer, scheduler, scaler, 1.0), truth


@pytest.mark.parametrize("amp", [False, True])
def test_order_of_a_step(amp, monkeypatch):
    calls = []
    step, truth = step_of(calls=calls, amp=amp)
    clip = nn.utils.clip_grad_norm_

    def clipped(parameters, norm):
        calls.append("clip")
        return clip(parameters, norm)

    monkeypatch.setattr(nn.utils, "clip_grad_norm_", clipped)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step(truth)
        step(truth)
    assert calls == ["scale", "unscale", "clip", "step", "update", "schedule"] * 2


@pytest.mark.parametrize("amp", [False, True])
@pytest.mark.parametrize("spoilt", [math.nan, math.inf, "gradient"])
def test_a_batch_that_is_not_finite_updates_nothing_and_is_told(amp, spoilt):
    calls = []
    step, truth = step_of(Spoilt([spoilt, 0.0]), calls, amp)
    before = {name: value.clone() for name, value in step.model.state_dict().items()}
    result = step(truth)
    assert result.skipped
    assert step.scheduler.last_epoch == 0
    assert "step" not in calls
    assert "schedule" not in calls
    assert calls[-1] == "update"
    after = step.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not step(truth).skipped
    assert step.scheduler.last_epoch == 1


def test_a_decomposition_that_breaks_down_is_a_skipped_batch():
    step, truth = step_of(Spoilt(["breakdown", 0.0]))
    result = step(truth)
    assert result.skipped
    assert math.isnan(result.loss)
    assert not step(truth).skipped


def test_norms_are_of_unscaled_unclipped_gradients_by_group():
    plain, truth = step_of()
    scaled, _ = step_of(amp=True)
    scaled.model.load_state_dict(plain.model.state_dict())
    expected = plain(truth).gradients
    assert list(expected) == ["backbone", "head"]
    assert scaled(truth).gradients == pytest.approx(expected, rel=1e-4)
    torch.testing.assert_close(
        torch.tensor(math.hypot(*gradient_norms(plain.model).values())).clamp_max(1.0),
        torch.tensor(min(1.0, math.hypot(*expected.values()))),
    )


def test_a_detached_prediction_is_refused_in_training_only():
    class Detached(Factor):
        def forward(self, problem):
            return super().forward(problem).detach()

    step, truth = step_of()
    step.model = Detached(truth.problem.scenes)
    with pytest.raises(RisdoaError, match="lost its gradients"):
        step(truth)
    step.model.eval()
    with torch.no_grad():
        value, _ = step._forward(truth)
    assert not value.requires_grad


def test_autocast_trains_the_network_with_a_scaler():
    made = experiment(amp=True)
    step = training_step(made, 10)
    assert step.scaler.is_enabled()
    truth = made.scenario.sample(4, torch.Generator().manual_seed(0))[1].to(dtype=torch.complex64)
    made.model.train()
    results = [step(truth) for _ in range(3)]
    assert not any(result.skipped for result in results)
    assert results[-1].loss < results[0].loss
