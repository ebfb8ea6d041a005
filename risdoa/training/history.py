"""What happened in a training, and whether it went as the seed says it should."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
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
    """

    epoch: int
    steps: int
    skipped: int
    train: dict[str, float | None]
    validation: dict[str, float | None]
    gradients: dict[str, float | None]
    learning_rate: float
    seconds: float

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
        )

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
    """

    alignment: tuple[str, ...]
    steering: str
    epochs: list[EpochRecord] = field(default_factory=list)
    first_gradients: dict[str, float] = field(default_factory=dict)
    optimizer_steps: int = 0
    scheduler_steps: int = 0
    best_epoch: int = 0
    warnings: tuple[str, ...] = ()

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
        validated = sum(record.validation["loss"] is not None for record in self.epochs)
        return [
            (
                validated == len(self.epochs),
                f"no validation crash: {validated} of {len(self.epochs)} validations finite",
            ),
            (
                self.skipped == 0,
                f"finite gradient norms in {self.steps - self.skipped} of {self.steps} batches "
                f"({self.skipped} skipped)",
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
