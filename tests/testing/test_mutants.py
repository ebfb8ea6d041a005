"""Every faulty plugin is found out, for its own reason, and every check finds something out."""

from __future__ import annotations

import pytest

from risdoa.testing import checks_for, checks_of, run_check
from tests.testing.mutants import backends, losses, models, readers, scenarios, steering

MUTANTS = {
    "steering": steering.MUTANTS,
    "loss": losses.MUTANTS,
    "model": models.MUTANTS,
    "backend": backends.MUTANTS,
    "scenario": scenarios.MUTANTS,
    "reader": readers.MUTANTS,
}
EVERY = [mutant for several in MUTANTS.values() for mutant in several]


@pytest.mark.parametrize("mutant", EVERY, ids=lambda mutant: f"{mutant.kind}-{mutant.name}")
def test_every_mutant_is_killed(mutant):
    checks = {each.name: each for each in checks_for(mutant.subject())}
    for killer in mutant.killers:
        outcome = run_check(checks[killer], mutant.subject())
        assert outcome.status == "failed", killer
        assert outcome.expected not in {"", "no error"}, "it does not work at all"
        assert outcome.came
        assert outcome.case


@pytest.mark.parametrize("kind", MUTANTS)
def test_every_check_kills_something(kind):
    killers = {killer for mutant in MUTANTS[kind] for killer in mutant.killers}
    assert killers == {each.name for each in checks_of(kind)}
