"""What the extras add, and what works without ``testing``."""

from __future__ import annotations

import tomllib

WITHOUT = """
import sys
sys.modules["pytest"] = sys.modules["hypothesis"] = None
import risdoa.testing
print(all(risdoa.testing.checks_of(kind) for kind in ("steering", "loss", "model", "backend")))
"""


def test_the_extras_ask_for_what_the_development_has(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert {*extras["testing"], *extras["postgresql"]} <= {*extras["dev"]}
    assert len(extras["testing"]) == len(extras["postgresql"]) == 2


def test_checks_run_without_the_extra(python):
    outcome = python("-c", WITHOUT)
    assert outcome.out == "True\n", outcome.err
