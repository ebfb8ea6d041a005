"""A search that takes seconds."""

from __future__ import annotations

from risdoa.registry import Registry
from risdoa.training.config import TrainConfig, merged
from risdoa.tuning.plan import Plan
from tests.training.small import ARGUMENTS, SETTINGS

SIZES = {
    "epochs": 2,
    "steps_per_epoch": 2,
    "batch_size": 4,
    "validation_scenes": 6,
    "held_out_scenes": 6,
}
COMMAND = [
    "hpo", *ARGUMENTS, "--epochs", "2", "--steps-per-epoch", "2", "--batch-size", "4",
    "--validation-scenes", "6", "--held-out-scenes", "6", "--losses", "gt-projection,chordal",
]  # fmt: skip


def discover(*extra):
    return Registry.discover({"RISDOA_PLUGINS_ALLOW": ""}, extra=extra)


def plan(changes=None, **own):
    """Return a plan, some of it changed."""
    settings = {
        "space": "wide",
        "losses": ("gt-projection", "chordal"),
        "chain": ("music", "newton"),
        "refine": (),
        "fixed": SETTINGS["options"],
        "pruner": "median",
        "trials": 3,
        "chain_trials": 2,
    }
    return Plan(base=TrainConfig.of(merged(SETTINGS, SIZES, changes or {})), **settings | own)
