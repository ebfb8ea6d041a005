"""Workers are processes: they share a search, are killed and interrupted, and lose nothing."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time

import optuna
import pytest
from optuna.trial import TrialState

from risdoa.tuning.study import ROLE, WORKER, opened_storage
from tests.tuning import postgres
from tests.tuning.small import COMMAND

pytestmark = pytest.mark.slow

PATIENCE = 300
"""Seconds after which a worker that has not come so far hangs."""

TRIALS = 6
SEARCH = [*COMMAND, "--chain-trials", "0", "--pruner", "none", "--budget", "10000", "--trials"]


RISDOA = """
import signal, sys
from risdoa.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""
"""The command; it hears interrupts even where a shell has put the tests into the background."""


def start(*arguments, **environment):
    """Start risdoa in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", RISDOA, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "RISDOA_PLUGINS_ALLOW": "", "OMP_NUM_THREADS": "1", **environment},
    )


def ended(process):
    """Return what a process wrote, which must end well."""
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0, output
    return output


@pytest.fixture
def processes():
    """Collects processes, none of which outlives the test."""
    started = []
    yield started
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def trials(folder, address=None, name="hpo"):
    """Return the planned trials, as another worker sees them; none where there is no study yet."""
    with opened_storage(address, folder) as storage:
        if name not in optuna.get_all_study_names(storage):
            return []
        study = optuna.load_study(study_name=name, storage=storage)
        return [each for each in study.trials if ROLE in each.user_attrs]


def until(condition):
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def finished(found):
    return [each for each in found if each.state == TrialState.COMPLETE]


def kill_amid(process, look):
    """Kill a worker that has finished a trial and is at another; return what there was."""
    while True:
        process.send_signal(signal.SIGSTOP)
        found = look()
        assert len(finished(found)) < TRIALS
        running = [each for each in found if each.state == TrialState.RUNNING]
        if finished(found) and any(WORKER in each.user_attrs for each in running):
            process.kill()
            process.wait()
            return found
        process.send_signal(signal.SIGCONT)
        time.sleep(0.1)


def outcomes(found):
    return {each.number: (each.value, tuple(each.params.items())) for each in found}


@contextlib.contextmanager
def held_back(*folders):
    """Hold the workers of some folders at the door until all of them are there."""
    with contextlib.ExitStack() as stack:
        for folder in folders:
            stream = stack.enter_context((folder / "study.lock").open("w"))
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
        until(lambda: sum(len([*each.glob("workers/*.lock")]) for each in folders) >= 2)


def check_shared(found):
    """Check that each trial was done once, and that both workers had their share."""
    assert len(finished(found)) == len(found) == TRIALS
    assert len({each.user_attrs[WORKER] for each in found}) == 2
    assert len({tuple(each.params.items()) for each in found}) == TRIALS


def test_two_calls_share_the_journal(processes, tmp_path):
    with held_back(tmp_path):
        processes += [start(*SEARCH, TRIALS, "--out", tmp_path) for _ in range(2)]
    for process in processes:
        ended(process)
    check_shared(trials(tmp_path))
    content = json.loads((tmp_path / "hpo.json").read_text())
    assert len(content["trials"]) == TRIALS


def test_one_call_has_several_workers(processes, tmp_path):
    processes.append(start(*SEARCH, TRIALS, "--workers", "2", "--out", tmp_path))
    ended(processes[0])
    found = trials(tmp_path)
    assert len(finished(found)) == len(found) == TRIALS
    assert len([*(tmp_path / "workers").iterdir()]) == 0
    assert json.loads((tmp_path / "hpo.json").read_text())["complete"]


def test_a_killed_worker_loses_no_finished_trial(processes, tmp_path):
    processes.append(start(*SEARCH, TRIALS, "--out", tmp_path))
    until((tmp_path / "study.json").exists)
    before = kill_amid(processes[0], lambda: trials(tmp_path))
    [lost] = [each for each in before if each.state == TrialState.RUNNING]
    processes.append(start(*SEARCH, TRIALS, "--out", tmp_path))
    assert f"trial {lost.number} was lost with its worker" in ended(processes[1])
    after = trials(tmp_path)
    assert outcomes(finished(before)).items() <= outcomes(finished(after)).items()
    assert len(finished(after)) == TRIALS
    assert [each.number for each in after if each.state == TrialState.FAIL] == [lost.number]
    again = next(each for each in after if each.user_attrs.get("replaces") == lost.number)
    assert lost.params.items() <= again.params.items()


def test_an_interrupt_ends_all_workers_and_writes_what_there_is(processes, tmp_path):
    processes.append(start(*SEARCH, 200, "--workers", "2", "--out", tmp_path))
    until((tmp_path / "study.json").exists)
    until(lambda: finished(trials(tmp_path)))
    processes[0].send_signal(signal.SIGINT)
    output = processes[0].communicate(timeout=PATIENCE)[0]
    assert processes[0].returncode == 130, output
    assert "Traceback" not in output
    assert "interrupted" in output
    found = trials(tmp_path)
    running = [each for each in found if each.state == TrialState.RUNNING]
    # One that was only just taken does not know its worker yet; the next call gives it up.
    assert not any(WORKER in each.user_attrs for each in running)
    content = json.loads((tmp_path / "hpo.json").read_text())
    assert not content["complete"]
    assert {each["trial"] for each in content["trials"]} == set(outcomes(finished(found)))
    with pytest.raises(ProcessLookupError):
        os.killpg(processes[0].pid, 0)


@pytest.fixture(scope="module")
def database():
    """The address of a real PostgreSQL."""
    if postgres.programs() is None:
        pytest.skip("PostgreSQL's server is not installed: no initdb, nor /usr/lib/postgresql")
    with postgres.server() as address:
        yield address


def test_two_machines_share_postgresql(processes, database, tmp_path):
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    with held_back(*folders):
        processes += [
            start(*SEARCH, TRIALS, "--out", folder, "--seed", "2", RISDOA_STORAGE=database)
            for folder in folders
        ]
    for process in processes:
        assert "secret" not in ended(process)
    check_shared(trials(tmp_path, database))
    here, there = (json.loads((folder / "hpo.json").read_text()) for folder in folders)
    assert max(len(here["trials"]), len(there["trials"])) == TRIALS
    assert here["storage"].startswith("postgresql://tester:***@")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in written if b"secret" in path.read_bytes()] == []


def test_a_worker_that_is_killed_leaves_postgresql_whole(processes, database, tmp_path):
    search = [*SEARCH, TRIALS, "--out", tmp_path, "--study", "killed", "--storage", database]
    processes.append(start(*search))

    def seen():
        return trials(tmp_path, database, "killed")

    until((tmp_path / "study.json").exists)
    before = finished(kill_amid(processes[0], seen))
    processes.append(start(*search))
    assert "was lost with its worker" in ended(processes[1])
    after = seen()
    assert outcomes(before).items() <= outcomes(finished(after)).items()
    assert len(finished(after)) == TRIALS
