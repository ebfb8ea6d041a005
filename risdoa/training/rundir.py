"""The folder of a training: configuration, environment, plugins, metrics, checkpoints."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from risdoa.errors import InputError
from risdoa.evaluation.provenance import versions
from risdoa.files import write_text
from risdoa.registry import Registry
from risdoa.training.config import TrainConfig

RUNS = Path("runs")


@dataclass
class RunDirectory:
    """A run directory; every file in it is replaced as a whole.

    ``config.toml`` (``risdoa train`` repeats the run from it), ``environment.json``,
    ``plugins.json``, ``metrics.jsonl`` (a line an epoch), ``summary.json`` and
    ``checkpoints/{best,last}.safetensors``, each with a ``.json`` beside it.
    """

    path: Path
    _metrics: list[str] = field(default_factory=list)

    @classmethod
    def create(cls, path: Path) -> RunDirectory:
        """Make the folder.

        Raises:
            InputError: if it exists and is not empty, or cannot be made.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            occupied = any(path.iterdir())
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"cannot use {path} as a run directory: {reason}") from error
        if occupied:
            raise InputError(
                f"the run directory {path} is not empty", "give another --out, or remove it"
            )
        return cls(path)

    def describe(self, config: TrainConfig, registry: Registry) -> None:
        """Write what the run is, before it starts."""
        write_text(self.path / "config.toml", config.text())
        environment = {
            **{key: text for key, text in versions(registry).items() if key != "plugins"},
            "system": platform.system(),
            "machine": platform.machine(),
            "cpus": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "device": config.device,
        }
        self.write_json("environment.json", environment)
        self.write_json(
            "plugins.json", {"schema": "risdoa.run-plugins/1", "plugins": registry.used()}
        )

    def write_json(self, name: str, value: object) -> None:
        """Write a JSON file."""
        write_text(self.path / name, json.dumps(value, indent=2, allow_nan=False) + "\n")

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a line to the metrics."""
        self._metrics.append(json.dumps(record, allow_nan=False))
        write_text(self.path / "metrics.jsonl", "\n".join(self._metrics) + "\n")

    def checkpoint(self, name: str) -> Path:
        """Return where a checkpoint goes."""
        return self.path / "checkpoints" / f"{name}.safetensors"


def default_path(config: TrainConfig) -> Path:
    """Return a folder under ``runs/`` that does not exist yet, named after the run."""
    loss = config.loss.replace("/", "-").replace(",", "+")
    base = RUNS / f"{config.scenario.replace('/', '-')}-{loss}-seed{config.seed}"
    path, number = base, 1
    while path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}")
    return path
