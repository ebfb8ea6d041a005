"""The model kit finds every faulty model out, and no correct one, however unusual."""

from __future__ import annotations

import pytest

from risdoa.registry import Registry
from risdoa.testing import Subject, parametrize
from tests.testing.mutants.models import Small
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
