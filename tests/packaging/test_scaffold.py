"""What ``risdoa plugins new`` writes: built, installed, checked and used without a network."""

from __future__ import annotations

import json
import os

import pytest

from risdoa.scaffold import KINDS
from tests.packaging.environments import build_wheel, fresh_environment, run

pytestmark = pytest.mark.slow

NAME = "try-out"

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
    variables = {**os.environ, "RISDOA_PLUGINS_ALLOW": NAME, "RISDOA_PLUGINS_STRICT": "1"}

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


def test_every_command_takes_it(kind, risdoa):
    scenes = ["--scenario", "digital", "--scenes", "2", "--sources", "1", "--snr", "20"]
    risdoa("simulate", *scenes, "--out", "scenes.npz")
    for words in USES[kind]:
        risdoa(*words)


def test_its_manual_names_the_commands(kind, written):
    manual = (written / "README.md").read_text("utf-8")
    assert f"    risdoa plugins check {kind}:{NAME}\n" in manual
