"""What lives in ``plugins/`` can be taken out with nothing else breaking."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from tests.packaging.environments import ROOT, bare_environment

pytestmark = pytest.mark.slow

LEFT_OUT = (".*", "build", "dist", "demo", "runs", "__pycache__")
"""What is made and not kept."""

SUBSET = ("registry", "cli/test_plugins.py", "test_docs.py", "test_house.py", "test_public.py")
"""The tests that know of plugins by name, or of the files of the repository."""


@pytest.fixture(scope="module")
def pytest_without(tmp_path_factory):
    """Run pytest in a copy of the repository, where no distribution of plugins/ is installed."""
    copy = tmp_path_factory.mktemp("copy") / "risdoa"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
    shutil.rmtree(copy / "plugins")
    folder = tmp_path_factory.mktemp("without")
    bare_environment(folder)

    def run(*words):
        python = [folder / "bin" / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
        finished = subprocess.run(
            [*map(str, python), *words],
            cwd=copy,
            env=clean,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout[-5000:] + finished.stderr[-5000:]
        return finished.stdout

    return run


def test_every_test_of_the_core_is_found(pytest_without):
    found = pytest_without("--collect-only")
    assert "tests/registry/test_registry.py::" in found
    assert not re.search("^plugins/", found, re.MULTILINE)


def test_the_tests_that_know_of_plugins_pass(pytest_without):
    assert " passed" in pytest_without(*(f"tests/{name}" for name in SUBSET))
