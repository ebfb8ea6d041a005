"""Checks of learned models: training, gradients, checkpoints."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from risdoa.checkpoints import Metadata, load_weights, read_checkpoint, save_checkpoint
from risdoa.covariance import Covariance
from risdoa.scenarios.draws import complex_normal
from risdoa.testing.cases_scenes import Scene, generator
from risdoa.testing.checks import check
from risdoa.testing.failures import expect, on
from risdoa.testing.model_calls import (
    answered,
    expect_form,
    home_of,
    made,
)
from risdoa.testing.models import expect_no_leak
from risdoa.testing.purity import tensors_of
from risdoa.testing.subject import Subject

_METADATA = Metadata(model="model", qualified="kit/model", options={}, steering="", scenario="")
STEPS = 3
"""Steps in which every parameter must have had a gradient: where a last layer begins at zero, those
before it have none in the first."""


@check("model", traits=("learned",))
def a_network(subject: Subject) -> None:
    """The model is a torch.nn.Module with parameters, the same ones whenever it is made."""
    model, again = made(subject), made(subject)
    with on("two fresh models"):
        expect(isinstance(model, torch.nn.Module), "a torch.nn.Module", type(model).__name__)
        expect(any(True for _ in model.parameters()), "parameters", "none")
        same = model.state_dict().keys() == again.state_dict().keys()
        expect(same, "the same names in both state_dict()", "other names in the second")


@check("model", traits=("learned",))
def learns_from_any_number_of_snapshots(subject: Subject) -> None:
    """Where a network supports a problem, it does so with any number of snapshots."""
    for snapshots in (1, 2, 5, 16, 33):
        scene = home_of(subject, snapshots=snapshots)
        with on(f"{scene.name}, {snapshots} snapshots"):
            expect_form(scene.problem, answered(made(subject), scene.problem))


@check("model", traits=("learned",))
def scenes_do_not_leak_in_training(subject: Subject) -> None:
    """In training too, what is measured in one scene changes nothing in another."""
    expect_no_leak(subject, training=True)


@check("model", traits=("learned",))
def every_parameter_gets_a_gradient(subject: Subject) -> None:
    """Every parameter has a gradient that is finite, and in a few steps not zero."""
    scene = home_of(subject, 4)
    model = made(subject, training=True)
    parameters = {name: each for name, each in model.named_parameters() if each.requires_grad}
    optimiser = torch.optim.Adam(parameters.values(), lr=1e-3)
    still = set(parameters)
    with on(f"{scene.name}, a random functional of R"), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # for dropout
        for step in range(STEPS):
            optimiser.zero_grad()
            _functional(answered(model, scene.problem), seed=step).backward()
            for name, parameter in parameters.items():
                if parameter.grad is not None:
                    finite = bool(parameter.grad.isfinite().all())
                    expect(finite, "finite gradients", f"NaN or infinity in that of {name}")
                    still -= {name} if bool(parameter.grad.any()) else set()
            optimiser.step()
        dead = ", ".join(sorted(still))
        expect(not still, f"a gradient of every parameter within {STEPS} steps", f"none of {dead}")


def _functional(covariance: Covariance, seed: int) -> Tensor:
    """Return Re tr(WR)/N of a random Hermitian W, to which every entry of R matters."""
    graph = covariance.factor.requires_grad or covariance.load_or_zero().requires_grad
    expect(graph, "a covariance with a graph to the parameters", "one without a graph")
    drawn = complex_normal((covariance.elements, covariance.elements), generator(seed))
    weights = ((drawn + drawn.mH) / 2).to(covariance.factor.dtype)
    loaded = covariance.load_or_zero() * weights.diagonal().real.sum()
    inside = (covariance.factor.conj() * (weights @ covariance.factor)).real.sum((-2, -1))
    return (inside + loaded).sum() / covariance.elements


@check("model", traits=("learned",))
def finite_under_autocast(subject: Subject) -> None:
    """Under torch.autocast in bfloat16 the covariance and all gradients are finite."""
    scene = home_of(subject, 2)
    model = made(subject, training=True)
    with on(f"{scene.name}, autocast"), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16):
            found = answered(model, scene.problem)
        expect_form(scene.problem, found)
        _functional(found, seed=0).backward()
        wrong = [
            name
            for name, parameter in model.named_parameters()
            if parameter.grad is not None and not bool(parameter.grad.isfinite().all())
        ]
        expect(not wrong, "finite gradients", f"NaN or infinity in {', '.join(wrong)}")


@check("model", traits=("learned",))
def a_checkpoint_round_trip(subject: Subject) -> None:
    """After some training, saved and loaded into a fresh model, it gives the same to the bit."""
    scene = home_of(subject, 2)
    with on(scene.name), tempfile.TemporaryDirectory() as folder:
        model = _trained(subject, scene)
        path = Path(folder) / "model.safetensors"
        metadata = Metadata(
            model="model", qualified="kit/model", options={}, steering="", scenario=""
        )
        save_checkpoint(path, model, metadata)
        fresh = made(subject)
        load_weights(fresh, read_checkpoint(path)[0], path)
        with torch.no_grad():
            before, after = (answered(each.eval(), scene.problem) for each in (model, fresh))
        expect_form(scene.problem, before)
        found = tensors_of(after)
        for name, value in tensors_of(before).items():
            same = name in found and torch.equal(value, found[name])
            expect(same, "the covariance before, to the last bit", f"another {name}")


def _trained(subject: Subject, scene: Scene) -> Any:
    """Return a model after two steps, with moved weights and whatever else training changes."""
    model = made(subject, training=True)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for step in range(2):
            optimiser.zero_grad()
            _functional(answered(model, scene.problem), seed=step).backward()
            optimiser.step()
    return model
