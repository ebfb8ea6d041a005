"""What a search came to, as files: the best configuration, the trials, one document of it all."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from risdoa.files import write_text
from risdoa.registry import Registry
from risdoa.training.config import TrainConfig, merged
from risdoa.training.experiment import Experiment
from risdoa.tuning.confirming import Verdict
from risdoa.tuning.plan import Plan
from risdoa.tuning.refining import Choice
from risdoa.tuning.spaces import TEMPERING
from risdoa.tuning.study import DEFAULT, ROLE
from risdoa.tuning.trainings import CONFIG, REASON, SECONDS

SCHEMA = "risdoa.hpo/1"
FIGURE = "mean of min(ψ, 5°) over the sources, one not found counting 5° [deg]"

FEWEST = 10
"""Trials trained to the end below which nothing is said about the importance of parameters."""


def trial_record(trial: FrozenTrial) -> dict[str, Any]:
    """Return a trial as JSON; ``epochs`` is the figure after each."""
    return {
        "trial": trial.number,
        "role": trial.user_attrs[ROLE],
        "state": trial.state.name.lower(),
        "value": trial.value if trial.state == TrialState.COMPLETE else None,
        "epochs": [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)],
        "reason": trial.user_attrs.get(REASON),
        "cpu_seconds": trial.user_attrs.get(SECONDS),
        "params": trial.params,
    }


def best_of(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """Return the trial with the lowest figure among those that were trained to the end."""
    done = [each for each in trials if each.state == TrialState.COMPLETE]
    return min(done, key=lambda each: each.value or 0.0) if done else None


def default_value(trials: Sequence[FrozenTrial]) -> float | None:
    """Return the figure of the default."""
    values = [each.value for each in trials if each.user_attrs[ROLE] == DEFAULT]
    return values[0] if values else None


def best_config(
    trial: FrozenTrial, model: str, choice: Choice | None, registry: Registry
) -> TrainConfig:
    """Return the configuration of a trial, every option spelt out, with the β and α chosen."""
    values = dict(trial.user_attrs[CONFIG])
    if choice is not None and model in choice.options:
        tempering = {
            name: value for name, value in choice.options[model].items() if name in TEMPERING
        }
        values = merged(values, {"options": {model: tempering}})
    return Experiment.of(TrainConfig.of(values), registry).config


def importances(study: Study, trials: Sequence[FrozenTrial]) -> dict[str, float]:
    """Return the share of every parameter that all sampled trials have, by PED-ANOVA.

    Empty where too few trials were trained to the end, or they do not differ.
    """
    done = [
        each
        for each in trials
        if each.state == TrialState.COMPLETE and each.user_attrs[ROLE] != DEFAULT
    ]
    if len(done) < FEWEST:
        return {}
    shared = set.intersection(*(set(each.params) for each in done))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that some choices were seldom drawn
            shares = optuna.importance.get_param_importances(
                study, evaluator=PedAnovaImportanceEvaluator(), params=sorted(shared)
            )
    except (RuntimeError, ValueError):
        return {}
    return {name: round(float(share), 4) for name, share in shares.items()}


def document(
    plan: Plan,
    where: Mapping[str, str],
    study: Study,
    trials: Sequence[FrozenTrial],
    chain: Mapping[str, Choice],
    confirmed: Verdict | None,
    *,
    complete: bool,
) -> dict[str, Any]:
    """Return everything as JSON.

    Args:
        plan: What was searched.
        where: ``study`` and ``storage``.
        study: The study, for the importances.
        trials: Those that count, in order.
        chain: What the second study chose, by name.
        confirmed: Whether good was told from bad.
        complete: Whether nothing is left to do.
    """
    best = best_of(trials)
    return {
        "schema": SCHEMA,
        **where,
        "figure": FIGURE,
        "plan": plan.record(),
        "complete": complete,
        "best": None if best is None else {"trial": best.number, "value": best.value},
        "default": default_value(trials),
        "trials": [trial_record(each) for each in trials],
        "importances": importances(study, trials),
        "chain": {name: asdict(each) for name, each in chain.items()},
        "confirmation": None if confirmed is None else asdict(confirmed),
    }


def write(folder: Path, made: Mapping[str, Any], config: TrainConfig | None) -> None:
    """Write ``hpo.json``, ``trials.csv`` and, where there is a best trial, ``best.toml``."""
    text = json.dumps(made, indent=2, allow_nan=False, ensure_ascii=False)
    write_text(folder / "hpo.json", text + "\n")
    write_text(folder / "trials.csv", table(made["trials"]))
    if config is not None:
        best, default = made["best"], made["default"]
        head = f"# Trial {best['trial']} of a search: {best['value']:.3f}°"
        beside = "" if default is None else f", the default {default:.3f}°"
        write_text(folder / "best.toml", f"{head}{beside} ({FIGURE}).\n{config.text()}")


def table(trials: Sequence[Mapping[str, Any]]) -> str:
    """Return the trials as CSV, a column a parameter."""
    names = list(dict.fromkeys(name for each in trials for name in each["params"]))
    plain = ["trial", "role", "state", "value", "reason", "cpu_seconds"]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*plain, "epochs", *names])
    for each in trials:
        values = [each["params"].get(name) for name in names]
        writer.writerow([*(each[name] for name in plain), len(each["epochs"]), *values])
    return stream.getvalue()
