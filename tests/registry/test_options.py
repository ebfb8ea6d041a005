"""Options read off a signature, and strings turned into values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pytest

from risdoa.errors import InputError, UnknownNameError
from risdoa.registry.options import signature_model, validated


class Newton:
    def __init__(
        self,
        iterations: int = 20,
        damping: float | None = None,
        *,
        likelihood: Literal["auto", "conditional"] = "auto",
        bounds: tuple[float, float] = (0.0, 1.0),
        polish: bool = True,
        label: str = "",
        **extra: object,
    ) -> None:
        pass


def _validated(factory: Callable[..., object] = Newton, **given):
    return validated("newton", signature_model("newton", factory), given)


def test_defaults_come_from_the_signature():
    assert _validated() == {
        "iterations": 20,
        "damping": None,
        "likelihood": "auto",
        "bounds": (0.0, 1.0),
        "polish": True,
        "label": "",
    }


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("iterations", "5", 5),
        ("damping", "1e-3", 1e-3),
        ("damping", "none", None),
        ("likelihood", "conditional", "conditional"),
        ("bounds", "-1, 2", (-1.0, 2.0)),
        ("polish", "false", False),
        ("label", "none", "none"),
    ],
)
def test_strings_are_converted(option, text, value):
    assert _validated(**{option: text})[option] == value


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("iterations", "2.5"),
        ("iterations", "none"),
        ("damping", "nan"),
        ("damping", "inf"),
        ("likelihood", "best"),
        ("bounds", "1"),
        ("polish", "perhaps"),
    ],
)
def test_wrong_values_name_the_option_and_what_there_is(option, text):
    with pytest.raises(InputError, match=rf"newton\.{option}: .*got '{text}'") as caught:
        _validated(**{option: text})
    assert "likelihood: Literal['auto', 'conditional'] = 'auto'" in caught.value.hint


def test_extra_keyword_arguments_of_a_factory_are_no_options():
    with pytest.raises(UnknownNameError, match="no option 'extra'"):
        _validated(extra="1")


def test_dataclasses_and_functions_are_factories_too():
    @dataclass
    class Point:
        x: float
        y: float = 0.0

    def build(x: float, y: float = 0.0) -> None: ...

    for factory in (Point, build):
        assert _validated(factory, x="1") == {"x": 1.0, "y": 0.0}
        with pytest.raises(InputError, match=r"newton\.x: field required"):
            _validated(factory)


def test_a_factory_without_options_says_so():
    with pytest.raises(UnknownNameError) as caught:
        _validated(object, a="1")
    assert caught.value.hint == "newton takes no options"
