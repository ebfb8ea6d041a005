"""A study that several workers share: its trials are planned first, and then taken one by one."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import DuplicatedStudyError, StorageInternalError, UpdateFinishedTrialError
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from risdoa.errors import InputError
from risdoa.evaluation.journal import Budget
from risdoa.tuning.presence import JournalLock, Presence, one_at_a_time

log = logging.getLogger("risdoa.tuning")

ROLE, SETUP, WORKER, REPLACES = "role", "setup", "worker", "replaces"
DEFAULT, SAMPLED = "default", "sampled"

JOURNAL = "journal"
"""What stands for an address where the study is in the folder itself."""

STARTUP = 8
"""Trials drawn at random before the sampler learns from them."""

HEARTBEAT = 60
"""Seconds between two signs of life in a database; a trial without three of them is given up."""

PATIENCE = 10
"""Seconds that a worker waits for another one to finish making the tables, or the study."""

_MADE_AT_ONCE = ("already exists", "duplicate key")
"""What a database says where two workers make its tables at once."""

Objective = Callable[[Trial], float]


class SurplusError(Exception):
    """A trial that nobody planned: another worker took the last one first."""


class SeededSampler(BaseSampler):
    """TPE whose draws are a function of the seed, the number of the trial and what it has seen.

    So they do not depend on which worker draws, nor on what it drew before. Every parameter is
    drawn by itself, for which of them there are depends on others.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._inner = TPESampler(seed=0, multivariate=False)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Take the seed of the trial."""
        state = np.random.SeedSequence([self.seed, trial.number]).generate_state(1)
        self._inner = TPESampler(seed=int(state[0]), multivariate=False, n_startup_trials=STARTUP)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return nothing: all parameters are drawn one by one."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return nothing; see above."""
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return a value for a parameter."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)


def pruner_of(name: str) -> BasePruner:
    """Return the pruner called *median* or *none*.

    *median* ends a trial that is worse after an epoch than half of the others were, from the third
    epoch on and once five are finished.
    """
    if name == "none":
        return NopPruner()
    return MedianPruner(n_startup_trials=5, n_warmup_steps=3)


@contextmanager
def opened_storage(address: str | None, folder: Path) -> Iterator[BaseStorage]:
    """Yield the journal in the folder, or the database at an address; Optuna is quiet meanwhile.

    Raises:
        InputError: if there is no such database, nothing to reach it with, or no such journal.
    """
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        if address is None:
            yield _journal(folder / "journal.log")
        else:
            with _database(address) as storage:
                yield storage
    finally:
        optuna.logging.set_verbosity(before)


def _journal(path: Path) -> JournalStorage:
    """Return the study that a file keeps, which is read as a whole here.

    Raises:
        InputError: if it cannot be.
    """
    try:
        lock = JournalLock(path.with_suffix(".lock"))
        return JournalStorage(JournalFileBackend(str(path), lock))
    except (ValueError, KeyError, TypeError) as error:
        hint = "give another --out, or the file as it was written"
        raise InputError(f"cannot read {path} as a journal: {error}", hint) from error


