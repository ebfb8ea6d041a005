"""The wheel holds what it must and works where it is installed."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import risdoa

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent

FIND_DATA = """
from importlib import resources
import risdoa
data = resources.files("risdoa") / "data"
names = sorted(entry.name for entry in data.iterdir())
print(risdoa.__file__)
print(any(name.endswith(".npz") for name in names), any("NOTICE" in name for name in names))
print((resources.files("risdoa") / "py.typed").is_file())
"""


def _run(*command, **options):
    finished = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the working tree."""
    out = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, cwd=ROOT)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel in a fresh environment that borrows this one's dependencies."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    variables = {"base": str(folder), "platbase": str(folder)}
    site = sysconfig.get_path("purelib", "venv", variables)
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    _run(*pip, "install", "--no-deps", "--no-index", "--quiet", wheel)
    (Path(site) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


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
    assert _run(installed / "risdoa", "--version", cwd=tmp_path) == f"risdoa {risdoa.__version__}\n"
    assert "gt-projection" in _run(installed / "risdoa", "plugins", "list", cwd=tmp_path)


def test_the_sample_recording_and_its_notice_are_found(installed, tmp_path):
    lines = _run(installed / "python", "-c", FIND_DATA, cwd=tmp_path).splitlines()
    assert lines[0].startswith(str(installed.parent))
    assert lines[1:] == ["True True", "True"]
