"""What a plugin costs while it is listed, and what it leaves behind, is told or put back."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from risdoa.registry import costs
from risdoa.registry.containment import Failure, Success, attempt, stdout_to_stderr

LOSS = """
    import risdoa
    {first}

    @risdoa.hookimpl
    def risdoa_losses():
        yield risdoa.Plugin("mine", "builtins:dict", "A loss.")
"""

ADVICE = 'name factories as "package.module:Class" strings and import on use'


@pytest.fixture
def row(install, discover):
    """Install a loss whose module begins with a line, and return its row."""

    def of(first):
        install("acme-losses", LOSS.replace("{first}", first))
        [found] = [each for each in discover().rows() if each.distribution == "acme-losses"]
        return found

    return of


def test_a_light_plugin_has_its_seconds_and_no_notes(row, monkeypatch):
    monkeypatch.setattr(costs, "SLOW_S", 60.0)
    found = row("")
    assert found.seconds > 0
    assert found.notes == ()


def test_a_slow_plugin_is_named(row, monkeypatch):
    monkeypatch.setattr(costs, "SLOW_S", 0.0)
    [note] = row("").notes
    assert note == f"acme-losses took 0.0 s to list: {ADVICE}"


def test_a_heavy_import_is_named(row, monkeypatch, site):
    (site / "leaden.py").write_text("")
    monkeypatch.setattr(costs, "HEAVY", ("leaden", "torch"))
    monkeypatch.setattr(costs, "SLOW_S", 60.0)
    [note] = row("import leaden").notes
    assert note == f"acme-losses took 0.0 s to list: it imports leaden; {ADVICE}"


def test_a_broken_plugin_has_its_cost_too(row, monkeypatch):
    monkeypatch.setattr(costs, "SLOW_S", 0.0)
    found = row("raise RuntimeError('no licence')")
    assert (found.status, len(found.notes)) == ("broken", 1)


def test_what_was_imported_before_costs_nothing(row, monkeypatch):
    monkeypatch.setattr(costs, "HEAVY", ("json",))
    monkeypatch.setattr(costs, "SLOW_S", 60.0)
    assert "json" in sys.modules
    assert row("import json").notes == ()


@pytest.mark.parametrize(("daemon", "notes"), [(False, 1), (True, 0)])
def test_a_thread_that_would_keep_the_process_gets_a_name(daemon, notes, row, monkeypatch):
    monkeypatch.setattr(costs, "SLOW_S", 60.0)
    gate = threading.Event()
    monkeypatch.setattr(threading, "gate", gate, raising=False)
    line = (
        f"import threading; threading.Thread(target=threading.gate.wait, daemon={daemon}).start()"
    )
    try:
        found = row(line)
        strays = [each for each in threading.enumerate() if each.name.startswith(costs.STRAY)]
    finally:
        gate.set()
        while any(each.name.startswith(costs.STRAY) for each in threading.enumerate()):
            time.sleep(0.001)
    assert [each.name for each in strays] == ["risdoa plugin acme-losses"] * notes
    told = "acme-losses leaves threads running when it is listed: 1"
    assert found.notes == (told,) * notes


def test_the_builtins_are_not_named(discover, monkeypatch):
    monkeypatch.setattr(costs, "SLOW_S", 0.0)
    rows = discover(RISDOA_PLUGINS_ALLOW="").rows()
    assert {row.notes for row in rows} == {()}


# What is put back


def test_the_folder_is_put_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert isinstance(attempt(lambda: os.chdir("/")), Success)
    assert Path.cwd() == tmp_path


def test_a_folder_that_is_gone_is_left_alone(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert attempt(lambda: 3) == Success(3)


def test_warning_filters_and_streams_are_put_back():
    def vandal():
        warnings.simplefilter("ignore")
        sys.stdin = sys.stdout = sys.stderr = None

    before = sys.stdin, sys.stdout, sys.stderr
    filters = list(warnings.filters)
    assert isinstance(attempt(vandal), Success)
    assert (sys.stdin, sys.stdout, sys.stderr) == before
    assert warnings.filters == filters


def test_a_closed_stdout_is_no_obstacle(monkeypatch):
    monkeypatch.setattr(sys, "__stdout__", None)
    assert attempt(lambda: 3) == Success(3)
    assert isinstance(attempt(lambda: 1 / 0), Failure)


def test_the_true_stdout_is_there_for_what_shall_go_to_it(capfd):
    with stdout_to_stderr() as stream:
        sys.stdout.write("to stderr\n")
        os.write(1, b"to stderr too\n")
        stream.write("to stdout\n")
    sys.stdout.write("afterwards\n")
    captured = capfd.readouterr()
    assert captured.out == "to stdout\nafterwards\n"
    assert captured.err.splitlines() == ["to stderr", "to stderr too"]
