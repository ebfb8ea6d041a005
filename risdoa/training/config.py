"""What a training is told: a validated configuration, its files and its presets."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from risdoa.errors import InputError, UnknownNameError
from risdoa.losses.grammar import Recipe, parse_losses
from risdoa.losses.weight import Weight
from risdoa.training.toml import to_toml

Positive = Annotated[int, Field(ge=1)]


class TrainConfig(BaseModel):
    """Everything that a training depends on.

    Attributes:
        scenario: Where the scenes come from.
        model: The network.
        loss: What ``--loss`` says; see :func:`risdoa.losses.grammar.parse_losses`.
        alignment: The weight of the term that a bare name means, such as 0.05 or 0.1..0.2.
        contrast: The weight of ``peak-contrast`` beside it; 0 leaves it out.
        detached: Terms of the loss whose gradient is cut: a control, for they teach nothing.
        seed: Of weights, training, validation and held-out scenes.
        epochs: Validations.
        steps_per_epoch: Batches between them.
        batch_size: Scenes in a batch.
        draws: Parts of a batch, drawn and sent through the network one after the other, or by as
            many processes; the gradient is that of the whole batch.
        learning_rate: The largest one, of AdamW; warmed up, then falling as a half cosine.
        weight_decay: Of AdamW.
        clip_norm: The largest norm of a gradient.
        amp: What the network computes in under autocast (complex algebra never does); float16
            comes with a scaled loss.
        ema: Decay of the running mean of the weights, which validation and the best checkpoint
            then hold; 0 takes the weights themselves.
        patience: Epochs without a better validation after which training ends; None goes on.
        sources: Sources in every scene; None draws them as the scenario does.
        snr_db: SNR of every scene; None draws it as the scenario does.
        recording: A file to take the scenes from in place of the scenario, which then says what
            estimators are told; validation takes its first scenes, the last table the next.
        validation_scenes: Scenes that every epoch is validated on.
        held_out_scenes: Scenes of the table at the end; 0 leaves it out.
        checkpoint_steps: Batches between two checkpoints; None: every epoch.
        checkpoint_seconds: The time after which one is due; 0: no limit.
        keep_checkpoints: How many are kept, of the newest.
        device: Where the training runs.
        options: Options of the plugins, by plugin name.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    scenario: str = "canonical"
    model: str = "hybrid"
    loss: str = "gt-projection"
    alignment: str = "0.05"
    contrast: str = "0"
    detached: tuple[str, ...] = ()
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    epochs: Positive = 10
    steps_per_epoch: Positive = 60
    batch_size: Positive = 32
    draws: Positive = 1
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    amp: Literal["off", "bfloat16", "float16"] = "off"
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    patience: Positive | None = None
    sources: Positive | None = None
    snr_db: float | None = None
    recording: str | None = None
    validation_scenes: Positive = 200
    held_out_scenes: Annotated[int, Field(ge=0)] = 500
    checkpoint_steps: Positive | None = None
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 120.0
    keep_checkpoints: Positive = 2
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
        terms = config.weights()
        for name in config.detached:
            if name not in terms:
                raise InputError(
                    f"the loss {config.loss!r} has no term {name!r} to detach",
                    f"its terms are {', '.join(terms)}",
                )
        if config.batch_size % config.draws:
            raise InputError(
                f"a batch of {config.batch_size} scenes cannot be drawn in {config.draws} parts",
                "the batch size must be a multiple of the draws",
            )
        return config

    def weights(self) -> dict[str, Weight]:
        """Return the weights of the loss by name.

        Raises:
            InputError: if the loss cannot be read; see
                :func:`risdoa.losses.grammar.parse_losses`.
        """
        recipe = Recipe(Weight.read(self.alignment), Weight.read(self.contrast))
        return parse_losses(self.loss, recipe)

    @property
    def steps(self) -> int:
        """Batches of the whole training."""
        return self.epochs * self.steps_per_epoch

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
    return tomllib.loads(preset_text(name))


def preset_text(name: str) -> str:
    """Return the file of a preset, with its comments.

    Raises:
        UnknownNameError: if there is none of this name.
    """
    if name not in preset_names():
        raise UnknownNameError(
            f"no preset is called {name!r}", f"use {' or '.join(preset_names())}"
        )
    file = resources.files("risdoa.training") / "presets" / f"{name}.toml"
    return file.read_text("utf-8")
