"""The scenario kit finds every faulty scenario out, and no correct one, however unusual."""

from __future__ import annotations

import pytest

from risdoa.registry import Registry
from risdoa.testing import Subject, checks_for, checks_of, parametrize, run_check
from tests.testing.mutants.scenarios import MUTANTS
from tests.testing.unusual_scenarios import UNUSUAL

REGISTRY = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
BUILT_IN = [Subject.registered(REGISTRY, "scenario", name) for name in REGISTRY.names("scenario")]


@parametrize(*BUILT_IN)
def test_the_built_in_scenarios_keep_the_contract(check):
    check()


@parametrize(*UNUSUAL)
def test_correct_scenarios_pass_however_unusual(check):
    check()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_is_killed(mutant):
    checks = {each.name: each for each in checks_for(mutant.subject())}
    for killer in mutant.killers:
        outcome = run_check(checks[killer], mutant.subject())
        assert outcome.status == "failed", killer
        assert outcome.expected not in {"", "no error"}, "it does not work at all"
        assert outcome.came
        assert outcome.case


def test_every_check_kills_something():
    killers = {killer for mutant in MUTANTS for killer in mutant.killers}
    assert killers == {each.name for each in checks_of("scenario")}
