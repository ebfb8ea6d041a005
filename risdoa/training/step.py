"""One training step, in the seed's order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.linalg import LinAlgError  # type: ignore[attr-defined]

from risdoa.covariance import Covariance
from risdoa.errors import RisdoaError
from risdoa.losses.combination import Combination
from risdoa.problem import Truth
from risdoa.training.team import Team, apart

Lap = Callable[[str], None]
"""Told the name of a phase when it is over: data, forward, loss, backward, optimizer."""


def _untimed(_phase: str) -> None:
    """Let a phase pass."""


@dataclass(frozen=True)
class StepResult:
    """What a step saw.

    Attributes:
        loss: Mean over the batch of the weighted sum.
        parts: Mean over the batch of every term, before weighting.
        gradients: Unscaled norms before clipping, by group of parameters.
        skipped: Whether loss or gradient was not finite, so that nothing was updated.
        overflow: Whether that was a finite loss whose scale for float16 was too large.
    """

    loss: float
    parts: dict[str, float]
    gradients: dict[str, float]
    skipped: bool
    overflow: bool = False


@dataclass
class TrainingStep:
    """Backward, unscale once, norms, clip, optimizer, scaler, scheduler — in this order.

    A batch with a loss or a gradient that is not finite updates neither weights nor schedule. It
    may come in equal parts: their gradients add up to that of the whole batch, here and over the
    processes of the team.

    Attributes:
        total: Real steps of the whole training, which the weights of the loss may depend on.
        precision: What the network computes in under autocast; None leaves autocast alone.
        lap: Told when a phase of the step is over.
    """

    model: nn.Module
    loss: Combination
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    scaler: torch.amp.GradScaler
    clip_norm: float = 1.0
    total: int = 1
    precision: torch.dtype | None = None
    team: Team = field(default_factory=Team)
    lap: Lap = _untimed

    def __post_init__(self) -> None:
        """Give the model its copies in the other processes."""
        self.replica = self.team.replica(self.model)

    @property
    def progress(self) -> float:
        """Where in the training this step is: 0 at the first one, 1 at the last."""
        return min(1.0, self.scheduler.last_epoch / max(1, self.total - 1))

    def __call__(self, *draws: Callable[[], Truth]) -> StepResult:
        """Do one step on the scenes that ``draws`` return, each of which is asked once.

        Raises:
            RisdoaError: if the predicted covariance carries no gradient in training.
        """
        self.optimizer.zero_grad(set_to_none=True)
        *first, last = draws
        with apart(self.replica):
            means = [self._part(draw, len(draws)) for draw in first]
        means.append(self._part(last, len(draws)))
        value, *terms = self._batch_means(means)
        self.scaler.unscale_(self.optimizer)
        gradients = gradient_norms(self.model)
        finite = math.isfinite(value) and all(map(math.isfinite, gradients.values()))
        if finite:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
            self.scaler.step(self.optimizer)
        self.scaler.update()
        if finite:
            self.scheduler.step()
        self.lap("optimizer")
        parts = dict(zip(self._names, terms, strict=True))
        overflow = not finite and math.isfinite(value) and self.scaler.is_enabled()
        return StepResult(value, parts, gradients, skipped=not finite, overflow=overflow)

    @property
    def _names(self) -> list[str]:
        return [term.name for term in self.loss.terms]

    def _batch_means(self, means: list[Tensor]) -> list[float]:
        """Return loss and terms over the parts of all processes."""
        total: list[float] = self.team.total(torch.stack(means).mean(0)).tolist()
        return [value / self.team.size for value in total]

    def _part(self, draw: Callable[[], Truth], count: int) -> Tensor:
        """Add the gradient of one of ``count`` parts; return the means of loss and terms."""
        truth = draw()
        self.lap("data")
        covariance = self._forward(truth)
        self.lap("forward")
        value, terms = self._value(covariance, truth)
        self.lap("loss")
        try:
            self.scaler.scale(value / count).backward()
        except RuntimeError as error:
            if not is_breakdown(error):
                raise
            value, terms = self._broken(covariance)
            self.scaler.scale(value).backward()
        self.lap("backward")
        return torch.stack([value, *terms]).detach()

    def _forward(self, truth: Truth) -> Covariance:
        device, enabled = truth.problem.snapshots.values.device.type, self.precision is not None
        with torch.autocast(device, self.precision, enabled=enabled):
            covariance: Covariance = self.replica(truth.problem)
        require_gradients(covariance, self.model)
        return covariance

    def _value(self, covariance: Covariance, truth: Truth) -> tuple[Tensor, list[Tensor]]:
        """Return the mean loss and the means of its terms.

        Where a decomposition in the loss breaks down they are NaN, and so is the gradient, in this
        process and in those that wait for it.
        """
        try:
            parts = self.loss.parts(covariance, truth)
        except LinAlgError:
            return self._broken(covariance)
        value = self.loss.at(self.progress).weighted(parts).mean()
        return value, [parts[name].mean() for name in self._names]

    def _broken(self, covariance: Covariance) -> tuple[Tensor, list[Tensor]]:
        """Return NaN for the loss and its terms, with a gradient of NaN."""
        broken = covariance.factor.real.sum() * math.nan
        return broken, [broken] * len(self._names)


def is_breakdown(error: RuntimeError) -> bool:
    """Tell whether a backward pass failed in a decomposition, which spoils this batch alone.

    Where eigenvalues are equal, torch may find the gradient of eigenvectors not defined, and says
    so by a plain RuntimeError.
    """
    text = str(error)
    refused = text.startswith("linalg_eigh_backward:") and "ill-defined" in text
    return refused or isinstance(error, LinAlgError)


def require_gradients(covariance: Covariance, model: nn.Module) -> None:
    """Check that R carries gradients, in training only: validation has none and needs none.

    Raises:
        RisdoaError: if it should and does not.
    """
    training = torch.is_grad_enabled() and model.training
    if training and not covariance.factor.requires_grad:
        raise RisdoaError(
            "the predicted covariance lost its gradients in training",
            "the model must not detach its prediction",
        )


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """Return the norm of the gradient of every group: the model's top-level children.

    Parameters of the model itself are a group called ``own``.
    """
    groups: dict[str, Iterable[nn.Parameter]] = {
        name: child.parameters() for name, child in model.named_children()
    }
    groups["own"] = model.parameters(recurse=False)
    norms = {name: _norm(parameters) for name, parameters in groups.items()}
    return {name: norm for name, norm in norms.items() if norm is not None}


def _norm(parameters: Iterable[nn.Parameter]) -> float | None:
    norms = [
        torch.linalg.vector_norm(parameter.grad)
        for parameter in parameters
        if parameter.grad is not None
    ]
    return torch.linalg.vector_norm(torch.stack(norms)).item() if norms else None
