"""What a comparison compares: a model, a chain of backends and a steering model under one label."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from risdoa.errors import InputError
from risdoa.problem import Estimates, Problem
from risdoa.steering.base import Steering

FORM = "[LABEL=]MODEL[#RUN]:CHAIN[@STEERING]"
EXAMPLE = "hybrid#runs/a:music,newton,nf-mle@canonical"

_OPTIONS = r"\[[^\[\]]*\]"
_PATTERN = re.compile(
    r"(?:(?P<label>[^=#:@\[\]]+)=)?"
    rf"(?P<model>[^=#:@,\[\]]+(?:{_OPTIONS})?)"
    r"(?:#(?P<run>.+))?"
    rf":(?P<chain>(?:[^=#:@\[\]]|{_OPTIONS})+)"
    rf"(?:@(?P<steering>[^=#:@,\[\]]+(?:{_OPTIONS})?))?"
)
_PART = re.compile(rf"(?P<name>[^\[\]]+)(?P<options>{_OPTIONS})?")
_COMMA = re.compile(r",(?![^\[\]]*\])")
"""A comma outside brackets."""

Options = Mapping[str, str]


@dataclass(frozen=True)
class MethodSpec:
    """A method as it is written on the command line."""

    label: str
    model: str
    chain: tuple[str, ...]
    run: Path | None = None
    """A run directory or a checkpoint, for a trained model."""
    steering: str | None = None
    options: Mapping[str, Options] = field(default_factory=dict)
    """What stands in brackets behind plugins, by ``kind:name`` as settings have it."""

    def __str__(self) -> str:
        """Return the text that reads as this method."""
        return self.text if self.text == self.label else f"{self.label}={self.text}"

    @property
    def text(self) -> str:
        """The method without its label."""
        text = self._part("model", self.model) + (f"#{self.run}" if self.run else "") + ":"
        text += ",".join(self._part("backend", name) for name in self.chain)
        return text + (f"@{self._part('steering', self.steering)}" if self.steering else "")

    def _part(self, kind: str, name: str) -> str:
        options = self.options.get(f"{kind}:{name}", {})
        text = ",".join(f"{option}={value}" for option, value in options.items())
        return f"{name}[{text}]" if text else name

    def settings(self, common: Mapping[str, Options]) -> dict[str, Options]:
        """Return common settings with this method's own, which prevail."""
        own = {key: {**common.get(key, {}), **options} for key, options in self.options.items()}
        return {**common, **own}


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

    Options of a plugin stand in brackets behind its name, as in ``none:nf-mle[starts=4,kept=1]``.

    >>> parse_method("hybrid#runs/a:music,newton@canonical").chain
    ('music', 'newton')

    Raises:
        InputError: the text has another form, or its run directory does not exist.
    """
    found = _PATTERN.fullmatch(text.strip())
    parts = {key: value.strip() for key, value in found.groupdict("").items()} if found else {}
    if not parts:
        raise _wrong_form(text)
    run = Path(parts["run"]) if parts["run"] else None
    if run is not None and not run.exists():
        raise InputError(
            f"method {text!r}: there is no run {run}", "name a directory that `risdoa train` wrote"
        )
    options: dict[str, Options] = {}
    model = _plugin(text, "model", parts["model"], options)
    chain = tuple(_plugin(text, "backend", part, options) for part in _COMMA.split(parts["chain"]))
    told = parts["steering"]
    steering = _plugin(text, "steering", told, options) if told else None
    _check_options(text, chain, options)
    spec = MethodSpec(parts["label"], model, chain, run, steering, options)
    return spec if spec.label else replace(spec, label=spec.text)


def _plugin(text: str, kind: str, part: str, options: dict[str, Options]) -> str:
    """Return the name of a plugin, and enter the options behind it."""
    found = _PART.fullmatch(part.strip())
    name = found["name"].strip() if found else ""
    if not (found and name):
        raise _wrong_form(text)
    if found["options"]:
        key = f"{kind}:{name}"
        if key in options:
            raise InputError(f"method {text!r} sets options of {name} twice", "give them once")
        options[key] = _options(text, found["options"][1:-1])
    return name


def _check_options(text: str, chain: tuple[str, ...], options: Mapping[str, Options]) -> None:
    """Raise an InputError for options that would be lost, or hold for more than they seem to."""
    if "model:none" in options:
        raise InputError(
            f"method {text!r} gives options to 'none', which is no model",
            "give them to the plugin that takes them, as in none:nf-mle[starts=4]",
        )
    for name in chain:
        if f"backend:{name}" in options and chain.count(name) > 1:
            raise InputError(
                f"method {text!r} gives options to {name}, which it runs {chain.count(name)} times",
                f"they hold for all of them: --set {name}.OPTION=VALUE says so",
            )


def _options(text: str, inside: str) -> dict[str, str]:
    """Return the options that stand in brackets; hyphens count as underscores."""
    options: dict[str, str] = {}
    for each in inside.split(","):
        option, equals, value = (part.strip() for part in each.partition("="))
        key = option.replace("-", "_")
        if not (key and equals and value):
            raise InputError(
                f"method {text!r}: {each.strip()!r} is not OPTION=VALUE",
                "write options as in none:nf-mle[starts=4,kept=1]",
            )
        if key in options:
            raise InputError(f"method {text!r} gives {option} twice", "give it once")
        options[key] = value
    return options


def _wrong_form(text: str) -> InputError:
    return InputError(f"method {text!r} is not {FORM}", f"write it as in {EXAMPLE}")


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
