"""A study of several workers: no trial is lost, none done twice, none too many."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from contextlib import ExitStack

import optuna
import pytest
from optuna.trial import TrialState

from risdoa.errors import InputError
from risdoa.evaluation.journal import Budget
from risdoa.tuning.presence import Presence
from risdoa.tuning.study import (
    DEFAULT,
    ROLE,
    WORKER,
    SeededSampler,
    SharedStudy,
    hidden,
    opened_storage,
    pruner_of,
)


class Killed(BaseException):
    """What no code of a study expects."""


def valley(trial):
    return trial.suggest_float("x", -1, 1) ** 2


def address(kind, folder):
    return None if kind == "journal" else f"sqlite:///{folder}/studies.db"


@pytest.fixture(params=["journal", pytest.param("sqlite", marks=pytest.mark.slow)])
def worker(request, tmp_path):
    """Return what makes a worker of one study, each with a storage of its own."""
    with ExitStack() as stack:

        def make(trials=4, setup=None, seed=3, name="study"):
            place = address(request.param, tmp_path)
            storage = stack.enter_context(opened_storage(place, tmp_path))
            presence = stack.enter_context(Presence(tmp_path))
            sampler = SeededSampler(seed)
            return SharedStudy(storage, name, setup or {}, trials, tmp_path, presence, sampler)

        yield make


def parameters(shared):
    return [each.params for each in shared.finished]


def test_trials_count_for_all_workers(worker):
    first, second = worker(), worker()

    def interrupted(trial):
        if trial.number == 1:
            second.work(valley, Budget(60))
        return valley(trial)

    first.work(interrupted, Budget(60))
    assert first.complete
    assert second.complete
    assert len(first.study.trials) == 4
    assert [each.user_attrs[ROLE] for each in first.finished].count(DEFAULT) == 1
    workers = {each.user_attrs[WORKER] for each in first.finished}
    assert workers == {first.presence.token, second.presence.token}


def test_more_trials_are_added_to_a_finished_study(worker):
    worker().work(valley, Budget(60))
    more = worker(trials=6)
    assert not more.complete
    more.work(valley, Budget(60))
    assert len(more.finished) == 6
    fewer = worker(trials=2)
    fewer.work(valley, Budget(60))
    assert len(fewer.study.trials) == 6


def test_what_is_drawn_depends_on_seed_and_place_not_on_the_worker(worker):
    first = worker(trials=12, name="first")
    first.work(valley, Budget(60))
    second = worker(trials=5, name="second")
    second.work(valley, Budget(60))
    worker(trials=12, name="second").work(valley, Budget(60))
    assert parameters(second) == parameters(first)
    other = worker(trials=12, name="other", seed=4)
    other.work(valley, Budget(60))
    assert parameters(other) != parameters(first)


def test_another_setup_is_refused(worker):
    worker(setup={"space": "wide", "seed": 1})
    worker(setup={"space": "wide", "seed": 1})
    with pytest.raises(InputError, match="its seed differ"):
        worker(setup={"space": "wide", "seed": 2})


def test_the_budget_ends_the_work_between_trials(worker):
    shared = worker()
    shared.work(valley, Budget(-1))
    assert shared.finished == []
    shared.work(valley, Budget(60))
    assert shared.complete


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError("cannot be")])
def test_a_failed_trial_is_done_again_with_its_parameters(error, worker):
    def failing(trial):
        value = valley(trial)
        if trial.number == 2:
            raise error
        return value

    shared = worker()
    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        shared.work(failing, Budget(60))
    assert shared.study.trials[2].state == TrialState.FAIL
    worker().work(valley, Budget(60))
    again = shared.study.trials[-1]
    assert len(shared.finished) == 4
    assert again.params == shared.study.trials[2].params
    worker().work(valley, Budget(60))
    assert len(shared.study.trials) == 5


def test_the_trial_of_a_killed_worker_is_done_again_and_nothing_else(worker):
    def killed(trial):
        value = valley(trial)
        if trial.number == 2:
            raise Killed
        return value

    shared = worker()
    with pytest.raises(Killed):
        shared.work(killed, Budget(60))
    before = parameters(shared)
    running = shared.study.trials[2]
    assert running.state == TrialState.RUNNING
    alive = worker()
    alive.work(valley, Budget(60))
    assert not alive.complete  # its worker is there, so the trial is left to it
    shared.presence._stream.close()  # as the system does to a process that is killed
    worker().work(valley, Budget(60))
    assert len(shared.finished) == 4
    assert parameters(shared)[: len(before)] == before
    assert shared.study.trials[2].state == TrialState.FAIL
    assert shared.study.trials[-1].params == running.params


def test_a_worker_that_is_killed_before_it_says_so_is_missed_in_the_journal(tmp_path):
    with ExitStack() as stack:

        def make():
            storage = stack.enter_context(opened_storage(None, tmp_path))
            presence = stack.enter_context(Presence(tmp_path))
            return SharedStudy(storage, "study", {}, 2, tmp_path, presence, SeededSampler(0))

        killed, other = make(), make()
        taken = killed.study.ask()
        other.work(valley, Budget(60))
        assert len(other.finished) == 1  # it may be about to say that it has taken the trial
        killed.presence._stream.close()
        other.work(valley, Budget(60))
        assert other.complete
        assert other.study.trials[taken.number].state == TrialState.FAIL


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed")
@pytest.mark.parametrize("said", [True, False], ids=["who it was", "nothing"])
def test_a_worker_on_another_machine_is_missed(said, tmp_path, monkeypatch):
    monkeypatch.setattr("risdoa.tuning.study.HEARTBEAT", 1)
    with ExitStack() as stack:

        def make(folder):
            place = address("sqlite", tmp_path)
            storage = stack.enter_context(opened_storage(place, tmp_path))
            presence = stack.enter_context(Presence(folder))
            return SharedStudy(storage, "study", {}, 2, folder, presence, SeededSampler(0))

        def killed(trial):
            raise Killed

        here, there = make(tmp_path / "here"), make(tmp_path / "there")
        if said:
            with pytest.raises(Killed):
                here.work(killed, Budget(60))
        else:
            here.study.ask()
        there.work(valley, Budget(60))
        assert len(there.finished) == 1
        time.sleep(5)
        there.work(valley, Budget(60))
        assert there.complete
        assert [each.state for each in there.study.trials].count(TrialState.FAIL) == 1


def test_a_trial_that_nobody_planned_is_not_done(worker):
    shared = worker()
    shared.work(valley, Budget(60))
    look = shared.study.get_trials

    def late(*arguments, **options):
        """Still see a trial waiting that another worker has taken meanwhile."""
        waiting = options.get("states") == (TrialState.WAITING,)
        return [None] if waiting and len(look()) == 4 else look(*arguments, **options)

    shared.study.get_trials = late
    shared.work(valley, Budget(60))
    assert len(shared.finished) == 4
    assert shared.study.trials[-1].state == TrialState.FAIL


def test_the_median_pruner_ends_what_is_worse_than_most(worker):
    shared = worker(trials=12)
    shared.study.pruner = pruner_of("median")

    def stepwise(trial):
        for epoch in range(1, 5):
            trial.report(trial.number, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return trial.number

    shared.work(stepwise, Budget(60))
    pruned = [each for each in shared.finished if each.state == TrialState.PRUNED]
    assert [each.number for each in pruned] == list(range(5, 12))
    assert {each.last_step for each in pruned} == {3}


@pytest.mark.parametrize("place", [None, "sqlite://", "nonsense"])
def test_optuna_is_quiet_only_while_a_storage_is_open(place, tmp_path):
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    try:
        with contextlib.suppress(InputError), opened_storage(place, tmp_path):
            assert optuna.logging.get_verbosity() == optuna.logging.ERROR
        assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
    finally:
        optuna.logging.set_verbosity(before)


@pytest.mark.parametrize("line", ["no JSON", "{}", "3"])
def test_a_damaged_journal_is_named(line, tmp_path):
    with opened_storage(None, tmp_path) as storage:
        optuna.create_study(storage=storage).optimize(valley, n_trials=1)
    path = tmp_path / "journal.log"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], line + "\n", *lines[3:]]))
    with pytest.raises(InputError, match="as a journal"), opened_storage(None, tmp_path):
        pass


HOLD = """
import sys
from pathlib import Path
from risdoa.tuning.presence import Presence
with Presence(Path(sys.argv[1])) as presence:
    print(presence.token, flush=True)
    sys.stdin.read()
"""


def test_a_presence_ends_with_its_process(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with Presence(tmp_path) as here, process:
        token = process.stdout.readline().strip()
        assert here.gone(token) is False
        assert not here.alone
        process.kill()
        process.wait()
        assert here.gone(token) is True
        assert here.alone
        assert here.gone("elsewhere") is None
        assert here.gone(here.token) is False


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("nonsense", "cannot use"),
        ("postgresql://me:secret@host:port/x", "cannot use the storage"),
        ("magic://host/database", "cannot use magic://host/database"),
        ("sqlite:////no/such/folder/x.db", "unable to open database file"),
        (
            "postgresql://me:secret@127.0.0.1:1/x",
            r"cannot use postgresql://me:\*\*\*@127.0.0.1:1/x",
        ),
    ],
)
def test_a_storage_that_cannot_be_used_is_named_without_its_password(wrong, said, tmp_path):
    with pytest.raises(InputError, match=said) as caught, opened_storage(wrong, tmp_path):
        pass
    assert "secret" not in str(caught.value)
    assert "secret" not in hidden(wrong)
