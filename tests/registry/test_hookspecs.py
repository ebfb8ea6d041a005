"""Every hook is documented with an example, and the example is a plugin that loads."""

from __future__ import annotations

import inspect
from textwrap import dedent

import pytest

from risdoa.registry import KINDS, hookspecs
from risdoa.registry.hookspecs import HOOKS


def test_every_kind_has_a_hook_and_every_hook_a_kind():
    specified = {name for name in vars(hookspecs) if name.startswith("risdoa_")}
    assert tuple(HOOKS) == KINDS
    assert set(HOOKS.values()) == specified


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_in_a_hooks_docstring_is_a_plugin(kind, install, discover):
    _, _, example = inspect.getdoc(getattr(hookspecs, HOOKS[kind])).partition("Example::\n")
    install("acme-example", dedent(example))
    rows = [row for row in discover().rows() if row.distribution == "acme-example"]
    assert [(row.kind, row.status, row.error) for row in rows] == [(kind, "active", None)]
