"""The second study: what needs no training, on covariances that the best network has made once.

β and α of the network and the options of the backends, nf-mle's among them, change nothing about
the network's own covariance. So it is computed once, for held-out scenes that judged no training,
and every trial runs the chain behind it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState
from torch import Tensor
from torch.linalg import LinAlgError  # type: ignore[attr-defined]

from risdoa.checkpoints import load_model
from risdoa.models.learned import LearnedModel
from risdoa.registry import Registry, options_of
from risdoa.training.config import TrainConfig, merged
from risdoa.training.experiment import Experiment
from risdoa.tuning.judge import Outputs, backends_of, capped_angle, judged, outputs, together
from risdoa.tuning.plan import Plan
from risdoa.tuning.spaces import chain_options
from risdoa.tuning.study import DEFAULT, ROLE
from risdoa.tuning.trainings import REASON, SECONDS, Watch, train, unheard

log = logging.getLogger("risdoa.tuning")

OPTIONS, SCENES = "options", "scenes"
"""What a trial says about itself: the options by plugin, and the figure of every scene."""

Options = dict[str, dict[str, Any]]


class Refinement:
    """The objective of the second study: min(ψ, 5°), the mean over sources, behind a chain.

    Attributes:
        made: The cached covariances.
    """

    def __init__(self, plan: Plan, registry: Registry, made: list[Outputs]) -> None:
        self.plan, self.registry, self.made = plan, registry, made

    def __call__(self, trial: Trial) -> float:
        """Run the chain with other options and return the figure.

        Raises:
            optuna.TrialPruned: if a decomposition breaks down.
        """
        options: Options = {}
        if trial.user_attrs[ROLE] != DEFAULT:
            options = chain_options(trial, self.plan, self.registry)
        trial.set_user_attr(OPTIONS, options)
        begun = time.process_time()
        try:
            fields = self.fields(options)
        except LinAlgError as error:
            trial.set_user_attr(REASON, str(error))
            raise optuna.TrialPruned(str(error)) from error
        trial.set_user_attr(SECONDS, round(time.process_time() - begun, 3))
        trial.set_user_attr(SCENES, scene_figures(fields))
        figure = capped_angle(fields)
        log.info("chain %d: %.3f°", trial.number, figure)
        return figure

    def fields(self, options: Options) -> Tensor:
        """Return the fields of every scene behind the chain; options not given are the default."""
        plan, name = self.plan, self.plan.base.model
        model = options_of(plan.base.options, "model", name) | options_of(options, "model", name)
        settings = merged({"options": plan.fixed}, {"options": options})["options"]
        backends = backends_of(self.registry, plan.whole_chain, settings)
        tempering = float(model.get("beta", 1.0)), float(model.get("shrinkage", 0.0))
        return judged(self.made, backends, *tempering)


def scene_figures(fields: Tensor) -> list[list[float]]:
    """Return the sum of min(ψ, 5°) and the number of sources of every scene."""
    return [[round(one, 4), count] for one, count in fields[:, :2].tolist()]


def cached(plan: Plan, config: TrainConfig, run: Path, registry: Registry) -> list[Outputs]:
    """Return what the best network makes of held-out scenes, as many as validate a training.

    Where its weights lie on another machine it is trained again.
    """
    count = {"held_out_scenes": plan.base.validation_scenes}
    experiment = Experiment.of(TrainConfig.of(config.model_dump() | count), registry)
    truths = together(experiment.scenes.held_out())
    if not has_weights(run):
        log.info("%s is not on this machine: the best training is done again", run)
        train(experiment, run, Watch([], [], unheard))
    model = load_model(run, registry, {})[0]
    assert isinstance(model, LearnedModel)
    return outputs(model.to(config.device), truths, blend=True)


def has_weights(run: Path) -> bool:
    """Tell whether the weights of a training lie on this machine."""
    return (run / "checkpoints" / "best.safetensors").exists()


@dataclass(frozen=True)
class Choice:
    """The options that the second study came to.

    Attributes:
        number: The trial that has them.
        figure: min(ψ, 5°), the mean over the sources [deg].
        cpu_seconds: Of a scene.
        options: By plugin name.
    """

    number: int
    figure: float
    cpu_seconds: float
    options: Options


def choices(trials: Sequence[FrozenTrial]) -> dict[str, Choice]:
    """Return the *default*, the *best*, and the *chosen* trial; nothing where none is finished.

    Chosen is, of all that are no more than one standard error worse than the best, that which takes
    the least time; the error is that of the paired difference over the scenes.
    """
    done = [each for each in trials if each.state == TrialState.COMPLETE]
    if not done:
        return {}
    best = min(done, key=_value)
    near = [each for each in done if _gap(each, best) <= _error(each, best)]
    chosen = min(near, key=lambda each: float(each.user_attrs[SECONDS]))
    found = {"best": best, "chosen": chosen}
    found |= {role: each for each in done if (role := each.user_attrs[ROLE]) == DEFAULT}
    return {name: _choice(each) for name, each in found.items()}


def _choice(trial: FrozenTrial) -> Choice:
    scenes = len(trial.user_attrs[SCENES])
    seconds = round(trial.user_attrs[SECONDS] / scenes, 5)
    return Choice(trial.number, _value(trial), seconds, trial.user_attrs[OPTIONS])


def _value(trial: FrozenTrial) -> float:
    assert trial.value is not None
    return trial.value


def _gap(trial: FrozenTrial, best: FrozenTrial) -> float:
    return _value(trial) - _value(best)


def _error(trial: FrozenTrial, best: FrozenTrial) -> float:
    """Return the standard error of the difference of two trials on the same scenes."""
    mine, theirs = (np.array(each.user_attrs[SCENES]) for each in (trial, best))
    differences = mine[:, 0] - theirs[:, 0]
    count = len(differences)
    if count < 2:
        return 0.0
    return float(differences.std(ddof=1) * count**0.5 / mine[:, 1].sum())
