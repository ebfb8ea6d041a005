"""The loss kit finds every faulty loss out, and no correct one, however unusual."""

from __future__ import annotations

from risdoa.losses.gt_projection import GtProjection
from risdoa.registry import Registry
from risdoa.testing import Subject, parametrize
from tests.testing.mutants.losses import PROJECTION
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
