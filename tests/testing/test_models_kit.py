"""The model kit finds every faulty model out, and no correct one, however unusual."""

from __future__ import annotations

import pytest

from risdoa.registry import Registry
from risdoa.testing import Subject, checks_for, checks_of, parametrize, run_check
from tests.testing.mutants.models import MUTANTS, Small
from tests.testing.unusual_models import UNUSUAL

REGISTRY = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})


def builtin(name, **options):
    return Subject.registered(REGISTRY, "model", name, **options)


@parametrize(builtin("sample"), builtin("hybrid"))
def test_the_built_in_models_keep_the_contract(check):
    check()


@pytest.mark.slow
@parametrize(
    builtin("sample", rank=1, atoms=8), builtin("hybrid", beta=0.5, shrinkage=0.1, anchors=4)
)
def test_the_built_in_models_keep_it_with_other_options(check):
    check()


@parametrize(Subject.of("model", Small, ("learned",)), *UNUSUAL)
def test_correct_models_pass_however_unusual(check):
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
    assert killers == {each.name for each in checks_of("model")}
