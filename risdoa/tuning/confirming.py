"""Whether the study separated good from bad: some of its trainings again, from fresh seeds.

The best trial was chosen on the validation scenes, so its figure there flatters it. Here the best,
the median and the default configuration are trained in full from seeds that the study never saw,
and all are tried on the same held-out scenes, those of the first of these seeds.
"""

from __future__ import annotations

import logging
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from risdoa.evaluation.journal import Budget, Journal
from risdoa.problem import Truth
from risdoa.registry import Registry
from risdoa.training.config import TrainConfig
from risdoa.training.control import Interval
from risdoa.training.experiment import Experiment
from risdoa.training.standings import RESAMPLES, interval
from risdoa.tuning.judge import backends_of, judged, outputs, together
from risdoa.tuning.plan import Plan
from risdoa.tuning.study import DEFAULT, ROLE
from risdoa.tuning.trainings import CONFIG, UnfitError, Watch, train, unheard

log = logging.getLogger("risdoa.tuning")

BEST, MEDIAN = "best", "median"
SEPARATION = 3.0
"""Standard deviations from seed to seed that the best must be ahead of the median."""


def arms(finished: Sequence[FrozenTrial]) -> dict[str, FrozenTrial]:
    """Return the *best*, the *median* and the *default* of the finished trials.

    In the order for the median, pruned trials stand behind those that were trained to the end: the
    later pruned before the earlier, the better before the worse.
    """
    order = sorted(finished, key=_rank)
    if not order or order[0].state != TrialState.COMPLETE:
        return {}
    found = {BEST: order[0], MEDIAN: order[len(order) // 2]}
    return found | {role: each for each in order if (role := each.user_attrs[ROLE]) == DEFAULT}


def _rank(trial: FrozenTrial) -> tuple[bool, int, float, int]:
    if trial.state == TrialState.COMPLETE:
        assert trial.value is not None
        return False, 0, trial.value, trial.number
    epochs = trial.last_step or 0
    last = trial.intermediate_values.get(epochs, math.inf)
    return True, -epochs, last, trial.number


def confirm(
    plan: Plan,
    finished: Sequence[FrozenTrial],
    seeds: Sequence[int],
    folder: Path,
    journal: Journal,
    budget: Budget,
    discover: Callable[[], Registry],
) -> None:
    """Train the arms from every seed, as far as the budget goes; the journal gets a record of each.

    A training that breaks down has no figure.
    """
    truths = held_out(plan, seeds[0], discover())
    for seed in seeds:
        for trial in {each.number: each for each in arms(finished).values()}.values():
            key = key_of(trial.number, seed)
            if key in journal:
                continue
            if not budget.allows_another():
                return
            config = TrainConfig.of(trial.user_attrs[CONFIG] | {"seed": seed})
            record = _outcome(plan, config, folder / "confirmation" / key, truths, discover())
            journal.add(key, record)
            log.info("trial %d from seed %d: %s", trial.number, seed, record["reason"] or "done")


def key_of(number: int, seed: int) -> str:
    """Return what the journal knows the training of a trial's configuration by."""
    return f"trial-{number:04d}-seed{seed}"


def held_out(plan: Plan, seed: int, registry: Registry) -> list[Truth]:
    """Return the scenes that all are tried on."""
    config = TrainConfig.of(plan.base.model_dump() | {"seed": seed})
    return together(Experiment.of(config, registry).scenes.held_out())


def _outcome(
    plan: Plan, config: TrainConfig, path: Path, truths: list[Truth], registry: Registry
) -> dict[str, Any]:
    backends = backends_of(registry, plan.chain, plan.fixed)
    experiment = Experiment.of(config, registry)
    try:
        history, _ = train(experiment, path, Watch([], backends, unheard))
    except UnfitError as error:
        return {"reason": str(error), "best_epoch": None, "scenes": None}
    fields = judged(outputs(experiment.model, truths), backends)
    return {"reason": None, "best_epoch": history.best_epoch, "scenes": fields.tolist()}


@dataclass(frozen=True)
class Standing:
    """One arm from all seeds: the mean over the seeds, and over them and the scenes an interval."""

    trial: int
    seeds: tuple[int, ...]
    capped_deg: Interval
    outlier_rate: Interval
    seed_deviation_deg: float | None


@dataclass(frozen=True)
class Verdict:
    """Whether good was told from bad.

    Attributes:
        study_gap_deg: Median minus best in the study; None where the median was pruned.
        gap_deg: The same from fresh seeds.
        default_gap_deg: Default minus best, from fresh seeds.
        seed_deviation_deg: From seed to seed, pooled over the arms; None with a single seed.
        ratio: ``gap_deg`` over it.
        separates: Whether it is at least 3, and so is that of the study's where there is one.
    """

    standings: dict[str, Standing]
    study_gap_deg: float | None
    gap_deg: Interval
    default_gap_deg: Interval
    seed_deviation_deg: float | None
    ratio: float | None
    separates: bool | None


def verdict(
    finished: Sequence[FrozenTrial], seeds: Sequence[int], records: Mapping[str, Any], seed: int
) -> Verdict | None:
    """Return the verdict once every training is done and none broke down."""
    chosen = arms(finished)
    found = {name: _scenes(each.number, seeds, records) for name, each in chosen.items()}
    if DEFAULT not in found or any(each is None for each in found.values()):
        return None
    sums = {name: _resampled(each, seed) for name, each in found.items() if each is not None}
    capped = {name: each[..., 0] / each[..., 1] for name, each in sums.items()}
    rates = {name: each[..., 2] / each[..., 1] for name, each in sums.items()}
    made = {
        name: Standing(
            chosen[name].number,
            tuple(seeds),
            _interval(capped[name]),
            _interval(rates[name]),
            _deviation([capped[name]]),
        )
        for name in found
    }
    gap = _interval(capped[MEDIAN] - capped[BEST])
    different = {each.number: capped[name] for name, each in chosen.items()}
    deviation = _deviation(list(different.values()))
    study = _study_gap(chosen)
    ratio = gap.mean / deviation if deviation else None
    ahead = None
    if ratio is not None and deviation is not None:
        in_study = study is None or study >= SEPARATION * deviation
        ahead = ratio >= SEPARATION and in_study
    default = _interval(capped[DEFAULT] - capped[BEST])
    return Verdict(made, study, gap, default, deviation, ratio, ahead)


def _scenes(
    number: int, seeds: Sequence[int], records: Mapping[str, Any]
) -> np.ndarray[Any, Any] | None:
    """Return the fields of every scene from every seed, (seeds, S, 3); None if one is missing."""
    scenes = [records.get(key_of(number, seed), {}).get("scenes") for seed in seeds]
    return None if any(each is None for each in scenes) else np.array(scenes)


def _resampled(fields: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, Any]:
    """Return sums over all scenes, then over each of B resamples of them, (seeds, 1 + B, 3)."""
    count = fields.shape[1]
    drawn = np.random.default_rng(seed).multinomial(
        count, np.full(count, 1 / count), size=RESAMPLES
    )
    resampled: np.ndarray[Any, Any] = np.concatenate((np.ones((1, count)), drawn)) @ fields
    return resampled


def _interval(values: np.ndarray[Any, Any]) -> Interval:
    found = interval(values)
    assert found is not None
    return found


def _deviation(several: Sequence[np.ndarray[Any, Any]]) -> float | None:
    """Return √(mean variance from seed to seed), each (seeds, 1 + B); None with a single seed."""
    if len(several[0]) < 2:
        return None
    return math.sqrt(statistics.fmean(float(each[:, 0].var(ddof=1)) for each in several))


def _study_gap(chosen: Mapping[str, FrozenTrial]) -> float | None:
    median, best = chosen[MEDIAN].value, chosen[BEST].value
    pruned = chosen[MEDIAN].state != TrialState.COMPLETE
    return None if pruned or median is None or best is None else median - best
