"""The kit finds every faulty backend out, and passes every correct one."""

from __future__ import annotations

import pytest

from risdoa.registry import Registry
from risdoa.testing import Subject, parametrize
from tests.testing.unusual_backends import UNUSUAL

BUILTINS = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})


def builtin(name, **options):
    return Subject.registered(BUILTINS, "backend", name, **options)


@parametrize(*map(builtin, ("music", "bartlett", "mvdr", "newton", "omp", "nf-mle")))
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
