"""How the checks call a model, and what every covariance must look like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.problem import Problem
from risdoa.scenarios.canonical import Canonical
from risdoa.testing.cases_scenes import SEPARABLE, SQUARE, SURFACE, Scene, generator
from risdoa.testing.failures import ContractError, expect, on
from risdoa.testing.refusals import answer_of
from risdoa.testing.subject import Subject

NOISY_DB = 10.0
NEGATIVE = 1e-4
"""Of the largest eigenvalue: how far below 0 rounding in single precision may leave another."""


def problems(scenes: int = 1, snapshots: int = 8) -> Iterator[Scene]:
    """Yield one source before small arrays, read directly and through a surface, then large."""
    for setting in (SQUARE, SURFACE, SEPARABLE[2]):
        places = setting.jittered(1, scenes)
        yield setting.scene(1, scenes=scenes, snapshots=snapshots, snr_db=NOISY_DB, places=places)
    drawn = Canonical(snapshots=snapshots).sample(scenes, generator(0), sources=1, snr_db=NOISY_DB)
    name = f"scenario canonical, {snapshots} snapshots, {scenes} scenes"
    yield Scene(name, drawn[0], drawn[1], drawn[1].covariance)


def made(subject: Subject, *, training: bool = False) -> Any:
    """Return a fresh model; a network in the mode that is asked for."""
    model = subject.make()
    return model.train(training) if isinstance(model, torch.nn.Module) else model


def home_of(subject: Subject, scenes: int = 1, snapshots: int = 8) -> Scene:
    """Return the smallest of the problems that a model supports."""
    for scene in problems(scenes, snapshots):
        with on(scene.name):
            if supports(made(subject), scene.problem):
                return scene
    names = "; ".join(scene.name for scene in problems(scenes, snapshots))
    with on(names):
        expect(False, "support of one of these problems", "supports(problem) = False for all")
    raise AssertionError


def supports(model: Any, problem: Problem) -> bool:
    """Return whether a model says that it has a covariance for a problem."""
    value = model.supports(problem)
    expect(isinstance(value, bool), "True or False from supports", repr(value))
    return bool(value)


def answered(model: Any, problem: Problem) -> Covariance:
    """Return the covariance that a model makes of a problem that it supports."""
    found = answer_of(lambda: model(problem), "a covariance")
    if isinstance(found, InputError):
        raise ContractError("a covariance, as supports(problem) is True", f"InputError: {found}")
    expect(isinstance(found, Covariance), "a risdoa.Covariance", type(found).__name__)
    assert isinstance(found, Covariance)
    return found


def expect_answer_or_refusal(subject: Subject, scene: Scene) -> None:
    """Expect a covariance where the model supports the problem, else one or an ``InputError``."""
    model = made(subject)
    if supports(model, scene.problem):
        expect_form(scene.problem, answered(model, scene.problem))
        return
    found = answer_of(lambda: model(scene.problem), "a covariance or an InputError")
    if not isinstance(found, InputError):
        expect_form(scene.problem, found)


def expect_form(problem: Problem, found: object) -> None:
    """Expect a finite covariance (S, N, J) that is positive semidefinite and not zero."""
    expect(isinstance(found, Covariance), "a risdoa.Covariance", type(found).__name__)
    assert isinstance(found, Covariance)
    shape, lead = tuple(found.factor.shape), (problem.scenes, problem.array.count)
    right = len(shape) == 3 and shape[:2] == lead and shape[2] > 0
    expect(right, f"a factor ({lead[0]}, {lead[1]}, J) with J >= 1", shape)
    expect(bool(found.factor.isfinite().all()), "a finite factor", "NaN or infinity")
    if found.load is not None:
        _expect_load(found.load, problem.scenes)
    values = torch.linalg.eigvalsh(found.detach().dense().to(torch.complex128))
    least, most = float(values.min()), float(values.max())
    expect(bool((values[:, -1] > 0).all()), "a covariance that is not zero", values[:, -1].tolist())
    expect(
        bool((values[:, 0] >= -NEGATIVE * values[:, -1]).all()),
        "eigenvalues >= 0",
        f"{least:.3g}, where the largest is {most:.3g}",
    )


def _expect_load(load: Tensor, scenes: int) -> None:
    expect(tuple(load.shape) == (scenes,), f"a load ({scenes},)", tuple(load.shape))
    expect(load.is_floating_point(), "a real load", load.dtype)
    low = float(load.detach().min())
    expect(bool((load >= 0).all()), "a load >= 0", f"{low:.3g}")


def difference(first: Covariance, second: Covariance) -> float:
    """Return the largest ‖R - S‖/‖R‖ of the scenes."""
    one, other = (each.detach().dense().to(torch.complex128) for each in (first, second))
    off = torch.linalg.matrix_norm(one - other) / torch.linalg.matrix_norm(one)
    return float(off.nan_to_num(nan=torch.inf).max())


def scaled(scene: Scene, factor: complex) -> Problem:
    """Return the problem with its measurements times a number."""
    snapshots = scene.problem.snapshots
    noise = snapshots.noise_power
    changed = replace(
        snapshots,
        values=snapshots.values * factor,
        noise_power=None if noise is None else noise * abs(factor) ** 2,
    )
    return replace(scene.problem, snapshots=changed)
