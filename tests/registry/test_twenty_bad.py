"""More than twenty bad plugins together: every command works, and the list explains each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from risdoa.registry.builtins import COMMANDS
from tests.registry.bad_plugins import BAD, ODD, install

pytestmark = pytest.mark.slow

SMALL = ["--epochs", "1", "--steps-per-epoch", "1", "--batch-size", "2", "--held-out-scenes", "0"]
TRAIN = ["train", *SMALL, "--set", "hybrid.channels=4", "--json", "--out"]
COMPARE = ["compare", "--trials", "2", "--snr", "10", "--method", "mle=none:nf-mle"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return a folder with all of them."""
    folder = tmp_path_factory.mktemp("site")
    install(folder)
    return folder


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Return a file with two scenes."""
    path = tmp_path_factory.mktemp("recording") / "scenes.npz"
    finished = risdoa("simulate", "--scenes", "2", "--sources", "1", "--out", path)
    assert finished.returncode == 0, finished.stderr
    return path


def risdoa(*arguments, cwd=None, **environment):
    """Run a command in a process of its own; nothing may keep it from ending."""
    environment = {"RISDOA_PLUGINS_ALLOW": "", **environment}
    return subprocess.run(
        [sys.executable, "-m", "risdoa", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=cwd,
        env={**os.environ, **environment},
    )


@pytest.fixture
def beset(site):
    """Run a command with all of them installed, and nothing else."""
    names = ",".join([*BAD, *ODD, "bad_bytes", "bad_name", "bad_points"])

    def run(*arguments, **environment):
        return risdoa(*arguments, PYTHONPATH=str(site), RISDOA_PLUGINS_ALLOW=names, **environment)

    return run


def loaded(finished):
    """Return the distributions that a traced command has loaded or tried to."""
    return set(re.findall(r"^risdoa: (?:failed to load|loaded) (\S+)", finished.stderr, re.M))


def test_there_is_one_for_more_than_twenty_ways():
    assert len(BAD) + len(ODD) > 30


def test_the_list_explains_each(beset):
    finished = beset("plugins", "list", "--json")
    assert finished.returncode == 0, finished.stderr
    rows = json.loads(finished.stdout)["plugins"]
    for distribution, bad in BAD.items():
        own = [row for row in rows if row["distribution"].replace("_", "-") == distribution]
        told = [row for row in own if row["status"] != "active"]
        assert [row["status"] for row in told] == [bad.status] * len(bad.says), own
        for row, words in zip(told, bad.says, strict=True):
            assert words in row["error"]
    for distribution, bad in ODD.items():
        [row] = [row for row in rows if row["distribution"].replace("_", "-") == distribution]
        assert (row["status"], row["error"]) == ("active", None)
        for words in bad.says:
            assert words in " ".join(row["notes"])


def test_the_table_explains_each_too(beset):
    finished = beset("plugins", "list")
    assert finished.returncode == 0, finished.stderr
    text = " ".join(finished.stdout.split())
    for distribution, bad in {**BAD, **ODD}.items():
        assert distribution in text or distribution.replace("-", "_") in text
        for words in bad.says:
            assert words in text
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize("name", ["", *COMMANDS, "plugins list", "plugins check", "plugins new"])
def test_help_is_what_it_is_without_them(name, beset):
    arguments = [*name.split(), "--help"]
    finished = beset(*arguments, RISDOA_PLUGINS_TRACE="1")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout == risdoa(*arguments).stdout


def test_simulating_is_what_it_is_without_them(beset, recording, tmp_path):
    path = tmp_path / "scenes.npz"
    arguments = ["simulate", "--scenes", 2, "--sources", 1, "--out", path]
    finished = beset(*arguments, RISDOA_PLUGINS_TRACE="1")
    assert finished.returncode == 0, finished.stderr
    assert path.read_bytes() == recording.read_bytes()
    assert loaded(finished) == {"risdoa"}


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_estimating_is_what_it_is_without_them(form, beset, recording):
    arguments = ["estimate", recording, "--backend", "nf-mle", "--model", "none", *form]
    finished = beset(*arguments, RISDOA_PLUGINS_TRACE="1")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == risdoa(*arguments).stdout
    assert loaded(finished) == {"risdoa"}


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_comparing_is_what_it_is_without_them(form, beset):
    finished = beset(*COMPARE, *form, RISDOA_PLUGINS_TRACE="1")
    assert finished.returncode == 0, finished.stderr
    alone = risdoa(*COMPARE, *form).stdout
    if form:
        assert json.loads(finished.stdout)["rows"] == json.loads(alone)["rows"]
    else:
        assert without_times(finished.stdout) == without_times(alone)
    assert loaded(finished) == {"risdoa"}


def without_times(table):
    """Return a table without its last column, the time."""
    return [line.split()[:-1] for line in table.splitlines() if line[:3] == "mle"]


def test_training_is_what_it_is_without_them(beset, tmp_path):
    finished = beset(*TRAIN, tmp_path / "a", RISDOA_PLUGINS_TRACE="1")
    assert finished.returncode == 0, finished.stderr
    alone = risdoa(*TRAIN, tmp_path / "b")
    first, second = (json.loads(each.stdout)["epochs"][0] for each in (finished, alone))
    assert first["validation"] == second["validation"]
    assert loaded(finished) == {"risdoa"}


def test_a_name_that_is_not_built_in_is_looked_for_among_them(beset, recording):
    finished = beset("estimate", recording, "--backend", "musci", "--json")
    assert (finished.returncode, finished.stdout) == (2, "")
    error, hint = finished.stderr.splitlines()[-2:]
    assert error == "error: no backend is called 'musci'"
    assert hint.startswith("hint: did you mean 'music'? (bad-")


ASKED = {
    "bad-import": 4,
    "bad-none": 4,
    "bad-factory": 4,
    "bad-old": 4,
    "bad-points": 4,
    "bad-unknown": 2,
}
"""Exit codes for losses of this name; there is none of the last."""


@pytest.mark.parametrize("name", ASKED)
def test_asking_for_one_of_them_is_two_lines(name, beset):
    finished = beset("plugins", "check", f"loss:{name}/{name}", "--json")
    assert (finished.returncode, finished.stdout) == (ASKED[name], "")
    assert re.fullmatch(r"error: .*\nhint: .*", "\n".join(finished.stderr.splitlines()[-2:]))
    assert "Traceback" not in finished.stderr


def test_what_is_written_goes_where_the_command_was_given(beset, recording, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finished = beset("estimate", recording, "--backend", "nf-mle", "--plot", "a.png", "--json")
    assert finished.returncode == 0, finished.stderr
    finished = beset("plugins", "new", "try-out", "--kind", "loss", "--out", "work")
    assert finished.returncode == 0, finished.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "work"]
