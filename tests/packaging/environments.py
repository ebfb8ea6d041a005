"""Wheels, and fresh environments that borrow this one's dependencies."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def run(*command, **options):
    """Run a command that must succeed, and return what it wrote to stdout."""
    finished = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def build_wheel(project, out):
    """Build the wheel of a project with what is installed here, and return its path."""
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, cwd=project)
    (built,) = out.glob("*.whl")
    return built


def bare_environment(folder):
    """Make an environment that has what is installed here, but nothing of risdoa's."""
    venv.create(folder)
    variables = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", variables))
    borrowed = folder / "borrowed"
    borrowed.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "risdoa" not in entry.name:
            (borrowed / entry.name).symlink_to(entry)
    (site / "borrowed.pth").write_text(f"{borrowed}\n")


def fresh_environment(folder, *wheels):
    """Make an environment with some wheels, and return the folder of its commands."""
    bare_environment(folder)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    run(*pip, "install", "--no-deps", "--no-index", "--quiet", *wheels)
    return folder / "bin"
