"""What learned covariance models share, and what is mixed in at inference."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import torch

from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.models.base import Model
from risdoa.models.sample import Sample
from risdoa.problem import Problem

if TYPE_CHECKING:
    from optuna import Trial

BATCH = 64
"""Scenes that inference works on at once, which bounds the memory."""


def inference_space(trial: Trial) -> dict[str, float]:
    """Return β and α, which every learned model has and no training depends on."""
    return {
        "beta": trial.suggest_float("beta", 0.0, 1.0),
        "shrinkage": trial.suggest_float("shrinkage", 1e-4, 0.3, log=True),
    }


class LearnedModel(torch.nn.Module, Model):
    """A network that predicts a covariance.

    Subclasses write :meth:`predict`. Losses see its R, in training and in validation. A call in
    eval mode gives what estimation gets:

        R ← β R/tr(R)·N + (1 - β) S/tr(S)·N  with S the classical covariance, then
        R ← (1 - α)R + α tr(R)/N · I.

    Top-level children (``backbone``, ``head``) are the groups whose gradient norms are reported.

    Args:
        beta: β in [0, 1]; 1 takes the network alone.
        shrinkage: α in [0, 1).

    Raises:
        InputError: for β or α outside these bounds.
    """

    def __init__(self, beta: float = 1.0, shrinkage: float = 0.0) -> None:
        super().__init__()
        if not 0 <= beta <= 1:
            raise InputError(f"beta must lie in [0, 1], got {beta!r}")
        if not 0 <= shrinkage < 1:
            raise InputError(f"shrinkage must lie in [0, 1), got {shrinkage!r}")
        self.beta, self.shrinkage = beta, shrinkage

    @abstractmethod
    def predict(self, problem: Problem) -> Covariance:
        """Return the network's own R, before blending and shrinkage; see :meth:`Model.__call__`."""

    def forward(self, problem: Problem) -> Covariance:
        """Return R; in eval mode blended and shrunk, and computed a batch of scenes at a time."""
        if self.training:
            return self.predict(problem)
        covariance = predicted(self, problem)
        sample = Sample()
        blend = self.beta < 1 and sample.supports(problem)
        classical = sample(problem) if blend else None
        return tempered(covariance, classical, self.beta, self.shrinkage)


def tempered(
    covariance: Covariance, classical: Covariance | None, beta: float, shrinkage: float
) -> Covariance:
    """Return R blended with the classical covariance, where there is one, and then shrunk."""
    if beta < 1 and classical is not None:
        covariance = covariance.blended(classical, beta)
    return covariance.shrunk(shrinkage) if shrinkage > 0 else covariance


def predicted(
    model: LearnedModel, problem: Problem, device: torch.device | str | None = None
) -> Covariance:
    """Return the network's own R, computed a batch of scenes at a time and kept on ``device``.

    Without one it stays where it is computed.
    """
    batches = torch.arange(problem.scenes).split(BATCH)
    parts = [model.predict(problem.select(scenes)) for scenes in batches]
    loads = [part.load.to(device) for part in parts if part.load is not None]
    factor = torch.cat([part.factor.to(device) for part in parts])
    return Covariance(factor, torch.cat(loads) if loads else None)
