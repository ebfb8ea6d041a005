"""From a configuration to the objects that a training works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from risdoa.errors import InputError
from risdoa.losses.combination import Combination, Term
from risdoa.losses.detached import Detached
from risdoa.losses.weight import Weight
from risdoa.models.learned import LearnedModel
from risdoa.registry import Registry, options_of, unused
from risdoa.scenarios.base import Scenario
from risdoa.training.config import TrainConfig
from risdoa.training.data import Drawn, Recorded, Scenes, Stream, generator, scenes, stream_seed


@dataclass(frozen=True)
class Experiment:
    """A configuration with every option spelt out, and what it names."""

    config: TrainConfig
    registry: Registry
    scenario: Scenario
    scenes: Scenes
    model: LearnedModel
    loss: Combination

    @classmethod
    def of(cls, config: TrainConfig, registry: Registry) -> Experiment:
        """Make what a configuration names.

        Raises:
            InputError: for an unknown name, a wrong option, or a model that cannot be trained.
        """
        _check_device(config.device)
        weights = config.weights()
        _refuse_unused(config, [config.scenario, config.model, *weights])
        config = _resolved(config, registry, list(weights))
        scenario = _made(registry, config, "scenario", config.scenario)
        loss = Combination(
            _term(registry, config, name, weight) for name, weight in weights.items()
        )
        source = _scenes(scenario, config, registry)
        return cls(config, registry, scenario, source, fresh_model(config, registry), loss)

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def steering(self) -> str:
        """The steering model that losses and estimation share."""
        return self.scenario.estimation_model


def _scenes(scenario: Scenario, config: TrainConfig, registry: Registry) -> Scenes:
    """Return where the scenes come from.

    Raises:
        InputError: for scenes that the scenario cannot draw, or a recording that does not do.
    """
    if config.recording is None:
        scenes(scenario, config, 1, generator(config, Stream.TRAINING))
        return Drawn(scenario, config)
    if config.sources is not None or config.snr_db is not None:
        raise InputError(
            "the sources and the SNR of a recording are what they are",
            "leave sources and SNR away, or the recording",
        )
    return Recorded.of(config, registry.create("steering", scenario.estimation_model), registry)


def _term(registry: Registry, config: TrainConfig, name: str, weight: Weight) -> Term:
    """Return a loss with its weight and the traits of its record."""
    traits = registry.find("loss", name).record.traits
    loss = _made(registry, config, "loss", name)
    return Term(name, Detached(loss) if name in config.detached else loss, weight, traits)


def _made(registry: Registry, config: TrainConfig, kind: str, name: str) -> Any:
    """Return a plugin with its options."""
    return registry.create(kind, name, **options_of(config.options, kind, name))


def fresh_model(config: TrainConfig, registry: Registry) -> LearnedModel:
    """Return the model with the weights that the seed gives it.

    Raises:
        InputError: for a model that has nothing to train.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(config.seed, Stream.WEIGHTS))
        model = _made(registry, config, "model", config.model)
    if not isinstance(model, LearnedModel):
        raise InputError(
            f"the model {config.model!r} has nothing to train", "use --model hybrid, say"
        )
    return model.to(config.device)


def _resolved(config: TrainConfig, registry: Registry, losses: list[str]) -> TrainConfig:
    """Return the configuration with every option of every plugin spelt out."""
    kinds = [("scenario", config.scenario), ("model", config.model)]
    kinds += [("loss", name) for name in losses]
    bare = [name.rpartition("/")[2] for _, name in kinds]
    kept = {}
    for kind, name in kinds:
        values = registry.resolve(kind, name, **options_of(config.options, kind, name))
        shared = bare.count(name.rpartition("/")[2]) > 1
        if values:
            kept[f"{kind}:{name}" if shared else name] = values
    return config.model_copy(update={"options": kept})


def _check_device(name: str) -> None:
    try:
        kind = torch.device(name).type
    except RuntimeError:
        kind = ""
    if kind not in {"cpu", "cuda"} or (kind == "cuda" and not torch.cuda.is_available()):
        raise InputError(f"cannot train on the device {name!r}", "use --device cpu")


def _refuse_unused(config: TrainConfig, names: list[str]) -> None:
    for name in unused(config.options, names):
        raise InputError(
            f"options for {name!r}, which this training does not use",
            f"the plugins in use are {', '.join(sorted(names))}",
        )
