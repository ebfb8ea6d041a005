"""One training step, in the seed's order."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.linalg import LinAlgError  # type: ignore[attr-defined]

from risdoa.covariance import Covariance
from risdoa.errors import RisdoaError
from risdoa.losses.combination import Combination
from risdoa.problem import Truth


@dataclass(frozen=True)
class StepResult:
    """What a step saw.

    Attributes:
        loss: Mean over the batch of the weighted sum.
        parts: Mean over the batch of every term, before weighting.
        gradients: Unscaled norms before clipping, by group of parameters.
        skipped: Whether loss or gradient was not finite, so that nothing was updated.
    """

    loss: float
    parts: dict[str, float]
    gradients: dict[str, float]
    skipped: bool


@dataclass
class TrainingStep:
    """Backward, unscale once, norms, clip, optimizer, scaler, scheduler — in this order.

    A batch with a loss or a gradient that is not finite updates neither weights nor schedule.
    """

    model: nn.Module
    loss: Combination
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    scaler: torch.amp.GradScaler
    clip_norm: float = 1.0
    amp: bool = False

    def __call__(self, truth: Truth) -> StepResult:
        """Do one step on the scenes of ``truth``.

        Raises:
            RisdoaError: if the predicted covariance carries no gradient in training.
        """
        self.optimizer.zero_grad(set_to_none=True)
        try:
            value, parts = self._forward(truth)
            self.scaler.scale(value).backward()
        except LinAlgError:  # a decomposition in the loss broke down
            return StepResult(math.nan, {}, {}, skipped=True)
        self.scaler.unscale_(self.optimizer)
        gradients = gradient_norms(self.model)
        finite = math.isfinite(value.item()) and all(map(math.isfinite, gradients.values()))
        if finite:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
            self.scaler.step(self.optimizer)
        self.scaler.update()
        if finite:
            self.scheduler.step()
        means = {name: part.detach().mean().item() for name, part in parts.items()}
        return StepResult(value.item(), means, gradients, skipped=not finite)

    def _forward(self, truth: Truth) -> tuple[Tensor, dict[str, Tensor]]:
        values = truth.problem.snapshots.values
        with torch.autocast(values.device.type, torch.bfloat16, enabled=self.amp):
            covariance = self.model(truth.problem)
        require_gradients(covariance, self.model)
        parts = self.loss.parts(covariance, truth)
        return self.loss.weighted(parts).mean(), parts


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
