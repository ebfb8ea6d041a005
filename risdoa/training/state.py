"""The state of a training between two epochs, as tensors and JSON: enough to go on from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from risdoa.training.step import TrainingStep

OPTIMIZER = "optimizer/"
GENERATOR = "generator/training"


def capture(
    step: TrainingStep, source: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors, and the rest as JSON, of optimizer, schedule, scaler and generator."""
    optimizer = step.optimizer.state_dict()
    tensors = {
        f"{OPTIMIZER}{index}/{name}": value
        for index, slots in optimizer["state"].items()
        for name, value in slots.items()
    }
    tensors[GENERATOR] = source.get_state()
    rest = {
        "optimizer": optimizer["param_groups"],
        "scheduler": step.scheduler.state_dict(),
        "scaler": step.scaler.state_dict(),
    }
    return tensors, rest


def restore(
    step: TrainingStep,
    source: torch.Generator,
    tensors: Mapping[str, Tensor],
    rest: Mapping[str, Any],
) -> None:
    """Put a captured state back; the weights are restored apart from it."""
    slots: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(OPTIMIZER):
            index, name = key.removeprefix(OPTIMIZER).split("/")
            slots.setdefault(int(index), {})[name] = value
    step.optimizer.load_state_dict({"state": slots, "param_groups": rest["optimizer"]})
    step.scheduler.load_state_dict(rest["scheduler"])
    step.scaler.load_state_dict(rest["scaler"])
    source.set_state(tensors[GENERATOR])
