"""Losses that break down, one of which has a search space; a distribution that is not installed."""

from __future__ import annotations

import torch

from risdoa.losses.base import Loss
from risdoa.registry.hookspecs import hookimpl
from risdoa.registry.records import Plugin


class Fragile(Loss):
    """Fine up to a batch, counted from 0, whose gradient is not finite though its value is."""

    def __init__(self, batch: int = 1) -> None:
        self.left = batch

    def __call__(self, covariance, truth):
        power = covariance.trace() * 1e-6
        if not torch.is_grad_enabled():
            return power
        self.left -= 1
        return power + torch.sqrt(power * 0) if self.left < 0 else power


def space(trial):
    return {"batch": trial.suggest_int("batch", 0, 3)}


def misspelt(trial):
    return {"bach": trial.suggest_int("bach", 0, 3)}


def forgetful(trial):
    trial.suggest_int("batch", 0, 3)


def failing(trial):
    return trial.suggest_normal("batch")


@hookimpl
def risdoa_losses():
    for name in ("fragile", "misspelt", "forgetful", "failing"):
        place = "space" if name == "fragile" else name
        traits = ("true-steering", "differentiable")
        here = "tests.tuning.fragile"
        yield Plugin(name, f"{here}:Fragile", "Breaks.", traits=traits, space=f"{here}:{place}")
