"""What is chosen of trials: the chain, the median, and whether good is told from bad."""

from __future__ import annotations

import math

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from risdoa.tuning.confirming import SEPARATION, arms, key_of, verdict
from risdoa.tuning.refining import choices
from risdoa.tuning.report import best_of, importances, table, trial_record


def study(*trials):
    made = optuna.create_study()
    made.add_trials(trials)
    return made


def chain(value, seconds, scenes, role="sampled"):
    attributes = {"role": role, "cpu_seconds": seconds, "scenes": scenes, "options": {"a": {}}}
    return optuna.create_trial(value=value, user_attrs=attributes)


def scenes(mean, spread, count=100):
    """Return figures of scenes with one source each whose mean is ``mean``."""
    wave = spread * np.where(np.arange(count) % 2, 1, -1)
    return [[mean + each, 1] for each in wave]


def test_the_cheapest_chain_within_one_standard_error_is_chosen():
    trials = [
        chain(1.0, 50.0, scenes(1.0, 0.0), role="default"),
        chain(1.1, 10.0, scenes(1.1, 1.5)),  # standard error 0.15
        chain(1.1, 5.0, scenes(1.1, 0.5)),  # standard error 0.05
        chain(3.0, 1.0, scenes(3.0, 0.5)),
    ]
    found = choices(study(*trials).trials)
    assert {name: each.number for name, each in found.items()} == {
        "best": 0,
        "chosen": 1,
        "default": 0,
    }
    assert found["chosen"].cpu_seconds == 0.1
    assert choices([]) == {}


def finished(value, role="sampled", **attributes):
    return optuna.create_trial(value=value, user_attrs={"role": role, **attributes})


def pruned(*values):
    return optuna.create_trial(
        state=TrialState.PRUNED,
        user_attrs={"role": "sampled", "reason": "worse"},
        intermediate_values=dict(enumerate(values, 1)),
    )


def test_pruned_trials_stand_behind_the_others_in_the_order_of_the_median():
    trials = [finished(1.5, "default"), pruned(1.0, 0.9), finished(1.0), pruned(4.0, 3.0, 2.0)]
    found = arms(study(*trials).trials)
    assert {name: each.number for name, each in found.items()} == {
        "best": 2,
        "median": 3,
        "default": 0,
    }
    assert arms(study(*trials, pruned(), finished(2.0)).trials)["median"].number == 3
    assert arms(study(pruned(1.0)).trials) == {}


SEEDS = (11, 12, 13)


def records(figures, seeds=SEEDS):
    """Return records of trials with a figure a seed, each over 50 scenes with two sources."""
    return {
        key_of(number, seed): {"scenes": [[2 * value, 2, float(value >= 2.0)] for _ in range(50)]}
        for number, values in figures.items()
        for seed, value in zip(seeds, values, strict=True)
    }


TRIALS = [finished(2.0, "default"), finished(1.0), finished(1.6), finished(1.5), finished(2.2)]


def test_good_is_told_from_bad_by_the_deviation_from_seed_to_seed():
    figures = {0: [1.9, 2.0, 2.1], 1: [1.1, 1.2, 1.0], 2: [1.6, 1.6, 1.6]}
    found = verdict(study(*TRIALS).trials, SEEDS, records(figures), 0)
    deviation = math.sqrt((0.01 + 0.01 + 0.0) / 3)
    assert found.seed_deviation_deg == pytest.approx(deviation)
    assert found.gap_deg.mean == pytest.approx(0.5)
    assert found.default_gap_deg.mean == pytest.approx(0.9)
    assert found.study_gap_deg == pytest.approx(0.6)
    assert found.ratio == pytest.approx(0.5 / deviation)
    assert found.ratio > SEPARATION
    assert found.separates is True
    assert found.standings["default"].outlier_rate.mean == pytest.approx(1 / 3)
    assert found.standings["best"].trial == 1
    low, high = found.gap_deg.low, found.gap_deg.high
    assert (low + high) / 2 == pytest.approx(0.5)
    half = 4.302653 * 0.1 / math.sqrt(3)  # Student's t with two degrees of freedom
    assert high - low == pytest.approx(2 * half, rel=1e-4)


NARROW = [finished(2.0, "default"), finished(1.0), finished(1.1), finished(1.05), finished(2.2)]


@pytest.mark.parametrize(
    ("best", "trials"),
    [([1.4, 1.6, 1.5], TRIALS), ([1.1, 1.2, 1.0], NARROW)],
    ids=["fresh seeds do not confirm it", "the study did not see it"],
)
def test_a_small_lead_is_none(best, trials):
    figures = {0: [1.9, 2.0, 2.1], 1: best, 2: [1.6, 1.6, 1.6]}
    found = verdict(study(*trials).trials, SEEDS, records(figures), 0)
    assert found.standings["median"].trial == 2
    assert found.separates is False


def test_no_verdict_before_all_trainings_are_done():
    figures = {0: [1.9, 2.0, 2.1], 1: [1.1, 1.2, 1.0], 2: [1.6, 1.6, 1.6]}
    known = records(figures)
    del known[key_of(2, 13)]
    assert verdict(study(*TRIALS).trials, SEEDS, known, 0) is None
    known[key_of(2, 13)] = {"scenes": None}
    assert verdict(study(*TRIALS).trials, SEEDS, known, 0) is None


def test_one_seed_says_nothing_about_the_deviation():
    figures = {0: [1.9], 1: [1.1], 2: [1.6]}
    found = verdict(study(*TRIALS).trials, SEEDS[:1], records(figures, SEEDS[:1]), 0)
    assert (found.ratio, found.separates) == (None, None)


def test_importances_find_the_parameter_that_matters():
    bounds = {"x": FloatDistribution(0, 1), "y": FloatDistribution(0, 1)}
    draws = np.random.default_rng(0).random((40, 2))
    trials = [
        optuna.create_trial(
            value=x + 0.01 * y,
            params={"x": x, "y": y},
            distributions=bounds,
            user_attrs={"role": "sampled"},
        )
        for x, y in draws.tolist()
    ]
    made = study(finished(0.5, "default"), *trials)
    shares = importances(made, made.trials)
    assert shares["x"] > 0.8 > shares["y"]
    assert importances(made, made.trials[:6]) == {}


def test_the_table_has_a_line_a_trial():
    made = study(finished(2.0, "default"), pruned(3.0, 2.5))
    lines = table([trial_record(each) for each in made.trials]).splitlines()
    assert lines == [
        "trial,role,state,value,reason,cpu_seconds,epochs",
        "0,default,complete,2.0,,,0",
        "1,sampled,pruned,,worse,,2",
    ]
    assert best_of(made.trials).number == 0
    assert best_of(made.trials[1:]) is None
