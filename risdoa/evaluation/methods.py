"""What a comparison compares: a model, a chain of backends and a steering model under one label."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from risdoa.errors import InputError
from risdoa.problem import Estimates, Problem
from risdoa.steering.base import Steering

FORM = "[LABEL=]MODEL[#RUN]:CHAIN[@STEERING]"
EXAMPLE = "hybrid#runs/a:music,newton,nf-mle@canonical"

_PATTERN = re.compile(
    r"(?:(?P<label>[^=#:@]+)=)?"
    r"(?P<model>[^=#:@,]+)"
    r"(?:#(?P<run>.+))?"
    r":(?P<chain>[^=#:@]+)"
    r"(?:@(?P<steering>[^=#:@,]+))?"
)


@dataclass(frozen=True)
class MethodSpec:
    """A method as it is written on the command line."""

    label: str
    model: str
    chain: tuple[str, ...]
    run: Path | None = None
    """A run directory or a checkpoint, for a trained model."""
    steering: str | None = None

    def __str__(self) -> str:
        """Return the text that reads as this method."""
        text = self.model + (f"#{self.run}" if self.run else "") + ":" + ",".join(self.chain)
        text += f"@{self.steering}" if self.steering else ""
        return text if text == self.label else f"{self.label}={text}"


@dataclass(frozen=True)
class Method:
    """Something that estimates: a label, a callable, and the steering model that it is told.

    ``steering`` is the name and the model; None is the scenario's own.
    """

    label: str
    estimate: Callable[[Problem], Estimates]
    steering: tuple[str, Steering] | None = None


def parse_method(text: str) -> MethodSpec:
    """Read ``[LABEL=]MODEL[#RUN]:CHAIN[@STEERING]``; without a label the text is its own.

    >>> parse_method("hybrid#runs/a:music,newton@canonical").chain
    ('music', 'newton')

    Raises:
        InputError: the text has another form, or its run directory does not exist.
    """
    found = _PATTERN.fullmatch(text.strip())
    parts = {key: value.strip() for key, value in found.groupdict("").items()} if found else {}
    chain = tuple(name.strip() for name in parts.get("chain", "").split(","))
    if not (parts and parts["model"] and all(chain)):
        raise InputError(f"method {text!r} is not {FORM}", f"write it as in {EXAMPLE}")
    run = Path(parts["run"]) if parts["run"] else None
    if run is not None and not run.exists():
        raise InputError(
            f"method {text!r}: there is no run {run}", "name a directory that `risdoa train` wrote"
        )
    label = parts["label"] or text.strip()
    return MethodSpec(label, parts["model"], chain, run, parts["steering"] or None)


def parse_methods(texts: tuple[str, ...]) -> list[MethodSpec]:
    """Read several methods, whose labels must differ.

    Raises:
        InputError: a text has another form, or two share a label.
    """
    specs = [parse_method(text) for text in texts]
    labels = [spec.label for spec in specs]
    for label in labels:
        if labels.count(label) > 1:
            raise InputError(
                f"two methods are labelled {label!r}", "give them labels: --method a=… --method b=…"
            )
    return specs