@contextmanager
def _database(address: str) -> Iterator[RDBStorage]:
    """Yield the database at an address, and close its connections."""
    storage = _made(address)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _made(address: str) -> RDBStorage:
    """Return the database at an address, with Optuna's tables in it.

    Raises:
        InputError: if there is no such database, or nothing to reach it with.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return _connected(address)
        except (SQLAlchemyError, StorageInternalError, ImportError, ValueError) as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            if any(sign in reason for sign in _MADE_AT_ONCE) and time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            hint = "write postgresql://USER@HOST/DATABASE, and install risdoa[postgresql]"
            raise InputError(f"cannot use {hidden(address)}: {reason}", hint) from error


def _connected(address: str) -> RDBStorage:
    """Connect; heartbeats tell of workers on other machines."""
    url = make_url(address)
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return RDBStorage(
            url.render_as_string(hide_password=False),
            engine_kwargs={"pool_pre_ping": True},
            heartbeat_interval=HEARTBEAT,
            grace_period=3 * HEARTBEAT,
        )


def hidden(address: str | None) -> str:
    """Return an address without its password, or ``JOURNAL`` for none."""
    if address is None:
        return JOURNAL
    try:
        return make_url(address).render_as_string(hide_password=True)
    except (SQLAlchemyError, ValueError):
        return "the storage"


class SharedStudy:
    """A study in a storage, and this process as one of its workers.

    ``trials`` trials are planned as waiting ones, the first of which is the default, and workers
    take them. A trial that failed, by a kill or an error, is planned again with its parameters.

    Args:
        storage: Where the study is.
        name: What it is called there.
        setup: What its workers must agree in.
        trials: How many; a study that has fewer gets more.
        sampler: Draws the parameters.
        pruner: Ends bad trials early.
        folder: Of this machine's files.
        presence: This worker.

    Raises:
        InputError: if there is a study of this name with another setup.
    """

    def __init__(
        self,
        storage: BaseStorage,
        name: str,
        setup: Mapping[str, Any],
        trials: int,
        folder: Path,
        presence: Presence,
        sampler: BaseSampler,
        pruner: BasePruner | None = None,
    ) -> None:
        self.trials, self.presence = trials, presence
        self._lock = folder / "study.lock"
        self._local = isinstance(storage, JournalStorage)
        pruner = pruner or NopPruner()
        with one_at_a_time(self._lock):
            try:
                self.study = optuna.create_study(
                    storage=storage, study_name=name, sampler=sampler, pruner=pruner
                )
            except DuplicatedStudyError:
                self.study = optuna.load_study(
                    study_name=name, storage=storage, sampler=sampler, pruner=pruner
                )
                self._check(setup)
            self._plan()
            if SETUP not in self.study.user_attrs:
                self.study.set_user_attr(SETUP, dict(setup))

    def _check(self, setup: Mapping[str, Any]) -> None:
        """Wait for the setup if another machine is about to write it; refuse another one."""
        deadline = time.monotonic() + (0 if self._local else PATIENCE)
        while SETUP not in self.study.user_attrs and time.monotonic() < deadline:
            time.sleep(0.2)
        theirs = self.study.user_attrs.get(SETUP, setup)
        if theirs != setup:
            differ = sorted(
                name for name in {*theirs, *setup} if theirs.get(name) != setup.get(name)
            )
            raise InputError(
                f"the study {self.study.study_name!r} is another one: its "
                f"{', '.join(differ)} differ",
                "give another --out or --study, or the settings that it was begun with",
            )

    def work(self, objective: Objective, budget: Budget) -> None:
        """Take trials until none is left or the budget is spent.

        ``objective`` may raise ``optuna.TrialPruned``. An interrupt, or another error, fails the
        trial and ends the work.
        """

        def planned(trial: Trial) -> float:
            if ROLE not in trial.user_attrs:
                raise SurplusError
            trial.set_user_attr(WORKER, self.presence.token)
            return objective(trial)

        try:
            while budget.allows_another():
                with one_at_a_time(self._lock):
                    self._give_up(self._is_lost)
                    self._plan()
                if not self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
                    return
                self.study.optimize(planned, n_trials=1, catch=(SurplusError,))
        except KeyboardInterrupt:
            self._give_up(lambda trial: trial.user_attrs.get(WORKER) == self.presence.token)
            raise

    @property
    def counted(self) -> list[FrozenTrial]:
        """The trials that were planned and have not failed, in order."""
        trials = self.study.get_trials(deepcopy=False)
        kept = [each for each in trials if ROLE in each.user_attrs]
        return [each for each in kept if each.state != TrialState.FAIL]

    @property
    def finished(self) -> list[FrozenTrial]:
        """The trials that were trained to the end or pruned."""
        return [each for each in self.counted if each.state.is_finished()]

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do, here or elsewhere."""
        return len(self.finished) >= self.trials

    def _give_up(self, lost: Callable[[FrozenTrial], bool]) -> None:
        """Fail the running trials that are lost: their workers were killed or interrupted."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            optuna.storages.fail_stale_trials(self.study)
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if lost(trial):
                log.info("trial %d was lost with its worker: it is done again", trial.number)
                try:
                    self.study.tell(trial.number, state=TrialState.FAIL)
                except (UpdateFinishedTrialError, ValueError):
                    log.info("trial %d was given up by another worker", trial.number)

    def _is_lost(self, trial: FrozenTrial) -> bool:
        """Tell whether the worker of a running trial is gone.

        A journal belongs to one folder: who is not in it is gone. In a database others may be
        elsewhere, and their heartbeat tells. One that was killed before it said who it is, and
        before its first heartbeat, is known by the age of its trial.
        """
        token = trial.user_attrs.get(WORKER)
        if token is None:
            return self.presence.alone if self._local else _age(trial) > 3 * HEARTBEAT
        gone = self.presence.gone(token)
        return self._local if gone is None else gone

    def _plan(self) -> None:
        """Plan failed trials again, then as many new ones as there should be."""
        trials = self.study.get_trials(deepcopy=False)
        planned = [each for each in trials if ROLE in each.user_attrs]
        failed = [each for each in planned if each.state == TrialState.FAIL]
        replaced = {each.user_attrs.get(REPLACES) for each in planned}
        missing = self.trials - (len(planned) - len(failed))
        again = [each for each in failed if each.number not in replaced][: max(0, missing)]
        for each in again:
            attributes = {ROLE: each.user_attrs[ROLE], REPLACES: each.number}
            self.study.enqueue_trial(each.params, user_attrs=attributes)
        for number in range(missing - len(again)):
            role = SAMPLED if planned or number else DEFAULT
            self.study.enqueue_trial({}, user_attrs={ROLE: role})


def _age(trial: FrozenTrial) -> float:
    """Return the seconds since a trial began; Optuna keeps local times."""
    now = datetime.now(UTC).astimezone().replace(tzinfo=None)
    return (now - (trial.datetime_start or now)).total_seconds()
