"""A whole search: trainings, then the chain behind the best of them, then fresh seeds."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from risdoa.errors import InputError
from risdoa.evaluation.journal import Budget, Journal
from risdoa.files import write_text
from risdoa.registry import Registry
from risdoa.threads import torch_threads
from risdoa.training.config import TrainConfig
from risdoa.training.experiment import Experiment
from risdoa.training.loop import training_step
from risdoa.tuning import report
from risdoa.tuning.confirming import Verdict, arms, confirm, key_of, verdict
from risdoa.tuning.judge import backends_of, judged, outputs
from risdoa.tuning.plan import Plan
from risdoa.tuning.presence import Presence
from risdoa.tuning.refining import Choice, Refinement, cached, choices, has_weights
from risdoa.tuning.study import JOURNAL, SeededSampler, SharedStudy, hidden, pruner_of
from risdoa.tuning.trainings import CONFIG, Trainings, run_path

log = logging.getLogger("risdoa.tuning")

STORAGE = "RISDOA_STORAGE"
"""The environment variable with the address of the storage, which may hold a password."""

MARGIN = 1.5
"""The budget over what the default takes: the networks that are tried may be larger."""

BESIDES = 1.0
"""Seconds of processor time that a trial takes besides its steps and judgements."""

TIMED = 24
"""Scenes on which the chain is timed."""

STUDY = "study.json"
STUDY_SCHEMA = "risdoa.hpo-study/1"


@dataclass(frozen=True)
class Place:
    """Where a search is kept.

    Attributes:
        folder: Of this machine's files.
        study: The name of the study.
        storage: The address of a database; None is the journal in the folder.
    """

    folder: Path
    study: str
    storage: str | None

    def check(self) -> None:
        """Refuse the folder of another study: runs and confirmations would overwrite its own.

        Raises:
            InputError: if there is one in the folder.
        """
        if not (self.folder / STUDY).exists():
            return
        kept, mine = _read(self.folder), {"study": self.study, "storage": hidden(self.storage)}
        for name, value in mine.items():
            if kept[name] != value:
                raise InputError(
                    f"{self.folder} is the folder of the {name} {kept[name]!r}, got {value!r}",
                    "give another --out, or the --study and --storage that it was begun with",
                )

    def write(self, plan: Plan) -> None:
        """Write what ``--join`` reads; a password stays out of it.

        Raises:
            InputError: if the folder is that of another study.
        """
        self.check()
        record = {
            "schema": STUDY_SCHEMA,
            "study": self.study,
            "storage": hidden(self.storage),
            "plan": plan.record(),
        }
        write_text(self.folder / STUDY, json.dumps(record, indent=2, allow_nan=False) + "\n")

    @classmethod
    def read(cls, folder: Path, storage: str | None) -> tuple[Place, Plan]:
        """Return the place and the plan of a search that has begun.

        Raises:
            InputError: if there is none, or its storage has to be named.
        """
        record = _read(folder)
        kept = record["storage"]
        own = kept == JOURNAL
        if own != (storage is None):
            where = "its own journal" if own else kept
            hint = f"leave away --storage and {STORAGE}" if own else f"give --storage or {STORAGE}"
            raise InputError(f"the study of {folder} is in {where}", hint)
        return cls(folder, record["study"], storage), Plan.read(record["plan"])


def _read(folder: Path) -> dict[str, Any]:
    """Return what a folder says about its study.

    Raises:
        InputError: if it says nothing.
    """
    try:
        record = json.loads((folder / STUDY).read_text("utf-8"))
        return {
            "study": str(record["study"]),
            "storage": str(record["storage"]),
            "plan": record["plan"],
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "give the --out of a `risdoa hpo` that has begun"
        raise InputError(f"cannot read {folder / STUDY}: {error}", hint) from error


@dataclass(frozen=True)
class Found:
    """What a search has come to so far.

    Attributes:
        document: Everything, as JSON.
        chain: What the second study chose, by name.
        verdict: Whether good was told from bad, if that was asked for and is known.
        elsewhere: Trials that other workers are still at.
    """

    document: dict[str, Any]
    chain: dict[str, Choice]
    verdict: Verdict | None
    elsewhere: int


class Campaign:
    """A search in a place, and this process as one of its workers.

    Args:
        plan: What is searched.
        place: Where it is kept.
        storage: Where the study is.
        presence: This worker.
        discover: Makes the registry of a training, which then knows what it used itself.

    Raises:
        InputError: for names, options or scenes that cannot be, or another study in this place.
    """

    def __init__(
        self,
        plan: Plan,
        place: Place,
        storage: BaseStorage,
        presence: Presence,
        discover: Callable[[], Registry] = Registry.discover,
    ) -> None:
        self.plan, self.place, self.discover = plan, place, discover
        self.storage, self.presence = storage, presence
        self.registry = discover()
        self.trainings = Trainings(plan, discover, place.folder)
        self.shared = self._shared(place.study, plan.trials, pruner_of(plan.pruner))

    def _shared(self, name: str, trials: int, pruner: Any = None) -> SharedStudy:
        return SharedStudy(
            self.storage,
            name,
            self.plan.setup(),
            trials,
            self.place.folder,
            self.presence,
            SeededSampler(self.plan.base.seed),
            pruner,
        )

    def seconds(self) -> tuple[float, float]:
        """Return the processor time of a training of the default, and of the whole second study.

        By a step after a first one, and the chain on a few scenes, of a network without training.
        The second study makes its covariances first, and the weights where they lie elsewhere.
        """
        config = self.plan.base
        experiment = Experiment.of(config, self.registry)
        step = training_step(experiment, config.steps)
        experiment.model.train()
        step(lambda: experiment.scenes.batch(0, 0))
        one = _timed(lambda: step(lambda: experiment.scenes.batch(1, 0)))
        first = self.trainings.judges[0]
        few = first.select(torch.arange(min(TIMED, first.problem.scenes)))
        scale = config.validation_scenes / few.problem.scenes
        made = outputs(experiment.model, [few])
        making = scale * _timed(lambda: outputs(experiment.model, [few]))
        judging = scale * _timed(lambda: judged(made, self.trainings.backends))
        whole = backends_of(self.registry, self.plan.whole_chain, self.plan.fixed)
        behind = scale * _timed(lambda: judged(made, whole))
        training = BESIDES + config.epochs * (config.steps_per_epoch * one + making + judging)
        if self.plan.chain_trials < 1:
            return training, 0.0
        best = report.best_of(self.shared.finished)
        here = best is None or has_weights(run_path(self.place.folder, best.number))
        ready = BESIDES + making + (0.0 if here else training)
        return training, ready + self.plan.chain_trials * behind

    def train(self, budget: Budget) -> None:
        """Take trainings until none is left or the budget is spent."""
        self.shared.work(self.trainings, budget)

    def refine(self, budget: Budget) -> tuple[dict[str, Choice], bool]:
        """Tune what needs no training behind the best network, once all trainings are done.

        What is made once does not count against the budget, so that every call gets further.
        Return what came of it, and whether nothing is left to do.
        """
        best = report.best_of(self.shared.finished)
        if best is None or self.plan.chain_trials < 1 or not self.shared.complete:
            return {}, self.shared.complete
        name = f"{self.place.study}-chain-{best.number}"
        shared = self._shared(name, self.plan.chain_trials)
        if not shared.complete and budget.allows_another():
            config = TrainConfig.of(best.user_attrs[CONFIG])
            run, left = run_path(self.place.folder, best.number), budget.seconds - budget.spent
            made = cached(self.plan, config, run, self.registry)
            shared.work(Refinement(self.plan, self.registry, made), Budget(left))
        return choices(shared.finished), shared.complete

    def confirm(self, seeds: Sequence[int], budget: Budget) -> Verdict | None:
        """Train best, median and default from fresh seeds; return the verdict when all are done."""
        if not seeds or not self.shared.complete:
            return None
        journal, finished = self.confirmation(seeds), self.shared.finished
        folder = self.place.folder
        confirm(self.plan, finished, seeds, folder, journal, budget, self.discover)
        made = verdict(finished, seeds, journal.records, self.plan.base.seed)
        if made is None and not any(self.left(seeds)):
            log.info("a training from a fresh seed broke down, so there is no verdict")
        return made

    def confirmation(self, seeds: Sequence[int]) -> Journal:
        """Return the journal of the trainings from fresh seeds; the first decides the scenes."""
        setup = {"schema": "risdoa.hpo-confirmation/1", "scenes": seeds[0], **self.plan.setup()}
        return Journal(self.place.folder / "confirmation.jsonl", setup)

    def left(self, seeds: Sequence[int]) -> tuple[int, int]:
        """Return how many trials are not done, and how many trainings from fresh seeds."""
        trials = max(0, self.plan.trials - len(self.shared.finished))
        if not seeds:
            return trials, 0
        if trials:
            return trials, 3 * len(seeds)
        numbers = {each.number for each in arms(self.shared.finished).values()}
        done = self.confirmation(seeds)
        return 0, sum(key_of(number, seed) not in done for number in numbers for seed in seeds)

    def found(self, chain: dict[str, Choice], confirmed: Verdict | None, *, done: bool) -> Found:
        """Return what there is so far."""
        trials, finished = self.shared.counted, self.shared.finished
        where = {"study": self.place.study, "storage": hidden(self.place.storage)}
        study = self.shared.study
        made = report.document(self.plan, where, study, finished, chain, confirmed, complete=done)
        running = sum(each.state == TrialState.RUNNING for each in trials)
        return Found(made, chain, confirmed, running)

    def write(self, found: Found) -> None:
        """Write it into the folder."""
        best, config = report.best_of(self.shared.finished), None
        if best is not None:
            chosen, model = found.chain.get("chosen"), self.plan.base.model
            config = report.best_config(best, model, chosen, self.registry)
        report.write(self.place.folder, found.document, config)


def _timed(action: Callable[[], object]) -> float:
    begun = time.process_time()
    action()
    return time.process_time() - begun


@contextmanager
def helpers(count: int, place: Place, budget: float) -> Iterator[None]:
    """Let other processes work on the trials; wait for them, or end them where this one fails."""
    share = max(1, (os.cpu_count() or 1) // (count + 1))
    environment = {"OMP_NUM_THREADS": str(share), **os.environ}
    if place.storage is not None:
        environment[STORAGE] = place.storage
    command = [sys.executable, "-m", "risdoa", "hpo", "--join", str(place.folder)]
    processes = [
        subprocess.Popen(  # noqa: S603 - this very program
            [*command, "--budget", f"{budget:g}"], stdout=subprocess.DEVNULL, env=environment
        )
        for _ in range(count)
    ]
    alone = nullcontext() if "OMP_NUM_THREADS" in os.environ else torch_threads(share)
    try:
        with alone:
            yield
        for process in processes:
            process.wait()
    finally:
        alive = [process for process in processes if process.poll() is None]
        for process in alive:
            process.send_signal(signal.SIGINT)
        for process in alive:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that was interrupted; kill it where it takes long."""
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
