"""Every hook is documented with its contract and an example, which is a plugin that works."""

from __future__ import annotations

import inspect
import sys
from dataclasses import replace
from textwrap import dedent
from types import ModuleType

import numpy as np
import pytest
import torch

import risdoa
from risdoa.registry import KINDS, hookspecs
from risdoa.registry.hookspecs import HOOKS

BUILTIN = {"RISDOA_PLUGINS_ALLOW": ""}


def example_of(kind):
    """Return the module in the docstring of a hook."""
    text = inspect.getdoc(getattr(hookspecs, HOOKS[kind])) or ""
    _, found, example = text.partition("Example::\n")
    assert found, f"{HOOKS[kind]} has no example"
    return dedent(example)


@pytest.fixture
def registry(monkeypatch):
    """Return what makes the registry of a hook's example."""

    def of(kind):
        module = ModuleType(f"example_of_a_{kind}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(example_of(kind), f"<{HOOKS[kind]}>", "exec"), vars(module))
        return risdoa.Registry.discover(BUILTIN, extra=[module])

    return of


def its_row(registry, kind):
    [row] = [each for each in registry.rows() if each.distribution == f"example-of-a-{kind}"]
    return row


@pytest.fixture
def made(registry):
    """Return what makes the plugin of a hook's example, with options."""

    def of(kind, **options):
        found = registry(kind)
        return found.create(kind, its_row(found, kind).name, **options)

    return of


@pytest.fixture
def truth():
    """Return four scenes of an array that is read directly."""
    scenario = risdoa.Registry.discover(BUILTIN).create("scenario", "digital", nx=6, ny=6)
    return scenario.sample(4, torch.Generator().manual_seed(0), sources=1, snr_db=30.0)[1]


def test_every_kind_has_a_hook_and_every_hook_a_kind():
    specified = {name for name in vars(hookspecs) if name.startswith("risdoa_")}
    assert tuple(HOOKS) == KINDS
    assert set(HOOKS.values()) == specified


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_a_hook_is_a_plugin(kind, registry):
    row = its_row(registry(kind), kind)
    assert (row.kind, row.status, row.error) == (kind, "active", None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_contract_of_a_hook_names_its_base(kind, made):
    base = type(made(kind)).__mro__[1]
    contract = inspect.getdoc(getattr(hookspecs, HOOKS[kind])).partition("Example::")[0]
    assert f"``risdoa.{base.__name__}``" in contract
    assert getattr(risdoa, base.__name__) is base


def test_the_steering_example_is_close_to_the_exact_model(made, truth):
    model, problem = made("steering"), truth.problem
    array = replace(problem.array, gains=torch.linspace(1, 2, problem.array.count) * 1j)
    distant = truth.positions + torch.tensor([0.0, 0.0, 20.0])
    exact = risdoa.Registry.discover(BUILTIN).create("steering", "spherical")
    torch.testing.assert_close(model(array, distant), exact(array, distant), atol=1e-3, rtol=0)


def test_the_loss_example_vanishes_at_the_truth_alone(made, truth):
    loss = made("loss")
    assert loss(truth.covariance, truth).abs().max() < 1e-12
    other = truth.select(torch.tensor([1, 0, 3, 2])).covariance
    assert loss(other, truth).min() > 0.1


def test_the_model_example_and_the_backend_example_find_the_sources(made, truth):
    covariance = made("model")(truth.problem)
    found = made("backend", steps=30)(truth.problem, covariance, None)
    assert (found.positions - truth.positions)[..., :2].abs().max() < 0.1


def test_the_scenario_example_has_its_truth(made):
    problem, truth = made("scenario").sample(3, torch.Generator().manual_seed(0))
    beam = truth.steering_matrix().mH @ problem.snapshots.values.mT
    share = beam.abs().square().sum((-2, -1)) / problem.snapshots.values.abs().square().sum((1, 2))
    assert share.min() > 0.9


def test_the_reader_example_reads(registry, tmp_path):
    path = tmp_path / "scene.csv"
    path.write_text("0,0,0,1,2,3,4\n0.1,0,0,5,6,7,8\n")
    found = registry("reader")
    recording = risdoa.read_recording(path, registry=found)
    np.testing.assert_array_equal(recording.snapshots, [[[1 + 2j, 5 + 6j], [3 + 4j, 7 + 8j]]])
    path.write_text("0,0,0,1\n")
    with pytest.raises(risdoa.errors.InputError, match="not such a table"):
        risdoa.read_recording(path, registry=found)
