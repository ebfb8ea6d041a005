"""The scenario kit finds every faulty scenario out, and no correct one, however unusual."""

from __future__ import annotations

from risdoa.registry import Registry
from risdoa.testing import Subject, parametrize
from tests.testing.unusual_scenarios import UNUSUAL

REGISTRY = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
BUILT_IN = [Subject.registered(REGISTRY, "scenario", name) for name in REGISTRY.names("scenario")]


@parametrize(*BUILT_IN)
def test_the_built_in_scenarios_keep_the_contract(check):
    check()


@parametrize(*UNUSUAL)
def test_correct_scenarios_pass_however_unusual(check):
    check()
