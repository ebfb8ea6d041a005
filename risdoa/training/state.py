"""The state of a training between two steps, as tensors and JSON: enough to go on from.

Scenes need none: each is a function of the seed and its place (:mod:`risdoa.training.data`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from risdoa.training.step import TrainingStep

OPTIMIZER = "optimizer/"


def capture(step: TrainingStep) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors, and the rest as JSON, of optimizer, schedule and scaler."""
    optimizer = step.optimizer.state_dict()
    tensors = {
        f"{OPTIMIZER}{index}/{name}": value
        for index, slots in optimizer["state"].items()
        for name, value in slots.items()
    }
    rest = {
        "optimizer": optimizer["param_groups"],
        "scheduler": step.scheduler.state_dict(),
        "scaler": step.scaler.state_dict(),
    }
    return tensors, rest


def restore(step: TrainingStep, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> None:
    """Put a captured state back; the weights are restored apart from it."""
    slots: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(OPTIMIZER):
            index, name = key.removeprefix(OPTIMIZER).split("/")
            slots.setdefault(int(index), {})[name] = value
    step.optimizer.load_state_dict({"state": slots, "param_groups": rest["optimizer"]})
    step.scheduler.load_state_dict(rest["scheduler"])
    step.scaler.load_state_dict(rest["scaler"])
