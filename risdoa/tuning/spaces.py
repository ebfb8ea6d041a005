"""From a trial to a configuration: training knobs, weights, and what the plugins declare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from risdoa.errors import InputError
from risdoa.losses.grammar import CONTRAST, COVARIANCE
from risdoa.registry import Registry, options_of, unused
from risdoa.training.config import TrainConfig, merged
from risdoa.tuning.plan import LOSS, MODEL, TRAINING, WEIGHTS, Fixed, Plan

COMPLETENESS = "completeness"
COMPANIONS = {CONTRAST: (0.005, 0.2), COMPLETENESS: (0.005, 0.1)}
"""Terms that may stand beside an alignment loss, and between which weights."""

ALIGNMENT = (0.005, 0.5)
"""Weights of an alignment loss beside ``nmse=1``; all of them are of order one."""


TEMPERING = {"beta", "shrinkage"}
"""The options of a network that no training depends on, where it has them."""


class Asks(Protocol):
    """What a search space calls: an Optuna trial, or what stands for one."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a number between two bounds."""

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Return a whole number between two bounds."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of the choices."""


class Scoped:
    """A trial as a plugin sees it: its parameters are called ``plugin.option``.

    An option that is fixed is not asked for; it has its value.
    """

    def __init__(self, trial: Asks, plugin: str, fixed: Fixed, kind: str) -> None:
        self._trial, self._plugin = trial, plugin
        self._fixed = options_of(fixed, kind, plugin)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a number between two bounds; see ``optuna.Trial``."""
        if name in self._fixed:
            return float(self._fixed[name])
        return self._trial.suggest_float(self._full(name), low, high, step=step, log=log)

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Return a whole number between two bounds; see ``optuna.Trial``."""
        if name in self._fixed:
            return int(self._fixed[name])
        return self._trial.suggest_int(self._full(name), low, high, step=step, log=log)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of the choices; see ``optuna.Trial``."""
        if name not in self._fixed:
            return self._trial.suggest_categorical(self._full(name), choices)
        said = str(self._fixed[name]).lower()
        return next((each for each in choices if str(each).lower() == said), self._fixed[name])

    def _full(self, name: str) -> str:
        return f"{self._plugin}.{name}"


class Outline:
    """Stands for a trial and writes down what it is asked; the last choice is always taken."""

    def __init__(self, **choices: Any) -> None:
        self.ranges: dict[str, str] = {}
        self._choices = choices

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Write down a range of numbers."""
        steps = "" if step is None else f" in steps of {step:g}"
        self.ranges[name] = f"{low:g} to {high:g}{steps}{_scale(log)}"
        return low

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """Write down a range of whole numbers."""
        steps = "" if step == 1 else f" in steps of {step}"
        self.ranges[name] = f"{low} to {high}, whole{steps}{_scale(log)}"
        return low

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Write down what there is to choose from."""
        self.ranges[name] = ", ".join(str(choice).lower() for choice in choices)
        return self._choices.get(name, choices[-1])


def _scale(log: bool) -> str:
    return ", logarithmic" if log else ""


def drawn(trial: Asks, plan: Plan, registry: Registry) -> TrainConfig:
    """Return the training that a trial stands for.

    Raises:
        InputError: if a plugin's space draws what cannot be.
        PluginLoadError: if a plugin's space fails.
    """
    weights = _weights(trial, plan)
    settings: dict[str, Any] = _knobs(trial) if TRAINING in plan.parts else {}
    options = {name: dict(options_of(plan.fixed, "loss", name)) for name in weights}
    if LOSS in plan.parts:
        options |= {name: _options(trial, plan, registry, "loss", name) for name in weights}
    if MODEL in plan.parts:
        options[plan.base.model] = _options(trial, plan, registry, "model", plan.base.model)
    settings["loss"] = ",".join(f"{name}={weight:.6g}" for name, weight in weights.items())
    settings["options"] = {name: each for name, each in options.items() if each}
    values = merged(plan.base.model_dump(), settings)
    used = [plan.base.scenario, plan.base.model, *weights]
    for name in unused(values["options"], used):
        del values["options"][name]
    return TrainConfig.of(values)


def chain_options(trial: Asks, plan: Plan, registry: Registry) -> dict[str, dict[str, Any]]:
    """Return what needs no training, by plugin name: β and α, and the options of the backends.

    Raises:
        InputError: if a plugin's space draws what cannot be.
        PluginLoadError: if a plugin's space fails.
    """
    from risdoa.models.learned import inference_space  # noqa: PLC0415 - not to list the spaces

    model = plan.base.model
    options: dict[str, dict[str, Any]] = {}
    own = options_of(plan.base.options, "model", model)
    if registry.resolve("model", model, **own).keys() >= TEMPERING:
        scoped: Any = Scoped(trial, model, plan.fixed, "model")
        options[model] = dict(inference_space(scoped))
    for name in plan.whole_chain:
        options[name] = _options(trial, plan, registry, "backend", name)
    return {name: each for name, each in options.items() if each}


def outlined(plan: Plan, registry: Registry) -> dict[str, str]:
    """Return what is searched: parameter and range, those of the second study last."""
    found: dict[str, str] = {}
    for loss in plan.losses:
        outline = Outline(loss=loss)
        drawn(outline, plan, registry)
        found |= outline.ranges
    for search in (True, False):
        outline = Outline(**{f"{name}.search": search for name in plan.whole_chain})
        chain_options(outline, plan, registry)
        found |= outline.ranges
    return found


def alignment_losses(registry: Registry) -> tuple[str, ...]:
    """Return the installed losses that align R with true steering vectors and train stably."""
    names = []
    for name in registry.names("loss"):
        traits = registry.find("loss", name).record.traits
        stable = "differentiable" in traits and "unstable-gradient" not in traits
        if stable and "true-steering" in traits and name not in COMPANIONS:
            names.append(name)
    return tuple(names)


def check_alignment(names: Sequence[str]) -> None:
    """Refuse losses that stand beside an alignment loss, and so cannot be drawn in its place.

    Raises:
        InputError: if one of the names is theirs.
    """
    for name in names:
        if name in {COVARIANCE, *COMPANIONS}:
            raise InputError(
                f"--losses takes losses that align R, got {name!r}",
                f"the search has {', '.join((COVARIANCE, *COMPANIONS))} beside them already",
            )


def _knobs(trial: Asks) -> dict[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 3e-4, 3e-2, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-1, log=True),
        "clip_norm": trial.suggest_float("clip_norm", 0.1, 10.0, log=True),
        "ema": trial.suggest_categorical("ema", [0.0, 0.9, 0.98]),
    }


def _weights(trial: Asks, plan: Plan) -> dict[str, float]:
    """Return the weights of the terms, constant over the training; ``nmse`` keeps its own."""
    base = {name: weight.end for name, weight in plan.base.weights().items()}
    aligned = [name for name in base if name != COVARIANCE and name not in COMPANIONS]
    chosen = {name: name for name in base}
    if LOSS in plan.parts and len(aligned) == 1:
        chosen[aligned[0]] = trial.suggest_categorical("loss", list(plan.losses))
    weights = {chosen[name]: weight for name, weight in base.items()}
    if WEIGHTS not in plan.parts:
        return weights
    for name in aligned:
        label = "alignment" if len(aligned) == 1 else f"weight.{name}"
        weights[chosen[name]] = trial.suggest_float(label, *ALIGNMENT, log=True)
    for name, bounds in COMPANIONS.items():
        weights.pop(name, None)
        if trial.suggest_categorical(f"with-{name}", [False, True]):
            weights[name] = trial.suggest_float(f"weight.{name}", *bounds, log=True)
    return weights


def _options(trial: Asks, plan: Plan, registry: Registry, kind: str, name: str) -> dict[str, Any]:
    """Return what is fixed of a plugin, and what its space draws."""
    found = registry.search(kind, name, Scoped(trial, name, plan.fixed, kind))
    return {**options_of(plan.fixed, kind, name), **found}
