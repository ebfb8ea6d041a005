"""A plugin that prints while it works, in every way there is, leaves the JSON whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from textwrap import dedent

import pytest

pytestmark = pytest.mark.slow

TALK = """
    import atexit, ctypes, os, subprocess, sys, threading
    import risdoa
    from risdoa.backends.nf_mle import NfMle
    from risdoa.losses.nmse import Nmse
    from risdoa.models.sample import Sample
    from risdoa.recordings.npz import Npz
    from risdoa.scenarios.digital import Digital
    from risdoa.steering.spherical import Spherical

    def talk():
        print("{")
        sys.__stdout__.write("{")
        os.write(1, b"{")
        ctypes.CDLL(None).puts(b"{")
        threading.Thread(target=print, args=["{"]).start()

    atexit.register(talk)
    subprocess.run([sys.executable, "-c", "print('{')"], check=True)

    def talkative(base, method="__call__"):
        def call(self, *args, **kwargs):
            talk()
            return getattr(base, method)(self, *args, **kwargs)
        return type("Talkative", (base,), {method: call})

    Wave, Loss, Model = talkative(Spherical), talkative(Nmse), talkative(Sample)
    Backend, Reader, Scenario = talkative(NfMle), talkative(Npz), talkative(Digital, "sample")

    def record(kind):
        return [risdoa.Plugin("talk", f"talk:{kind}", "Talks.", traits=(".talk",))]

    risdoa_steering = risdoa.hookimpl(lambda: record("Wave"))
    risdoa_losses = risdoa.hookimpl(lambda: record("Loss"))
    risdoa_models = risdoa.hookimpl(lambda: record("Model"))
    risdoa_backends = risdoa.hookimpl(lambda: record("Backend"))
    risdoa_readers = risdoa.hookimpl(lambda: record("Reader"))
    risdoa_scenarios = risdoa.hookimpl(lambda: record("Scenario"))
"""
SMALL = ["--epochs", 1, "--steps-per-epoch", 1, "--batch-size", 2, "--held-out-scenes", 0]


@pytest.fixture
def talk(tmp_path):
    """Run a command with the talkative plugin installed, and nothing else."""
    info = tmp_path / "talk-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: talk\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[risdoa]\ntalk = talk\n")
    (tmp_path / "talk.py").write_text(dedent(TALK))

    def run(*arguments):
        environment = {"PYTHONPATH": str(tmp_path), "RISDOA_PLUGINS_ALLOW": "talk"}
        return subprocess.run(
            [sys.executable, "-m", "risdoa", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, **environment},
        )

    return run


def whole(finished):
    """Return the JSON that a command has printed, which is all that it has."""
    assert finished.returncode == 0, finished.stderr
    assert "{" in finished.stderr
    return json.loads(finished.stdout)


def test_estimating_with_them_makes_whole_json(talk, tmp_path):
    path, npz = tmp_path / "scenes.talk", tmp_path / "scenes.npz"
    made = ["simulate", "--scenario", "digital", "--scenes", 2, "--sources", 1, "--force"]
    assert talk(*made, "--out", npz).returncode == 0
    npz.rename(path)
    words = ["--reader", "talk", "--model", "talk", "--backend", "music,talk"]
    document = whole(talk("estimate", path, *words, "--steering", "talk", "--json"))
    assert document["method"] == "talk:music,talk@talk"
    assert len(document["scenes"]) == 2


def test_training_with_them_makes_whole_json(talk, tmp_path):
    words = ["--loss", "talk=1", "--scenario", "talk", "--set", "hybrid.channels=4"]
    finished = talk("train", *SMALL, *words, "--out", tmp_path / "run", "--json")
    assert whole(finished)["loss"] == "talk=1"


def test_comparing_them_makes_whole_json(talk):
    words = ["--scenario", "talk", "--trials", 2, "--snr", 10, "--method", "talk:music,talk@talk"]
    assert len(whole(talk("compare", *words, "--json"))["rows"]) == 4


def test_listing_and_checking_them_makes_whole_json(talk):
    listed = whole(talk("plugins", "list", "--json"))["plugins"]
    assert sum(row["distribution"] == "talk" for row in listed) == 6
    assert whole(talk("plugins", "check", "steering:talk", "--json"))["failed"] == 0
