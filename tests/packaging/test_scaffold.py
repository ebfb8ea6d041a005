"""What ``risdoa plugins new`` writes: built, installed, checked and used without a network."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess

import pytest

from risdoa.scaffold import KINDS
from tests.packaging.environments import ROOT, build_wheel, fresh_environment, run
from tests.scaffold.tutorial import contents, follow

pytestmark = pytest.mark.slow

NAME = "try-out"
TAUGHT = "power-share"
SECONDS = 600
"""A command that takes longer hangs."""

SMALL = ["--epochs", "1", "--steps-per-epoch", "1", "--batch-size", "2", "--held-out-scenes", "0"]
TRIALS = ["--scenario", "digital", "--snr", "20", "--trials", "2"]
USES = {
    "loss": [
        ["train", "--loss", NAME, *SMALL, "--set", "hybrid.channels=4", "--out", "run"],
        ["compare", "--method", "hybrid#run:music", *TRIALS],
    ],
    "steering": [
        ["estimate", "scenes.npz", "--steering", NAME],
        ["compare", "--method", f"sample:music,newton,nf-mle@{NAME}", *TRIALS],
    ],
    "backend": [
        ["estimate", "scenes.npz", "--backend", f"{NAME},nf-mle"],
        ["compare", "--method", f"sample:{NAME},newton", *TRIALS],
    ],
    "model": [
        ["estimate", "scenes.npz", "--model", NAME],
        ["compare", "--method", f"{NAME}:music,newton", *TRIALS],
    ],
}
"""Every command that a plugin of a kind appears in, on little."""


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    """A kind that has a template."""
    return request.param


@pytest.fixture(scope="module")
def written(kind, installed, tmp_path_factory):
    """The distribution, as the installed command writes it."""
    folder = tmp_path_factory.mktemp("written")
    run(installed / "risdoa", "plugins", "new", NAME, "--kind", kind, "--out", folder)
    return folder / NAME


@pytest.fixture(scope="module")
def environment(written, wheel, tmp_path_factory):
    """The commands of a fresh environment with risdoa and the distribution."""
    built = build_wheel(written, tmp_path_factory.mktemp("dist"))
    return fresh_environment(tmp_path_factory.mktemp("fresh"), wheel, built)


@pytest.fixture
def risdoa(environment, tmp_path):
    """Run risdoa in an empty folder of the fresh environment."""
    variables = {**os.environ, "RISDOA_PLUGINS_STRICT": "1"}

    def command(*words):
        return run(environment / "risdoa", *words, cwd=tmp_path, env=variables)

    return command


def test_it_is_listed(kind, risdoa):
    rows = json.loads(risdoa("plugins", "list", "--json"))["plugins"]
    [row] = [row for row in rows if row["distribution"] == NAME]
    assert (row["kind"], row["name"], row["status"]) == (kind, NAME, "active")


def test_it_passes_the_kit(kind, risdoa):
    assert "failed" not in risdoa("plugins", "check", f"{kind}:{NAME}")


def test_its_own_tests_pass(written, environment):
    words = ["-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "tests"]
    assert "passed" in run(environment / "python", *words, cwd=written)


def test_every_command_takes_it(kind, risdoa, tmp_path):
    scenes = ["--scenario", "digital", "--scenes", "2", "--sources", "1", "--snr", "20"]
    risdoa("simulate", *scenes, "--out", "scenes.npz")
    printed = [risdoa(*words) for words in USES[kind]]
    if kind == "loss":
        used = json.loads((tmp_path / "run" / "plugins.json").read_text())["plugins"]
        assert f"{NAME}/{NAME}" in [each["name"] for each in used]
    else:
        assert all(NAME in text for text in printed)


def test_the_commands_of_its_manual_run(kind, written, risdoa):
    manual = (written / "README.md").read_text("utf-8")
    install, check, test, use = re.findall("^ {4}(.*)$", manual, re.MULTILINE)
    assert [install, check] == [
        'pip install -e ".[test]"',
        f"risdoa plugins check {kind}:{NAME}",
    ]
    assert test == "pytest"
    words = shlex.split(use)[1:]
    risdoa(*words, *(SMALL if words[0] == "train" else []))


# The tutorial


@pytest.fixture
def shell(wheel, tmp_path):
    """Run commands one after the other in a fresh environment without a network."""
    commands = fresh_environment(tmp_path / "environment", wheel)
    pip = commands / "pip"
    pip.write_text(f'#!/bin/sh\nexec {commands / "python"} -m pip "$@"\n')
    pip.chmod(0o755)
    variables = {
        **os.environ,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # which pip reads as: no isolation
        "RISDOA_PLUGINS_STRICT": "1",
    }
    work, place = tmp_path / "work", tmp_path / "place"
    work.mkdir()
    place.write_text(str(work))

    def execute(text):
        expected = re.search(r"# exit code (\d+)", text)
        finished = subprocess.run(
            ["bash", "-euc", f"{text}\npwd > {place}"],
            cwd=place.read_text().strip(),
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        outcome = f"{text}\n{finished.stdout}\n{finished.stderr}"
        assert finished.returncode == (int(expected[1]) if expected else 0), outcome
        return finished.stdout

    return execute


def test_the_tutorial_runs_from_top_to_bottom(shell, tmp_path):
    page = (ROOT / "docs" / "plugin-tutorial.md").read_text("utf-8")
    follow(page, tmp_path / "work" / TAUGHT, shell)
    example = contents(ROOT / "examples" / "third_party_plugin")
    made = contents(tmp_path / "work" / TAUGHT)
    assert {name: made[name] for name in example} == example
