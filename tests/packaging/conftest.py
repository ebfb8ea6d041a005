"""The package as its users get it."""

from __future__ import annotations

import pytest

from tests.packaging.environments import ROOT, build_wheel, fresh_environment


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel, built from the working tree."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """The commands of a fresh environment with the wheel."""
    return fresh_environment(tmp_path_factory.mktemp("fresh"), wheel)
