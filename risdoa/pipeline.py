"""A model and a chain of backends, as one estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from risdoa.backends.base import Backend
from risdoa.checkpoints import load_model
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.models.base import Model
from risdoa.problem import Estimates, Problem
from risdoa.registry import Registry, options_of

Settings = Mapping[str, Mapping[str, object]]
"""Options by plugin name."""


class Chain:
    """Problem → covariance → backend after backend → estimates.

    The model is None where no backend wants a covariance, and asked only where the measurements
    determine one.
    """

    def __init__(self, model: Model | None, backends: Sequence[Backend]) -> None:
        if not backends:
            raise InputError("a chain needs at least one backend", "use --backend music, say")
        self.model, self.backends = model, tuple(backends)

    def __call__(self, problem: Problem) -> Estimates:
        """Return the estimates of the last backend, without a graph.

        The units of the measurements play no part: see :meth:`Problem.levelled`. Objectives are
        those of the levelled measurements.
        """
        with torch.no_grad():
            problem = problem.levelled()
            covariance = self._covariance(problem)
            estimates: Estimates | None = None
            for backend in self.backends:
                estimates = backend(problem, covariance, estimates)
        assert estimates is not None
        return estimates

    def _covariance(self, problem: Problem) -> Covariance | None:
        if self.model is None or not self.model.supports(problem):
            return None
        return self.model(problem)


def build_chain(
    registry: Registry,
    *,
    model: str,
    chain: str | Sequence[str],
    settings: Settings | None = None,
    checkpoint: Path | None = None,
) -> Chain:
    """Return the chain of plugins called by name.

    The model is left out where all backends have the trait ``snapshots-only``.

    Args:
        registry: Where the plugins come from.
        model: The name of a model, or "none" for backends that need no covariance.
        chain: Names of backends, in order, in a sequence or separated by commas.
        settings: Options by plugin name.
        checkpoint: A checkpoint or run directory, for a learned model.

    Raises:
        InputError: for an unknown name, a wrong option, or a learned model without checkpoint.
    """
    settings = settings or {}
    parts = chain.split(",") if isinstance(chain, str) else chain
    names = [part.strip() for part in parts]
    backends = [
        registry.create("backend", name, **options_of(settings, "backend", name)) for name in names
    ]
    made = _model(registry, model, settings, checkpoint)
    traits = [registry.find("backend", name).record.traits for name in names]
    return Chain(None if all("snapshots-only" in each for each in traits) else made, backends)


def _model(
    registry: Registry, name: str, settings: Settings, checkpoint: Path | None
) -> Model | None:
    if name == "none":
        return None
    learned = "learned" in registry.find("model", name).record.traits
    if learned and checkpoint is None:
        raise InputError(
            f"the model {name!r} is learned: it needs a checkpoint",
            "train one with `risdoa train --out RUN`, then give --checkpoint RUN",
        )
    options = options_of(settings, "model", name)
    if checkpoint is None:
        model: Model = registry.create("model", name, **options)
        return model
    loaded, metadata = load_model(checkpoint, registry, options)
    if metadata.model != name:
        raise InputError(
            f"{checkpoint} holds a model {metadata.model!r}, asked for was {name!r}",
            f"use --model {metadata.model}",
        )
    return loaded
