"""Exact versions live in constraints.txt alone, and cover all that the package needs."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def _pins(root):
    lines = (root / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"==[0-9.]+", str(pin.specifier)) for pin in pins)
    return {canonicalize_name(pin.name): pin for pin in pins}


def _declared(root):
    project = tomllib.loads((root / "pyproject.toml").read_text())
    texts = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["dev"],
    ]
    return [Requirement(text) for text in texts]


def _closure(requirements):
    found, waiting = set(), list(requirements)
    while waiting:
        name = canonicalize_name(waiting.pop().name)
        if name in found:
            continue
        found.add(name)
        needs = map(Requirement, requires(name) or [])
        waiting += [
            need for need in needs if not need.marker or need.marker.evaluate({"extra": ""})
        ]
    return found


def test_the_project_declares_ranges_only(root):
    for requirement in _declared(root):
        assert "==" not in str(requirement.specifier), requirement


def test_the_pins_satisfy_the_ranges(root):
    pins = _pins(root)
    for requirement in _declared(root):
        (pin,) = pins[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(pin.version), requirement


def test_torch_is_pinned_without_a_local_suffix(root):
    assert str(_pins(root)["torch"]) == "torch==2.13.0"


def test_everything_that_is_needed_is_pinned_and_nothing_else(root):
    try:
        closure = _closure(_declared(root))
    except PackageNotFoundError as error:
        raise AssertionError(f"not installed: {error}") from error
    pins = set(_pins(root))
    accelerators = {name for name in closure if name.startswith(("nvidia-", "cuda-"))} | {"triton"}
    assert closure - accelerators <= pins
    assert pins <= closure
