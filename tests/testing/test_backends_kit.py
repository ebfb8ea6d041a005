"""The kit finds every faulty backend out, and passes every correct one."""

from __future__ import annotations

import pytest

from risdoa.registry import Registry
from risdoa.testing import Subject, checks_of, parametrize, run_check
from tests.testing.mutants.backends import MUTANTS
from tests.testing.unusual_backends import UNUSUAL

BUILTINS = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})


def builtin(name, **options):
    return Subject.registered(BUILTINS, "backend", name, **options)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutants_are_killed(mutant):
    subject, named = mutant.subject(), {each.name: each for each in checks_of("backend")}
    for name in mutant.killers:
        assert named[name].applies(subject)
        outcome = run_check(named[name], subject)
        assert outcome.status == "failed"
        assert outcome.expected
        assert outcome.came
        assert outcome.case


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
