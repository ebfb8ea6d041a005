"""What a training is told: a validated configuration, its files and its presets."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from risdoa.errors import InputError, UnknownNameError
from risdoa.losses.grammar import parse_losses

Positive = Annotated[int, Field(ge=1)]


class TrainConfig(BaseModel):
    """Everything that a training depends on.

    Attributes:
        scenario: Where the scenes come from.
        model: The network.
        loss: What ``--loss`` says; see :func:`risdoa.losses.grammar.parse_losses`.
        seed: Of weights, training, validation and held-out scenes.
        epochs: Validations, and checkpoints.
        steps_per_epoch: Batches between them.
        batch_size: Scenes in a batch, drawn afresh for each.
        learning_rate: The largest one, of AdamW; warmed up, then falling as a half cosine.
        weight_decay: Of AdamW.
        clip_norm: The largest norm of a gradient.
        amp: Whether the network runs in bfloat16 (complex algebra never does).
        sources: Sources in every scene; None draws them as the scenario does.
        snr_db: SNR of every scene; None draws it as the scenario does.
        validation_scenes: Scenes that every epoch is validated on.
        held_out_scenes: Scenes of the table at the end; 0 leaves it out.
        device: Where the training runs.
        options: Options of the plugins, by plugin name.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    scenario: str = "canonical"
    model: str = "hybrid"
    loss: str = "gt-projection"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    epochs: Positive = 10
    steps_per_epoch: Positive = 60
    batch_size: Positive = 32
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    amp: bool = False
    sources: Positive | None = None
    snr_db: float | None = None
    validation_scenes: Positive = 200
    held_out_scenes: Annotated[int, Field(ge=0)] = 500
    device: str = "cpu"
    options: dict[str, dict[str, Any]] = {}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return the checked configuration.

        Raises:
            InputError: for an unknown key or an impossible value.
        """
        try:
            config = cls.model_validate(values)
        except ValidationError as error:
            problem = error.errors()[0]
            key = ".".join(str(part) for part in problem["loc"])
            hint = f"a training takes {', '.join(cls.model_fields)}"
            raise InputError(f"training option {key}: {problem['msg']}", hint) from error
        parse_losses(config.loss)
        return config

    def text(self) -> str:
        """Return the configuration as TOML."""
        return to_toml(self.model_dump())


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return layers of settings, the later ones winning; options are merged plugin by plugin."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if key == "options":
                options = result.setdefault("options", {})
                for plugin, settings in value.items():
                    options[plugin] = {**options.get(plugin, {}), **settings}
            else:
                result[key] = value
    return result


def read_config(path: Path) -> dict[str, Any]:
    """Return the settings in a TOML file.

    Raises:
        InputError: if it cannot be read as TOML.
    """
    try:
        return _checked(path, tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}", "give a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}", "see `risdoa train --help`") from error


def _checked(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    options = settings.get("options", {})
    if not isinstance(options, dict) or not all(isinstance(one, dict) for one in options.values()):
        raise InputError(
            f"{path}: options must be tables of plugins", "write [options.hybrid], say"
        )
    return settings


def preset_names() -> list[str]:
    """Return the names of the presets that come with risdoa."""
    folder = resources.files("risdoa.training") / "presets"
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.is_file())


def preset(name: str) -> dict[str, Any]:
    """Return the settings of a preset.

    Raises:
        UnknownNameError: if there is none of this name.
    """
    if name not in preset_names():
        raise UnknownNameError(
            f"no preset is called {name!r}", f"use {' or '.join(preset_names())}"
        )
    file = resources.files("risdoa.training") / "presets" / f"{name}.toml"
    return tomllib.loads(file.read_text("utf-8"))


def to_toml(settings: Mapping[str, Any], prefix: str = "") -> str:
    """Return nested settings as TOML; None, which TOML lacks, is left out at the top level."""
    lines, tables = [], []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            name = f"{prefix}{_key(key)}"
            body = to_toml(value, f"{name}.")
            plain = any(not isinstance(one, Mapping) for one in value.values())
            tables.append(f"\n[{name}]\n{body}" if plain else body)
        elif value is not None:
            lines.append(f"{_key(key)} = {_value(value)}\n")
        elif prefix:
            lines.append(f'{_key(key)} = "none"\n')
    return "".join(lines + tables)


def _key(key: str) -> str:
    bare = key.replace("-", "").replace("_", "")
    return key if bare.isascii() and bare.isalnum() else json.dumps(key)


def _value(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
