"""A training that takes a second."""

from __future__ import annotations

from risdoa.registry import Registry
from risdoa.training.config import TrainConfig, merged
from risdoa.training.experiment import Experiment

SETTINGS = {
    "epochs": 4,
    "steps_per_epoch": 10,
    "batch_size": 32,
    "learning_rate": 5e-3,
    "sources": 1,
    "snr_db": 15.0,
    "validation_scenes": 20,
    "held_out_scenes": 12,
    "options": {
        "canonical": {"nx": 6, "ny": 6, "snapshots": 6},
        "hybrid": {"channels": 8, "width": 16, "depth": 1, "layers": 1, "heads": 2, "anchors": 8},
    },
}
ARGUMENTS = [
    argument
    for plugin, options in SETTINGS["options"].items()
    for option, value in options.items()
    for argument in ("--set", f"{plugin}.{option}={value}")
]


def config(**changes):
    """Return the settings, some of them changed."""
    return TrainConfig.of(merged(SETTINGS, changes))


def experiment(**changes):
    """Return what the settings name."""
    return Experiment.of(config(**changes), Registry.discover({"RISDOA_PLUGINS_ALLOW": ""}))
