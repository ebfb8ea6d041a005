"""Checkpoints: weights as safetensors, and what they are as JSON; nothing is ever unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from risdoa.errors import InputError
from risdoa.files import atomic_path, write_text
from risdoa.models.learned import LearnedModel
from risdoa.registry import Registry

WEIGHTS = "model/"
"""Tensors of the model are called ``model/…``; a checkpoint may hold others."""
CHOICES = ("checkpoints/best.safetensors", "best.safetensors", "checkpoints/*.safetensors")
"""Where weights lie in a run directory, in the order of preference; of several, the last by name.

States of a training are numbered by its steps, so that is the newest one.
"""

_KEY = "risdoa"
_COMPLEX = "#complex"
_HINT = "give a run directory or a .safetensors file written by `risdoa train`"


class Metadata(BaseModel):
    """What a checkpoint says about itself; the same text is inside the file and beside it.

    Attributes:
        model: Bare name of the model plugin.
        qualified: ``distribution/name`` of it.
        options: Every option that the model was made with.
        steering: The steering model that it was trained with.
        scenario: The scenario that it was trained in.
        loss: What it was trained for.
        epoch: Epochs done, counted from 1.
        metrics: Figures on the validation scenes.
        versions: Of risdoa and torch.
        training: What a later run needs besides tensors to go on from here.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    schema_: Literal["risdoa.checkpoint/1"] = Field(default="risdoa.checkpoint/1", alias="schema")
    model: str
    qualified: str
    options: dict[str, Any]
    steering: str
    scenario: str
    loss: str = ""
    epoch: int = 0
    metrics: dict[str, float | None] = {}
    versions: dict[str, str] = {}
    training: dict[str, Any] = {}

    def text(self) -> str:
        """Return the metadata as JSON."""
        return json.dumps(self.model_dump(by_alias=True), indent=2, allow_nan=False) + "\n"


def save_checkpoint(
    path: Path,
    model: torch.nn.Module,
    metadata: Metadata,
    state: Mapping[str, Tensor] | None = None,
) -> None:
    """Write weights and, if given, further state to ``path`` and the metadata beside it.

    Each file is written whole or not at all; the safetensors file carries the metadata too, so that
    the two cannot disagree.
    """
    tensors = {WEIGHTS + name: value for name, value in model.state_dict().items()}
    tensors.update(state or {})
    with atomic_path(path) as temporary:
        mode = temporary.stat().st_mode
        save_file(dict(map(_stored, tensors.items())), temporary, {_KEY: metadata.text()})
        temporary.chmod(mode)  # safetensors puts a private file in its place
    write_text(path.with_suffix(".json"), metadata.text())


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], Metadata]:
    """Return all tensors of a checkpoint file, and its metadata.

    Raises:
        InputError: for a file that is missing, truncated or something else.
    """
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(_KEY)
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"cannot read the checkpoint {path}: {error}", _HINT) from error
    if text is None:
        raise InputError(f"{path} is not a checkpoint of risdoa: it has no metadata", _HINT)
    try:
        metadata = Metadata.model_validate_json(text)
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise InputError(f"the metadata of {path} are damaged: {message}", _HINT) from error
    return dict(map(_restored, stored.items())), metadata


def find_weights(path: Path) -> Path:
    """Return the weights that a path means: the file itself, or the best ones of a run directory.

    Raises:
        InputError: if there are none.
    """
    if path.is_file():
        return path
    for choice in CHOICES:
        found = sorted(path.glob(choice))
        if found:
            return found[-1]
    what = "holds no checkpoint" if path.is_dir() else "does not exist"
    raise InputError(f"{path} {what}", _HINT)


def load_model(
    path: Path | str, registry: Registry, options: Mapping[str, object] | None = None
) -> tuple[LearnedModel, Metadata]:
    """Return the model of a run directory or checkpoint file, in eval mode, and its metadata.

    ``options`` replace some of those that the model was made with, such as its blend β.

    Raises:
        InputError: for a path without weights, or weights that do not fit the model.
        UnknownNameError: if no plugin provides the model.
    """
    weights = find_weights(Path(path))
    tensors, metadata = read_checkpoint(weights)
    wanted = {**metadata.options, **(options or {})}
    model: LearnedModel = registry.create("model", metadata.qualified, **wanted)
    load_weights(model, tensors, weights)
    return model.eval(), metadata


def load_weights(model: torch.nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Put the weights among ``tensors`` into ``model``.

    Raises:
        InputError: if names or shapes do not fit.
    """
    own = {
        name.removeprefix(WEIGHTS): value
        for name, value in tensors.items()
        if name.startswith(WEIGHTS)
    }
    try:
        model.load_state_dict(own)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        hint = "options that change the size of a network must be those that it was trained with"
        raise InputError(f"{path} does not fit the model: {reason}", hint) from error


def _stored(item: tuple[str, Tensor]) -> tuple[str, Tensor]:
    """Return a tensor as safetensors can hold it: complex ones as real pairs, with a mark."""
    name, value = item
    value = value.detach().cpu()
    if value.is_complex():
        return name + _COMPLEX, torch.view_as_real(value).clone()
    return name, value.clone(memory_format=torch.contiguous_format)


def _restored(item: tuple[str, Tensor]) -> tuple[str, Tensor]:
    name, value = item
    if name.endswith(_COMPLEX):
        return name.removesuffix(_COMPLEX), torch.view_as_complex(value)
    return name, value
