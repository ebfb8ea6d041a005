"""The loss kit finds every faulty loss out, and no correct one, however unusual."""

from __future__ import annotations

import pytest

from risdoa.losses.gt_projection import GtProjection
from risdoa.registry import Registry
from risdoa.testing import Subject, checks_for, checks_of, parametrize, run_check
from tests.testing.mutants.losses import MUTANTS, PROJECTION
from tests.testing.unusual_losses import UNUSUAL

REGISTRY = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
BUILT_IN = [Subject.registered(REGISTRY, "loss", name) for name in REGISTRY.names("loss")]
CORRECT = [Subject.of("loss", factory, traits) for factory, traits in UNUSUAL]
QR = Subject.of("loss", lambda: GtProjection("qr"), PROJECTION, "gt-projection-qr")


@parametrize(*BUILT_IN, QR)
def test_the_built_in_losses_keep_the_contract(check):
    check()


@parametrize(*CORRECT)
def test_correct_losses_pass_however_unusual(check):
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
    assert killers == {each.name for each in checks_of("loss")}
