"""How the checks call a backend, and what every answer must look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.problem import Estimates
from risdoa.testing.cases_scenes import (
    FAR,
    NEAR,
    SEPARABLE,
    Scene,
    Setting,
    deviation,
    near_truth,
    noiseless,
)
from risdoa.testing.failures import expect, on
from risdoa.testing.purity import tensors_of
from risdoa.testing.refusals import answer_of
from risdoa.testing.subject import Subject

EXACT = 0.01
"""Half-widths; two orders below what an array resolves. Single precision leaves 0.001."""
ON_GRID = 1.0
"""Half-widths: the cell of a grid that samples no coarser than the array resolves, and as much as
sources may shift each other where a backend is biased."""
NOISY_DB = 20.0
"""No outliers at 36 elements, and errors ten times above what EXACT allows."""
ROUNDING = 1e-9
"""Rad and m: how far bounds of a region may be missed."""


def settings_of(subject: Subject) -> tuple[Setting, ...]:
    """Return the settings that a backend is made for: a line, a square, and one with a surface.

    The sources of a backend that finds directions alone are far away, and one that refuses exact
    spherical waves is given canonical ones.
    """
    if "far-field" in subject.traits:
        return FAR
    return NEAR if any(_answers(subject, setting) for setting in NEAR) else SEPARABLE


def home_of(subject: Subject) -> Setting:
    """Return a setting with a square array that the backend answers."""
    return small_of(subject)[1]


def small_of(subject: Subject) -> tuple[Setting, Setting]:
    """Return the line, and a square array that the backend answers: for what needs no more."""
    line, square, surface = settings_of(subject)
    choices = (square, surface, line)
    return line, next((each for each in choices if _answers(subject, each)), square)


def _answers(subject: Subject, setting: Setting) -> bool:
    return attempted(subject, setting, setting.scene(1)) is not None


def tolerance_of(subject: Subject, sources: int = 1) -> float:
    """Return how many half-widths an estimate of so many sources without noise may be off."""
    shifted = "biased" in subject.traits and sources > 1
    return ON_GRID if shifted or "grid" in subject.traits else EXACT


def solve(
    subject: Subject,
    setting: Setting,
    scene: Scene,
    *,
    backend: Any = None,
    covariance: bool | None = None,
    start: Estimates | None = None,
) -> Estimates:
    """Return what a backend, by default a fresh one, makes of scenes.

    It is given a covariance as ``covariance`` says, by default unless it is ``snapshots-only``, and
    a start if there is one here or it needs one.
    """
    backend = subject.make() if backend is None else backend
    given = "snapshots-only" not in subject.traits if covariance is None else covariance
    if start is None and "needs-start" in subject.traits:
        start = near_truth(setting, scene)
    found: Estimates = backend(scene.problem, scene.covariance if given else None, start)
    return found


def attempted(
    subject: Subject,
    setting: Setting,
    scene: Scene,
    *,
    covariance: bool | None = None,
    start: Estimates | None = None,
) -> Estimates | None:
    """Return what a backend makes of scenes, or None where it says that it cannot."""
    found = answer_of(
        lambda: solve(subject, setting, scene, covariance=covariance, start=start),
        "estimates or an InputError",
    )
    return None if isinstance(found, InputError) else found


def expect_recovered(
    subject: Subject, settings: Sequence[Setting], *, covariance: bool | None = None, most: int = 9
) -> None:
    """Expect every source of the scenes without noise; some, with reasons, may be refused.

    One backend may want a plane array, another no surface or one source alone: an ``InputError`` is
    a fair answer, but not everywhere.
    """
    answers = 0
    for setting in settings:
        for scene in noiseless([setting]):
            sources = scene.truth.positions.shape[1]
            if sources > most:
                continue
            with on(scene.name):
                found = attempted(subject, setting, scene, covariance=covariance)
                if found is not None:
                    answers += 1
                    expect_at_truth(setting, scene, found, tolerance_of(subject, sources))
    with on(", ".join(setting.name for setting in settings)):
        expect(answers, "an answer for one of these arrays", "an InputError for all")


def expect_at_truth(setting: Setting, scene: Scene, found: Estimates, tolerance: float) -> None:
    """Expect all sources valid and within ``tolerance`` half-widths of the truth."""
    places = scene.truth.positions
    sources = places.shape[1]
    expect_form(scene, found)
    valid = found.valid.sum(-1)
    expect(bool((valid == sources).all()), f"{sources} valid in every scene", valid.tolist())
    off = float(deviation(setting, found.positions, places).max())
    expect(
        off <= tolerance,
        f"sources within {tolerance:g} of a −3 dB half-width of the truth, in any order",
        f"one {off:.3g} half-widths off: {listed(found.positions)} for {listed(places)}",
    )


def expect_form(scene: Scene, found: object) -> None:
    """Expect estimates of the shapes and types that the contract names, finite and detached."""
    expect(isinstance(found, Estimates), "risdoa.Estimates", type(found).__name__)
    assert isinstance(found, Estimates)
    problem = scene.problem
    scenes = problem.scenes
    counts = problem.sources
    sources = found.positions.shape[1] if counts is None else int(counts.max())
    lead = (scenes, sources)
    for name, shape in {
        "positions": (*lead, 3),
        "valid": lead,
        "unobservable": (*lead, 3),
        "objective": (scenes,),
        "converged": (scenes,),
        "iterations": (scenes,),
    }.items():
        value = getattr(found, name)
        came = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        expect(came == shape, f"{name} {shape}", came)
    _expect_types(found)
    for name, value in tensors_of(found).items():
        expect(not value.requires_grad, f"{name} without a graph", "requires_grad = True")
    for name, value in (("positions", found.positions), ("objective", found.objective)):
        expect(bool(value.isfinite().all()), f"finite {name}", listed(value))
    if counts is not None:
        most = int((found.valid.sum(-1) - counts).max())
        expect(most <= 0, "no more valid estimates than sources asked for", f"{most} more")
    if found.error_covariance is not None:
        expect_error_bars(found.error_covariance, found.valid)
    notes: object = found.notes
    texts = isinstance(notes, tuple) and all(isinstance(note, str) for note in notes)
    expect(texts, "notes as a tuple of texts", repr(notes))


def _expect_types(found: Estimates) -> None:
    """Expect flags to be flags, counts to be whole and numbers to be real."""
    for name in ("valid", "unobservable", "converged"):
        dtype = getattr(found, name).dtype
        expect(dtype == torch.bool, f"{name} as torch.bool", dtype)
    for name in ("positions", "objective"):
        value = getattr(found, name)
        expect(value.is_floating_point(), f"{name} in real floating point", value.dtype)
    whole = not (found.iterations.is_floating_point() or found.iterations.is_complex())
    expect(whole, "iterations as whole numbers", found.iterations.dtype)


def expect_error_bars(errors: Tensor, valid: Tensor) -> None:
    """Expect finite, symmetric, positive semidefinite error covariances (S, K, 3, 3)."""
    shape = (*valid.shape, 3, 3)
    expect(tuple(errors.shape) == shape, f"error_covariance {shape}", tuple(errors.shape))
    used = errors[valid].to(torch.float64)
    expect(bool(used.isfinite().all()), "finite error covariances", listed(used))
    # correlations, so that rad² and m² weigh alike; 1e-6 is rounding in single precision
    spread = used.diagonal(dim1=-2, dim2=-1).clamp_min(1e-300).rsqrt()
    scaled = used * spread.unsqueeze(-1) * spread.unsqueeze(-2)
    expect(bool((used.diagonal(dim1=-2, dim2=-1) >= 0).all()), "variances >= 0", listed(used))
    skew = float((scaled - scaled.mT).abs().amax()) if len(used) else 0.0
    expect(skew <= 1e-6, "symmetric error covariances", f"an asymmetry of {skew:.2g}")
    least = float(torch.linalg.eigvalsh((scaled + scaled.mT) / 2).amin()) if len(used) else 0.0
    expect(least >= -1e-6, "positive semidefinite error covariances", f"eigenvalue {least:.2g}")


def expect_inside(scene: Scene, found: Estimates) -> None:
    """Expect positions in the region, bounds included, and fixed coordinates at their value."""
    positions = found.positions[found.valid]
    region = scene.problem.region.to(positions.dtype)
    low, high = region[:, 0] - ROUNDING, region[:, 1] + ROUNDING
    inside = bool(((positions >= low) & (positions <= high)).all())
    expect(inside, f"positions in the region {listed(region)}", listed(positions))
    fixed = ~scene.problem.free
    held = bool((positions[:, fixed] == region[fixed, 0]).all())
    expect(held, f"fixed coordinates at exactly {listed(region[fixed, 0])}", listed(positions))


def expect_same(setting: Setting, first: Estimates, second: Estimates, tolerance: float) -> None:
    """Expect the same valid sources at the same places, in any order, within half-widths."""
    expected, came = first.valid.sum(-1).tolist(), second.valid.sum(-1).tolist()
    expect(expected == came, f"{expected} valid sources", came)
    for scene, count in enumerate(expected):
        if count:
            one = first.positions[scene][first.valid[scene]]
            other = second.positions[scene][second.valid[scene]]
            off = float(deviation(setting, other[None], one[None]))
            expect(
                off <= tolerance,
                f"the same positions {listed(one)}, within {tolerance:g} half-widths",
                f"{listed(other)}, {off:.3g} half-widths off",
            )


def narrow(scene: Scene) -> Scene:
    """Return the scene with the covariance of one snapshot, of rank 1."""
    return replace(scene, covariance=Covariance(scene.covariance.factor[..., :1]))


def listed(values: Tensor, most: int = 6) -> str:
    """Return numbers as a short text, a row for the last axis."""
    rows = values.detach().reshape(-1, values.shape[-1]) if values.numel() else values[:0]
    texts = ["[" + ", ".join(f"{x:.4g}" for x in row) + "]" for row in rows[:most].tolist()]
    return ", ".join(texts) + (", …" if len(rows) > most else "")
