"""What ``make install`` installs."""

from __future__ import annotations

import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def _commands(folder, *targets):
    """Return what make would run, in a folder with the Makefile and nothing installed."""
    finished = subprocess.run(
        ["make", "--dry-run", *targets], cwd=folder, capture_output=True, text=True, check=True
    )
    return finished.stdout


@pytest.fixture
def copy(root, tmp_path):
    """The files that the Makefile looks at, with one plugin in the set-up and one beside it."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(root / name, tmp_path)
    for name in ("inside", "beside"):
        (tmp_path / "plugins" / name).mkdir(parents=True)
        (tmp_path / "plugins" / name / "pyproject.toml").touch()
    (tmp_path / "plugins" / "beside" / ".not-in-install").touch()
    return tmp_path


def test_plugins_are_installed_unless_they_say_no(copy):
    commands = _commands(copy, "install")
    assert "-e ./plugins/inside" in commands
    assert "beside" not in commands


def test_plugins_beside_the_installation_are_not_tested(copy):
    assert "--ignore=plugins/beside" in _commands(copy, "test")
    assert "--ignore=plugins/inside" not in _commands(copy, "test")


def test_torch_is_installed_first_and_in_a_call_of_its_own(copy):
    calls = [line for line in _commands(copy, "install").splitlines() if "pip install" in line]
    assert calls[0].endswith(" torch==2.13.0")
    assert all("-c constraints.txt" in call for call in calls)


def test_installation_does_without_plugins(copy):
    shutil.rmtree(copy / "plugins")
    assert "./plugins" not in _commands(copy, "install")


@pytest.mark.parametrize("target", ["test", "check", "demo"])
def test_every_target_sets_up_first(target, copy):
    commands = _commands(copy, target)
    assert commands.index("torch==2.13.0") < commands.index(".venv/bin/", commands.index("touch"))
