"""The wheel holds what it must and works where it is installed."""

from __future__ import annotations

import zipfile

import pytest

import risdoa
from tests.packaging.environments import ROOT, run

pytestmark = pytest.mark.slow

FIND_DATA = """
from importlib import resources
import risdoa
data = resources.files("risdoa") / "data"
names = sorted(entry.name for entry in data.iterdir())
print(risdoa.__file__)
print(any(name.endswith(".npz") for name in names), any("NOTICE" in name for name in names))
print((resources.files("risdoa") / "py.typed").is_file())
"""


def test_the_wheel_is_pure_and_complete(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert wheel.name == f"risdoa-{risdoa.__version__}-py3-none-any.whl"
    files = [path for path in (ROOT / "risdoa").rglob("*") if path.is_file()]
    package = {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".pyc"}
    assert package <= set(names)
    assert "risdoa/py.typed" in names
    assert any(name.startswith("risdoa/data/") and name.endswith(".npz") for name in names)
    assert any(name.startswith("risdoa/data/") and "NOTICE" in name for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0] for name in names} == {
        "risdoa",
        f"risdoa-{risdoa.__version__}.dist-info",
    }


def test_the_installed_command_runs(installed, tmp_path):
    assert run(installed / "risdoa", "--version", cwd=tmp_path) == f"risdoa {risdoa.__version__}\n"
    assert "gt-projection" in run(installed / "risdoa", "plugins", "list", cwd=tmp_path)


def test_the_sample_recording_and_its_notice_are_found(installed, tmp_path):
    lines = run(installed / "python", "-c", FIND_DATA, cwd=tmp_path).splitlines()
    assert lines[0].startswith(str(installed.parent))
    assert lines[1:] == ["True True", "True"]
