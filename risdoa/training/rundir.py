"""The folder of a training: configuration, environment, plugins, metrics, checkpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from risdoa.errors import InputError
from risdoa.files import write_text
from risdoa.registry import Registry
from risdoa.training.config import TrainConfig, read_config
from risdoa.training.origin import changes, environment

RUNS = Path("runs")

_HINT = "give the folder of a run that `risdoa train` began"


@dataclass
class RunDirectory:
    """A run directory; every file in it is replaced as a whole.

    ``config.toml`` (``risdoa train`` repeats the run from it), ``environment.json``,
    ``plugins.json``, ``metrics.jsonl`` (a line an epoch), ``resumed.jsonl`` (a line each time it
    was gone on with), ``summary.json`` and, in ``checkpoints/``, ``best.safetensors`` and the
    newest ``step-….safetensors``, each with a ``.json`` beside it.

    Attributes:
        writes: Whether this process writes; of several that train together, one does.
    """

    path: Path
    writes: bool = True
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
                f"the run directory {path} is not empty",
                "give another --out, go on with a run by --resume, or remove it",
            )
        return cls(path)

    @classmethod
    def existing(cls, path: Path) -> RunDirectory:
        """Return the folder of a run that has begun.

        Raises:
            InputError: if it is none.
        """
        for file in (path, path / "config.toml", path / "environment.json", path / "plugins.json"):
            if not file.exists():
                raise InputError(f"{path} is not a run directory: there is no {file}", _HINT)
        return cls(path)

    def config(self) -> TrainConfig:
        """Return the configuration of the run.

        Raises:
            InputError: if it cannot be read.
        """
        return TrainConfig.of(read_config(self.path / "config.toml"))

    def describe(self, config: TrainConfig, registry: Registry) -> None:
        """Write what the run is, before it starts."""
        if self.writes:
            write_text(self.path / "config.toml", config.text())
        self.write_json("environment.json", environment(config, registry))
        plugins = {"schema": "risdoa.run-plugins/1", "plugins": registry.used()}
        self.write_json("plugins.json", plugins)

    def note_resumption(self, step: int, config: TrainConfig, registry: Registry) -> list[str]:
        """Write that the run goes on from a step; return what has changed since it began.

        Raises:
            InputError: if the files of the run are damaged.
        """
        then = self.read_json("environment.json") | self.read_json("plugins.json")
        now = environment(config, registry)
        differ = changes(then, now | {"plugins": registry.used()})
        record = {"schema": "risdoa.resumed/1", "step": step, "changes": differ, "environment": now}
        if self.writes:
            path = self.path / "resumed.jsonl"
            lines = path.read_text("utf-8") if path.is_file() else ""
            write_text(path, lines + json.dumps(record, allow_nan=False) + "\n")
        return differ

    def summary(self) -> dict[str, Any] | None:
        """Return what the training came to, or None if it is not finished."""
        present = (self.path / "summary.json").is_file()
        return self.read_json("summary.json") if present else None

    def read_json(self, name: str) -> dict[str, Any]:
        """Return what a JSON file of the run says.

        Raises:
            InputError: if it is damaged.
        """
        return _object(self.path / name, _text(self.path / name))

    def write_json(self, name: str, value: object) -> None:
        """Write a JSON file."""
        if self.writes:
            write_text(self.path / name, json.dumps(value, indent=2, allow_nan=False) + "\n")

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a line to the metrics."""
        self._metrics.append(json.dumps(record, allow_nan=False))
        if self.writes:
            write_text(self.path / "metrics.jsonl", "\n".join(self._metrics) + "\n")

    def metrics(self, epochs: int) -> list[dict[str, Any]]:
        """Return the lines of the first epochs; further ones are written anew.

        Raises:
            InputError: if there are fewer, or they are damaged.
        """
        path = self.path / "metrics.jsonl"
        lines = _text(path).splitlines() if epochs else []
        if len(lines) < epochs:
            raise InputError(f"{path} lacks epoch {len(lines) + 1}: the run is damaged", _HINT)
        self._metrics = lines[:epochs]
        return [_object(path, line) for line in self._metrics]

    def best(self) -> Path:
        """Return where the best weights go."""
        return self.path / "checkpoints" / "best.safetensors"

    def state(self, step: int) -> Path:
        """Return where the state after a step goes."""
        return self.path / "checkpoints" / f"step-{step:08d}.safetensors"

    def states(self) -> list[Path]:
        """Return the states that there are, the newest last."""
        return sorted(self.path.glob("checkpoints/step-*.safetensors"))

    def prune(self, keep: int) -> None:
        """Remove all states but the newest."""
        for path in self.states()[:-keep]:
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)


def default_path(config: TrainConfig) -> Path:
    """Return a folder under ``runs/`` that does not exist yet, named after the run."""
    loss = config.loss.replace("/", "-").replace(",", "+")
    base = RUNS / f"{config.scenario.replace('/', '-')}-{loss}-seed{config.seed}"
    path, number = base, 1
    while path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}")
    return path


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}", _HINT) from error


def _object(path: Path, text: str) -> dict[str, Any]:
    """Return the object that a JSON text is."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is damaged: {error}", _HINT) from error
    if not isinstance(value, dict):
        raise InputError(f"{path} is damaged: it is not an object", _HINT)
    return value
