"""Steering models: shapes, precision, norm, batches, refusals, and nothing else touched."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.errors import InputError
from risdoa.testing.cases_waves import ARRAYS, NamedArray, aligned, described, held, places
from risdoa.testing.checks import check
from risdoa.testing.failures import expect, on
from risdoa.testing.purity import (
    expect_global_generators_left_alone,
    expect_inputs_left_alone,
    expect_repeatable,
)
from risdoa.testing.subject import Subject

BATCHES = ((), (1,), (3, 2), (0,))
PRECISIONS = (torch.float64, torch.float32)
SAME = 1e-9
"""Far above the rounding of phases of some tens of radians, far below what a fault changes."""


@dataclass(frozen=True)
class _Inputs:
    """What a model is given, under the names that failures use."""

    array: Array
    positions: Tensor


@check("steering")
def shapes(subject: Subject) -> None:
    """Positions (…, K, 3) give steering vectors (…, N, K) and derivatives (…, N, K, 3)."""
    model = subject.make()
    for each, batch, sources in product(held(model), BATCHES, (1, 2)):
        shape = (*batch, each.array.count, sources)
        with on(f"{each.name}, positions {(*batch, sources, 3)}"):
            at = places(each, *batch, sources=sources)
            _expect_shape(model(each.array, at), shape, "steering vectors")
            if batch != (0,):
                vectors, slopes = model.derivatives(each.array, at)
                _expect_shape(vectors, shape, "steering vectors beside the derivatives")
                _expect_shape(slopes, (*shape, 3), "derivatives")


@check("steering")
def arrays_of_their_own(subject: Subject) -> None:
    """Scenes may have arrays of their own, (S, N, 3), for positions (S, K, 3) or shared (K, 3)."""
    model = subject.make()
    for each in held(model):
        array = _scaled_copies(each)
        for at in (places(each, 3), places(each)):
            with on(f"{each.name} in 3 sizes, one a scene, positions {tuple(at.shape)}"):
                found = model(array, at)
                _expect_shape(found, (3, each.array.count, 2), "steering vectors")
                for scene, positions in enumerate(at.expand(3, 2, 3)):
                    alone = model(_one(array, scene), positions)
                    _expect_same(found[scene], alone, f"those of the array of scene {scene} alone")


@check("steering")
def precision_of_the_positions(subject: Subject) -> None:
    """Complex64 for float32 positions and complex128 for float64, whatever the array is in."""
    model = subject.make()
    for each, precision, own in product(held(model), PRECISIONS, PRECISIONS):
        with on(f"{each.name} in {_word(own)}, positions in {_word(precision)}"):
            at, array = places(each).to(precision), each.array.to(dtype=own)
            vectors, slopes = model.derivatives(array, at)
            results = {
                "steering vectors": model(array, at),
                "steering vectors beside the derivatives": vectors,
                "derivatives": slopes,
            }
            for name, value in results.items():
                wanted = precision.to_complex()
                expect(value.dtype == wanted, f"{name} in {_word(wanted)}", f"{_word(value.dtype)}")
                expect(value.device == at.device, f"{name} on {at.device}", value.device)


@check("steering")
def unit_norm(subject: Subject) -> None:
    """Every steering vector has norm 1, everywhere in the region and for any element gains."""
    model = subject.make()
    for each, precision in product(held(model), PRECISIONS):
        tolerance = (8 + 4 * each.array.count) * torch.finfo(precision).eps  # a sum of N squares
        for array, gains in ((each.array, ""), (_weighted(each.array), ", with gains")):
            with on(f"{each.name}{gains}, {_word(precision)}"):
                at = _region(subject, each).to(precision)
                norms = torch.linalg.vector_norm(model(array, at), dim=-2)
                for source in ((norms - 1).abs() > tolerance).nonzero().flatten().tolist():
                    with on(described(at[source])):
                        expect(False, "a norm of 1", float(norms[source]))


@check("steering")
def finite_everywhere(subject: Subject) -> None:
    """Vectors are finite from the near field to infinity, at broadside, sides and poles."""
    model = subject.make()
    for each, precision in product(held(model), PRECISIONS):
        with on(f"{each.name}, {_word(precision)}"):
            at = _region(subject, each).to(precision)
            _expect_finite(model(each.array, at).mT, at, "finite steering vectors")


@check("steering")
def finite_derivatives(subject: Subject) -> None:
    """Derivatives are finite at every finite range, at broadside, sides and poles."""
    model = subject.make()
    for each in held(model):
        with on(each.name):
            at = _region(subject, each)
            at = at[at[:, 2].isfinite()]
            slopes = model.derivatives(each.array, at)[1]
            _expect_finite(slopes.transpose(0, 1), at, "finite derivatives")


@check("steering")
def batch_is_a_loop(subject: Subject) -> None:
    """A source has the same vector and derivatives alone as beside other sources and scenes."""
    model = subject.make()
    for each in held(model):
        at = places(each, 3)
        vectors, slopes = model(each.array, at), model.derivatives(each.array, at)[1]
        for scene, source in product(range(3), range(2)):
            with on(f"{each.name}, 3 scenes of 2 sources, source {source} of scene {scene}"):
                alone = at[scene, source : source + 1]
                vector, slope = model(each.array, alone), model.derivatives(each.array, alone)[1]
                _expect_same(
                    vectors[scene, :, source], vector[:, 0], "the vector that it has alone"
                )
                _expect_same(
                    slopes[scene, :, source], slope[:, 0], "the derivatives that it has alone"
                )


@check("steering")
def single_precision(subject: Subject) -> None:
    """Complex64 keeps the phase to its rounding, however far the source: no r is taken off ρ."""
    model = subject.make()
    for each in held(model):
        # angles, coordinates and the formula round a few times each; ρ - r by subtraction would
        # lose another factor r/radius, 10 000 here
        tolerance = 64 * torch.finfo(torch.float32).eps * (1 + each.phase)
        for distance in (3.0, 100.0, 1e4):
            at = places(each, sources=4, nearest=distance, farthest=distance).to(torch.float32)
            with on(f"{each.name}, 4 sources at {distance:g} times its radius"):
                exact = model(each.array, at.to(torch.float64))
                found = aligned(model(each.array, at).to(exact), exact)
                error = float((found - exact).abs().max()) * math.sqrt(each.array.count)
                expect(
                    error <= tolerance,
                    f"complex64 within {tolerance:.2g} rad of complex128",
                    f"{error:.2g} rad",
                )


@check("steering", traits=("planar-only",))
def planar_only_refuses_depth(subject: Subject) -> None:
    """An array that leaves the x-y plane is refused with an InputError."""
    model = subject.make()
    for each in ARRAYS:
        if not each.array.is_planar:
            with on(each.name):
                _expect_refusal(model, each.array, places(each))


@check("steering", unless=("planar-only",))
def holds_in_three_dimensions(subject: Subject) -> None:
    """An array that leaves the x-y plane is held, or the trait planar-only says that it is not."""
    model = subject.make()
    for each in ARRAYS:
        if not each.array.is_planar:
            with on(each.name):
                try:
                    model(each.array, places(each))
                except InputError as refusal:
                    expect(False, "steering vectors, or the trait planar-only", f"{refusal!r}")


@check("steering")
def wrong_positions_are_refused(subject: Subject) -> None:
    """Positions of another shape or type are refused with an InputError."""
    model = subject.make()
    each = held(model)[0]
    good = places(each, sources=3)
    for wrong in (good[0], good[:, :2], good.to(torch.int64)):
        with on(f"{each.name}, positions {tuple(wrong.shape)} in {_word(wrong.dtype)}"):
            _expect_refusal(model, each.array, wrong)


@check("steering")
def inputs_left_alone(subject: Subject) -> None:
    """Neither the array nor the positions are changed."""
    model = subject.make()
    for each in held(model):
        for array, gains in ((each.array, ""), (_weighted(each.array), " with gains")):
            at = places(each)
            with on(f"{each.name}{gains}, 2 sources"):
                inputs = _Inputs(array, at)
                expect_inputs_left_alone(partial(model, array, at), inputs)
                expect_inputs_left_alone(partial(model.derivatives, array, at), inputs)


@check("steering")
def repeatable(subject: Subject) -> None:
    """The same positions give the same vectors and derivatives, bit by bit."""
    model = subject.make()
    for each in held(model):
        at = places(each)
        with on(f"{each.name}, 2 sources"):
            expect_repeatable(partial(model, each.array, at))
            expect_repeatable(partial(model.derivatives, each.array, at))


@check("steering")
def global_generators_left_alone(subject: Subject) -> None:
    """No global random generator is drawn from or seeded."""
    model = subject.make()
    each = held(model)[0]
    with on(f"{each.name}, 2 sources"):
        expect_global_generators_left_alone(partial(model, each.array, places(each)))


def _region(subject: Subject, each: NamedArray) -> Tensor:
    """Return positions (P, 3) at the edges of what may be searched, and inside.

    All around the array; for elements with patterns, which may hear nothing behind them, in the
    ±60° by ±30° in front that are searched by default.
    """
    front = "element-response" in subject.traits
    azimuths = (0.0, 0.3, -1.04, 1.04) if front else (0.0, 0.3, math.pi / 2, math.pi, -math.pi)
    elevations = (0.0, 0.2, -0.52, 0.52) if front else (0.0, 0.2, math.pi / 2, -math.pi / 2)
    near = 0.23 * each.array.diameter  # just outside the 0.2 D where searches begin
    distances = (10 * near, near, 1e9 * near, math.inf)
    rows = [(a, e, d) for d, a, e in product(distances, azimuths, elevations)]
    return torch.tensor(rows, dtype=torch.float64)


def _scaled_copies(each: NamedArray) -> Array:
    """Return the array in three sizes, one a scene."""
    sizes = torch.tensor([1.0, 0.9, 1.2], dtype=torch.float64)[:, None, None]
    return Array(each.array.positions * sizes, each.array.wavelength)


def _one(array: Array, scene: int) -> Array:
    return Array(array.positions[scene], array.wavelength)


def _weighted(array: Array) -> Array:
    """Return the array with gains from 0.5 to 1 and another phase for every element."""
    steps = torch.arange(array.count, dtype=torch.float64)
    return Array(array.positions, array.wavelength, torch.polar(1 - steps / 2 / array.count, steps))


def _expect_shape(value: object, shape: tuple[int, ...], what: str) -> None:
    came = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
    expect(came == shape, f"{what} {shape}", came)


def _expect_same(found: Tensor, wanted: Tensor, what: str) -> None:
    error = float((found - wanted).abs().max() / wanted.abs().max().clamp_min(1.0))
    expect(error <= SAME, what, f"a difference of {error:.2g}")


def _expect_refusal(model: Any, array: Array, positions: Tensor) -> None:
    try:
        found = model(array, positions)
    except InputError:
        return
    expect(False, "an InputError", f"a result of shape {tuple(found.shape)}")


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _expect_finite(values: Tensor, at: Tensor, what: str) -> None:
    """Fail on the first source whose values (P, …) are not finite."""
    for value, position in zip(values.flatten(1), at, strict=True):
        if not bool(value.isfinite().all()):
            with on(described(position)):
                count = int((~value.isfinite()).sum())
                expect(False, what, f"{count} of {value.numel()} that are NaN or infinite")
