"""Steering models: the wave that they describe, against spherical and plane waves."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import from_cartesian, unit_vectors
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical
from risdoa.testing.cases_waves import (
    NamedArray,
    aligned,
    correlation,
    described,
    held,
    place,
    places,
)
from risdoa.testing.checks import check
from risdoa.testing.failures import expect, on
from risdoa.testing.subject import Subject

ALIKE = 0.97
"""Two waves that correlate more than this are too much alike to call one of them wrong."""

EXACT = 1e-10
"""Rounding for each radian of phase, with room for a ρ - r by subtraction in double precision."""


@check("steering")
def sign_and_axes(subject: Subject) -> None:
    """A source at infinity looks like its plane wave, and not like one mirrored or conjugated."""
    model, flat = subject.make(), PlaneWave()
    for each in sorted(held(model), key=lambda named: named.line):  # a line tells least apart
        at = place(0.5, -0.3, math.inf)
        with on(f"{each.name}, {described(at)}"):
            wave = flat(each.array, at)
            others = {
                f"one {name}": flat(each.array, there) for name, there in _mistaken(at).items()
            }
            others |= {
                "its conjugate": wave.conj(),
                "one with the elements in reverse order": wave.flip(-2),
                "one with the elements in another order": _reordered(wave, each),
            }
            _expect_nearest(model(each.array, at), wave, others, "its plane wave")


@check("steering", unless=("far-field",))
def near_field(subject: Subject) -> None:
    """A near source looks like its spherical wave, seen from the origin, at its own range."""
    model, wave = subject.make(), Spherical()
    for each in held(model):
        at = place(0.0, 0.0, 2 * each.radius)
        step = each.array.wavelength / 4
        with on(f"{each.name}, {described(at)}"):
            inverse = place(0.0, 0.0, 1 / float(at[0, 2]))
            others = {
                "a plane wave": PlaneWave()(each.array, at),
                "one with w for r": wave(each.array, inverse),
                "its conjugate": wave(each.array, at).conj(),
            }
            for name, x, y in (("x", 1, 0), ("-x", -1, 0), ("y", 0, 1), ("-y", 0, -1)):
                moved = _moved(each.array, x * step, y * step)
                others[f"one with the origin λ/4 off along {name}"] = wave(moved, at)
            found = model(each.array, at)
            _expect_nearest(found, wave(each.array, at), others, "its spherical wave")


@check("steering", unless=("far-field", "element-response"))
def second_order(subject: Subject) -> None:
    """Near broadside the wavefront is the spherical one to second order in the aperture."""
    model = subject.make()
    for each in held(model):
        for azimuth, elevation in ((0.0, 0.0), (0.05, 0.0), (0.0, -0.05)):
            at = place(azimuth, elevation, 10 * each.radius)
            with on(f"{each.name}, {described(at)}"):
                wave = Spherical()(each.array, at)
                off = (aligned(model(each.array, at), wave) - wave).abs()
                error = float(off.max()) * math.sqrt(each.array.count)
                bound = _beyond_second_order(each.array, at)
                expect(error <= bound, f"its spherical wave within {bound:.2g}", f"{error:.2g} off")


@check("steering", unless=("element-response",))
def far_field_limit(subject: Subject) -> None:
    """With growing range the vector becomes that of a plane wave, and is it at r = inf."""
    model = subject.make()
    for each in held(model):
        for factor in (1e6, math.inf):
            distance = factor * each.radius * (1 + each.phase)
            bound = SMALL + each.phase * each.radius / distance  # twice the curvature kR²/(2r)
            at = places(each, sources=4)
            at[..., 2] = distance
            with on(f"{each.name}, 4 sources at {distance:.3g} m"):
                wave = PlaneWave()(each.array, at)
                _expect_same_wave(model(each.array, at), wave, bound, "plane waves")


@check("steering", traits=("element-response",))
def settles_at_infinity(subject: Subject) -> None:
    """With growing range the vector settles at the one for r = inf."""
    model = subject.make()
    for each in held(model):
        distance = 1e7 * each.radius * (1 + each.phase)
        near, far = places(each, sources=4), places(each, sources=4)
        near[..., 2], far[..., 2] = distance, math.inf
        with on(f"{each.name}, 4 sources at {distance:.3g} m"):
            limit = model(each.array, far)
            _expect_same_wave(model(each.array, near), limit, 1e-5, "the vectors at r = inf")


@check("steering", traits=("far-field",))
def blind_to_range(subject: Subject) -> None:
    """The range plays no part."""
    model = subject.make()
    for each in held(model):
        at = places(each, sources=4)
        twice = at * torch.tensor([1.0, 1.0, 2.0])
        with on(f"{each.name}, 4 sources at twice their range"):
            here = model(each.array, at)
            _expect_same_wave(model(each.array, twice), here, SMALL, "the same vectors")


@check("steering", traits=("exact",))
def exact_is_spherical(subject: Subject) -> None:
    """The phase is k(r - ρ) to rounding, and amplitudes are equal."""
    model = subject.make()
    for each in held(model):
        at = places(each, sources=6, nearest=1.5)
        with on(f"{each.name}, 6 sources from 1.5 to 100 times its radius"):
            bound = EXACT * (1 + each.phase)
            wave = Spherical()(each.array, at)
            _expect_same_wave(model(each.array, at), wave, bound, "exp(-jk(ρ - r))/√N")


@check("steering", traits=("separable",))
def separable_factors(subject: Subject) -> None:
    """On elements in rows the vector is the product of one along x and one along y."""
    model = subject.make()
    for each in held(model):
        if each.grid is not None:
            nx, ny = each.grid
            with on(f"{each.name}, 2 sources"):
                grid = model(each.array, places(each)).reshape(ny, nx, 2)
                rebuilt = grid[:, :1] * grid[:1] / grid[0, 0]
                error = float((grid - rebuilt).abs().max())
                expect(error <= SMALL, "a_x ⊗ a_y", f"a difference of {error:.2g}")


@check("steering", unless=("element-response",))
def gains_weight_the_elements(subject: Subject) -> None:
    """Element gains g make it g ∘ a, of unit norm again, shared or for every scene its own."""
    model = subject.make()
    for each in held(model):
        steps = torch.arange(3 * each.array.count, dtype=torch.float64).reshape(3, -1)
        gains = torch.polar(1 - steps / 40, steps)
        at = places(each, 3)
        plain = model(each.array, at)
        for name, own in (("shared", gains[0]), ("of its own for every scene", gains)):
            with on(f"{each.name}, 3 scenes, gains {name}"):
                points = each.array.positions.expand(*own.shape, 3)
                wanted = own.unsqueeze(-1) * plain
                wanted = wanted / torch.linalg.vector_norm(wanted, dim=-2, keepdim=True)
                found = model(Array(points, each.array.wavelength, own), at)
                _expect_same_wave(found, wanted, SMALL, "g ∘ a/‖g ∘ a‖")


@check("steering", unless=("element-response",))
def free_of_units(subject: Subject) -> None:
    """Array, wavelength and range ten times as large leave the vector as it is."""
    model = subject.make()
    for each in held(model):
        at = places(each)
        larger = Array(each.array.positions * 10, each.array.wavelength * 10)
        with on(f"{each.name}, 2 sources"):
            found = model(larger, at * torch.tensor([1.0, 1.0, 10.0]))
            _expect_same_wave(found, model(each.array, at), SMALL, "the same vectors")


SMALL = 1e-9
"""Far above the rounding of phases of some tens of radians, far below what a fault changes."""


def _expect_same_wave(found: Tensor, wanted: Tensor, bound: float, what: str) -> None:
    error = float((aligned(found, wanted) - wanted).abs().max())
    expect(error <= bound, f"{what} within {bound:.2g}", f"a difference of {error:.2g}")


def _expect_nearest(found: Tensor, wave: Tensor, others: dict[str, Tensor], what: str) -> None:
    """Fail if another wave is as near to what was found; phases count, elements may weigh."""
    found = torch.sgn(found)
    own = correlation(found, wave)
    rivals = {
        name: correlation(found, other)
        for name, other in others.items()
        if correlation(other, wave) < ALIKE
    }
    best = max(rivals.values(), default=0.0)
    names = " or ".join(name for name, value in rivals.items() if value > best - 1e-6)
    expect(
        own > best,
        f"a vector nearest to {what}",
        f"one nearer to {names} (correlation {best:.3f} against {own:.3f})",
    )


def _mistaken(at: Tensor) -> dict[str, Tensor]:
    """Return where a source would seem to be by a confusion of signs or axes."""
    azimuth, elevation, _ = at[0].tolist()
    u, v, depth = unit_vectors(at)[0].tolist()
    exchanged = from_cartesian(torch.tensor([[v, u, depth]], dtype=torch.float64))
    found = {
        "with azimuth and elevation exchanged": place(elevation, azimuth, 1.0),
        "with x and y exchanged": exchanged,
        "mirrored in azimuth": place(-azimuth, elevation, 1.0),
        "mirrored in elevation": place(azimuth, -elevation, 1.0),
        "mirrored in both angles": place(-azimuth, -elevation, 1.0),
        "from behind": place(math.pi - azimuth, elevation, 1.0),
    }
    return {name: torch.cat((there[:, :2], at[:, 2:]), -1) for name, there in found.items()}


def _reordered(wave: Tensor, each: NamedArray) -> Tensor:
    """Return the vector of elements in rows with y fastest, and of others cyclically shifted."""
    if each.grid is None:
        return wave.roll(1, -2)
    nx, ny = each.grid
    return wave.reshape(ny, nx, 1).transpose(0, 1).reshape(-1, 1)


def _moved(array: Array, x: float, y: float) -> Array:
    offset = torch.tensor([x, y, 0.0], dtype=torch.float64)
    return Array(array.positions + offset, array.wavelength)


def _beyond_second_order(array: Array, at: Tensor) -> float:
    """Return half as much again as the terms that a second-order model may leave out.

    In the phase k[s²w/2 + |s||p|²w²/2 + |p|⁴w³/8], of which the first is second order in s = p·d,
    small near broadside and dropped by separable models; in the amplitude what 1/ρ varies.
    """
    inverse = float(1 / at[0, 2])
    along = (array.positions @ unit_vectors(at)[0]).abs()
    square = (array.positions**2).sum(-1)
    phase = along**2 * inverse / 2 + along * square * inverse**2 / 2 + square**2 * inverse**3 / 8
    amplitude = along * inverse + square * inverse**2 / 2
    return 1.5 * float((array.wavenumber * phase + amplitude).max())
