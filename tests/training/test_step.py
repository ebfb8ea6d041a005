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
from risdoa.training.step import TrainingStep, gradient_norms, is_breakdown
from tests.losses.scenes import truth_of
from tests.training.small import experiment


class Factor(nn.Module):
    """A model that is its own answer."""

    def __init__(self, scenes):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.random.manual_seed(0)  # layers draw from the global generator
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
        step(lambda: truth)
        step(lambda: truth)
    assert calls == ["scale", "unscale", "clip", "step", "update", "schedule"] * 2


@pytest.mark.parametrize("amp", [False, True])
@pytest.mark.parametrize("spoilt", [math.nan, math.inf, "gradient"])
def test_a_batch_that_is_not_finite_updates_nothing_and_is_told(amp, spoilt):
    calls = []
    step, truth = step_of(Spoilt([spoilt, 0.0]), calls, amp)
    before = {name: value.clone() for name, value in step.model.state_dict().items()}
    result = step(lambda: truth)
    assert result.skipped
    assert step.scheduler.last_epoch == 0
    assert "step" not in calls
    assert "schedule" not in calls
    assert calls[-1] == "update"
    after = step.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not step(lambda: truth).skipped
    assert step.scheduler.last_epoch == 1


def test_a_decomposition_that_breaks_down_is_a_skipped_batch():
    step, truth = step_of(Spoilt(["breakdown", 0.0]))
    result = step(lambda: truth)
    assert result.skipped
    assert math.isnan(result.loss)
    assert not step(lambda: truth).skipped


class Phases(Loss):
    """A loss on the phases of eigenvectors, which have none: torch refuses its gradient."""

    def __init__(self, steps):
        self.steps = iter(steps)

    def __call__(self, covariance, truth):
        vectors = torch.linalg.eigh(covariance.dense()).eigenvectors
        return vectors.real.sum((1, 2)) if next(self.steps) else vectors.abs().sum((1, 2))


def test_torch_says_that_the_gradient_is_not_defined_by_a_plain_error():
    """What the step tells from other errors by its message."""
    covariance = Factor(2)(None)
    loss = Phases([True])(covariance, None).sum()
    with pytest.raises(RuntimeError) as caught:
        loss.backward()
    assert type(caught.value) is RuntimeError
    assert is_breakdown(caught.value)


@pytest.mark.parametrize("amp", [False, True])
@pytest.mark.parametrize("refused", [(True, True), (True, False), (False, True)])
def test_a_gradient_that_torch_refuses_is_a_skipped_batch(amp, refused):
    step, truth = step_of(Phases([*refused, False, False]), amp=amp)
    before = {name: value.clone() for name, value in step.model.state_dict().items()}
    result = step(lambda: truth, lambda: truth)
    assert result.skipped
    assert not result.overflow
    assert math.isnan(result.loss)
    after = step.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not step(lambda: truth, lambda: truth).skipped


def test_another_error_in_the_backward_pass_is_an_error():
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx, value):
            return value.clone()

        @staticmethod
        def backward(ctx, slope):
            raise RuntimeError("out of memory")

    class Failing(Loss):
        def __call__(self, covariance, truth):
            return Broken.apply(covariance.energy())

    step, truth = step_of(Failing())
    with pytest.raises(RuntimeError, match="out of memory"):
        step(lambda: truth)


def test_norms_are_of_unscaled_unclipped_gradients_by_group():
    plain, truth = step_of()
    scaled, _ = step_of(amp=True)
    scaled.model.load_state_dict(plain.model.state_dict())
    expected = plain(lambda: truth).gradients
    assert list(expected) == ["backbone", "head"]
    assert scaled(lambda: truth).gradients == pytest.approx(expected, rel=1e-4)
    torch.testing.assert_close(
        torch.tensor(math.hypot(*gradient_norms(plain.model).values())).clamp_max(1.0),
        torch.tensor(min(1.0, math.hypot(*expected.values()))),
    )


def test_a_detached_prediction_is_refused_in_training_only():
    class Detached(Factor):
        def forward(self, problem):
            return super().forward(problem).detach()

    step, truth = step_of()
    step.model = step.replica = Detached(truth.problem.scenes)
    with pytest.raises(RisdoaError, match="lost its gradients"):
        step(lambda: truth)
    step.model.eval()
    with torch.no_grad():
        covariance = step._forward(truth)
    assert not covariance.factor.requires_grad


@pytest.mark.parametrize("amp", ["bfloat16", "float16"])
def test_autocast_trains_the_network_and_float16_has_a_scaler(amp):
    made = experiment(amp=amp)
    step = training_step(made, 10)
    assert step.scaler.is_enabled() == (amp == "float16")
    made.model.train()
    results = [step(lambda: made.scenes.batch(0, 0)) for _ in range(4)]
    counted = [result.loss for result in results if not result.skipped]
    assert all(result.overflow for result in results if result.skipped)
    assert len(counted) >= 2
    assert counted[-1] < counted[0]


def test_the_network_alone_runs_in_autocast():
    seen = []

    class Watched(Loss):
        def __call__(self, covariance, truth):
            seen.append((torch.is_autocast_enabled("cpu"), covariance.factor.dtype))
            return covariance.factor.abs().square().sum((1, 2))

    made = experiment(amp="float16")
    step = training_step(made, 10)
    weight = Weight.of(1.0)
    step.loss = Combination([Term("watched", Watched(), weight)])
    layers = []
    made.model.backbone.entry.register_forward_hook(
        lambda module, inputs, output: layers.append(output.dtype)
    )
    made.model.train()
    step(lambda: made.scenes.batch(0, 0))
    assert seen == [(False, torch.complex64)]
    assert layers == [torch.float16]


def test_a_scale_that_is_too_large_is_told_apart_and_halved():
    step, truth = step_of(amp=True)
    step.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**126)
    results = [step(lambda: truth) for _ in range(40)]
    assert results[0].overflow
    assert results[0].skipped
    assert math.isfinite(results[0].loss)
    assert not results[-1].skipped
    assert step.scheduler.last_epoch == sum(not result.skipped for result in results)


def test_a_loss_that_is_not_finite_is_no_overflow():
    step, truth = step_of(Spoilt([math.nan]), amp=True)
    result = step(lambda: truth)
    assert result.skipped
    assert not result.overflow


def test_parts_of_a_batch_add_up_to_its_gradient():
    whole, parted = (training_step(experiment(), 10) for _ in range(2))
    truth = experiment(batch_size=8).scenes.batch(0, 0)
    halves = [truth.select(part) for part in torch.arange(8).split(4)]
    for step in (whole, parted):
        step.model.train()
    one = whole(lambda: truth)
    two = parted(*(lambda half=half: half for half in halves))
    assert two.loss == pytest.approx(one.loss, rel=1e-5)
    assert two.parts == pytest.approx(one.parts, rel=1e-5)
    assert two.gradients == pytest.approx(one.gradients, rel=1e-4)


def test_weights_grow_with_the_steps():
    step, truth = step_of()
    step.total = 3
    step.loss = Combination([Term("nmse", Nmse(), Weight(0.0, 1.0))])
    results = [step(lambda: truth) for _ in range(4)]
    shares = [result.loss / result.parts["nmse"] for result in results]
    assert shares == pytest.approx([0.0, 0.5, 1.0, 1.0])


def test_every_phase_is_told():
    step, truth = step_of()
    phases = []
    step.lap = phases.append
    step(lambda: truth)
    assert phases == ["data", "forward", "loss", "backward", "optimizer"]
