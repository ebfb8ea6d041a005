"""The kit finds every faulty backend out, and passes every correct one."""

from __future__ import annotations

import pytest

from risdoa.registry import Registry
from risdoa.testing import Subject, checks_for, checks_of, parametrize, run_check
from tests.testing.mutants.backends import MUTANTS
from tests.testing.unusual_backends import UNUSUAL

BUILTINS = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})


def builtin(name, **options):
    return Subject.registered(BUILTINS, "backend", name, **options)


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
    assert killers == {each.name for each in checks_of("backend")}


@parametrize(builtin("music"), builtin("newton"), builtin("nf-mle"))
def test_the_builtin_ones_pass(check):
    check()


@pytest.mark.slow
@parametrize(
    builtin("music", density=2.0),
    builtin("nf-mle", likelihood="conditional"),
    builtin("nf-mle", search=False),
)
def test_the_builtin_ones_pass_with_other_options(check):
    check()


@pytest.mark.slow
@parametrize(*UNUSUAL)
def test_unusual_ones_pass(check):
    check()
