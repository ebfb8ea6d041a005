"""What happened in a training, and whether it went as the seed says it should."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from risdoa.training.step import StepResult


def average(values: Iterable[float]) -> float | None:
    """Return the mean of the finite values, or None if there are none."""
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else None


@dataclass
class EpochRecord:
    """One epoch: means over its steps that counted, and the validation after it.

    Attributes:
        train: Mean loss and terms over the steps that were not skipped.
        validation: Mean loss and terms over the validation scenes.
        gradients: Mean norm by group of parameters, before clipping.
        skipped: Steps without an update, loss or gradient not being finite.
        overflows: Those of them with a finite loss whose scale for float16 was too large.
    """

    epoch: int
    steps: int
    skipped: int
    train: dict[str, float | None]
    validation: dict[str, float | None]
    gradients: dict[str, float | None]
    learning_rate: float
    seconds: float
    overflows: int = 0

    @classmethod
    def of(
        cls,
        epoch: int,
        results: list[StepResult],
        validation: dict[str, float | None],
        learning_rate: float,
        seconds: float,
    ) -> EpochRecord:
        """Summarise the steps of an epoch."""
        counted = [result for result in results if not result.skipped]
        parts, gradients = defaultdict(list), defaultdict(list)
        for result in counted:
            for name, value in result.parts.items():
                parts[name].append(value)
            for name, value in result.gradients.items():
                gradients[name].append(value)
        return cls(
            epoch=epoch,
            steps=len(results),
            skipped=len(results) - len(counted),
            train={
                "loss": average(result.loss for result in counted),
                **{name: average(values) for name, values in parts.items()},
            },
            validation=validation,
            gradients={name: average(values) for name, values in gradients.items()},
            learning_rate=learning_rate,
            seconds=round(seconds, 3),
            overflows=sum(result.overflow for result in results),
        )

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> EpochRecord:
        """Return the epoch that a line of ``metrics.jsonl`` tells of.

        Raises:
            TypeError: if it tells of something else.
        """
        return cls(**{key: value for key, value in line.items() if key != "schema"})

    def record(self) -> dict[str, Any]:
        """Return the epoch as a line of ``metrics.jsonl``."""
        return {"schema": "risdoa.metrics/1", **self.__dict__}

    def line(self, total: int) -> str:
        """Return the epoch as a line of the log."""
        return (
            f"epoch {self.epoch}/{total}: training {_figures(self.train)}; "
            f"validation {_figures(self.validation)}; [grad] {grad_text(self.gradients)}; "
            f"skipped {self.skipped}; {self.seconds:.1f} s"
        )


@dataclass
class History:
    """A whole training.

    Attributes:
        alignment: Losses that are computed from the true positions' steering vectors.
        steering: The steering model that makes those.
        first_gradients: Norms of the first batch of the first epoch.
        optimizer_steps: Real updates; the schedule made as many.
        warnings: What libraries warned about.
        resumed: The steps from which it went on after it had ended early.
    """

    alignment: tuple[str, ...]
    steering: str
    epochs: list[EpochRecord] = field(default_factory=list)
    first_gradients: dict[str, float] = field(default_factory=dict)
    optimizer_steps: int = 0
    scheduler_steps: int = 0
    best_epoch: int = 0
    warnings: tuple[str, ...] = ()
    resumed: tuple[int, ...] = ()

    def note_warnings(self, texts: Iterable[str]) -> None:
        """Take down what libraries warned about, each text once."""
        self.warnings = tuple(dict.fromkeys((*self.warnings, *texts)))

    def state(self) -> dict[str, Any]:
        """Return what the lines of ``metrics.jsonl`` do not say."""
        return {
            "first_gradients": self.first_gradients,
            "optimizer_steps": self.optimizer_steps,
            "scheduler_steps": self.scheduler_steps,
            "best_epoch": self.best_epoch,
            "warnings": list(self.warnings),
            "resumed": list(self.resumed),
        }

    def restore(self, state: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> None:
        """Take up a history that was saved.

        Raises:
            KeyError: if the state lacks something.
            TypeError: if a line is not one of ``metrics.jsonl``.
        """
        self.epochs = [EpochRecord.read(line) for line in lines]
        self.first_gradients = dict(state["first_gradients"])
        self.optimizer_steps = int(state["optimizer_steps"])
        self.scheduler_steps = int(state["scheduler_steps"])
        self.best_epoch = int(state["best_epoch"])
        self.warnings, self.resumed = tuple(state["warnings"]), tuple(state["resumed"])

    @property
    def idle_epochs(self) -> int:
        """Epochs since the best one."""
        return self.epochs[-1].epoch - self.best_epoch if self.epochs else 0

    @property
    def overflows(self) -> int:
        """Batches with a finite loss whose scale for float16 was too large."""
        return sum(record.overflows for record in self.epochs)

    @property
    def steps(self) -> int:
        """Batches seen."""
        return sum(record.steps for record in self.epochs)

    @property
    def skipped(self) -> int:
        """Batches that updated nothing."""
        return sum(record.skipped for record in self.epochs)

    def checks(self) -> list[tuple[bool, str]]:
        """Return the seed's success list: whether each point holds, and in words."""
        losses = [record.train["loss"] for record in self.epochs]
        first, last = losses[0], losses[-1]
        fell = first is not None and last is not None and last < first
        scheduler = [text for text in self.warnings if "lr_scheduler" in text]
        names = ", ".join(self.alignment) or "no term of this loss uses them"
        overflows = f", {self.overflows} by the scale for float16" if self.overflows else ""
        validated = sum(record.validation["loss"] is not None for record in self.epochs)
        return [
            (
                validated == len(self.epochs),
                f"no validation crash: {validated} of {len(self.epochs)} validations finite",
            ),
            (
                self.skipped == self.overflows,
                f"finite gradient norms in {self.steps - self.skipped} of {self.steps} batches "
                f"({self.skipped} skipped{overflows})",
            ),
            (
                not scheduler and self.optimizer_steps == self.scheduler_steps,
                f"no scheduler warning: {self.scheduler_steps} scheduler steps after "
                f"{self.optimizer_steps} optimizer steps",
            ),
            (
                bool(self.alignment),
                f"alignment from true steering vectors, model {self.steering}: {names}",
            ),
            (
                fell,
                f"training loss decreasing over {len(losses)} epochs: {_number(first)} to "
                f"{_number(last)}",
            ),
        ]


def grad_text(gradients: dict[str, float] | dict[str, float | None]) -> str:
    """Return norms as ``backbone=1.23e+00 head=4.56e-01``."""
    return " ".join(
        f"{name}={'none' if norm is None else format(norm, '.3e')}"
        for name, norm in gradients.items()
    )


def _figures(values: dict[str, float | None]) -> str:
    return " ".join(f"{name} {_number(value)}" for name, value in values.items())


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4f}"
