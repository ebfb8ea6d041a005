"""Steering models: gradients, derivatives, and what they say about a position."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.testing.cases_waves import NamedArray, described, held, places
from risdoa.testing.checks import check
from risdoa.testing.failures import expect, on
from risdoa.testing.subject import Subject

COORDINATES = ("azimuth", "elevation", "range")


@check("steering", traits=("differentiable",))
def gradients_are_right(subject: Subject) -> None:
    """Autograd gives the derivatives in the positions that finite differences give."""
    model = subject.make()
    for each, at in _cases(model):
        with on(f"{each.name}, {described(at)}"):
            found = _autograd(model, each.array, at)
            _expect_slopes(found, _differences(model, each, at), at, 1e-6, "finite differences")


@check("steering", traits=("differentiable",))
def derivatives_are_those_of_autograd(subject: Subject) -> None:
    """What derivatives() gives in (φ, θ, w = 1/r) is what autograd gives, and a is a."""
    model = subject.make()
    for each, at in _cases(model):
        with on(f"{each.name}, {described(at)}"):
            found = _stated(model, each.array, at)
            _expect_slopes(found, _autograd(model, each.array, at), at, 1e-9, "autograd")


@check("steering", unless=("differentiable",))
def derivatives_are_finite_differences(subject: Subject) -> None:
    """What derivatives() gives in (φ, θ, w = 1/r) is what finite differences give, and a is a."""
    model = subject.make()
    for each, at in _cases(model):
        with on(f"{each.name}, {described(at)}"):
            found = _stated(model, each.array, at)
            wanted = _differences(model, each, at)
            _expect_slopes(found, wanted, at, 1e-5, "finite differences")  # it may use its own


@check("steering")
def fisher_rank(subject: Subject) -> None:
    """One source tells as many coordinates as there are: azimuth, elevation and, near, range."""
    model = subject.make()
    told = 2 if "far-field" in subject.traits else 3
    for each in _with_depth(held(model)):
        for at in places(each, sources=3, nearest=3.0, farthest=6.0).split(1):
            with on(f"{each.name}, {described(at)}"):
                vector, slopes = model.derivatives(each.array, at)
                rank = _rank(vector[:, 0], slopes[:, 0], each.radius)
                # a line sees one angle; N elements have N - 1 differences of phase
                wanted = min(told - each.line, each.array.count - 1)
                expect(rank == wanted, f"a Fisher information of rank {wanted}", f"rank {rank}")


def _cases(model: Any) -> list[tuple[NamedArray, Tensor]]:
    """Return arrays with one position each, from 3 to 30 radii away."""
    return [
        (each, at) for each in held(model) for at in places(each, sources=2, farthest=30.0).split(1)
    ]


def _with_depth(arrays: list[NamedArray]) -> list[NamedArray]:
    """Return the arrays on which every near-field model tells the range, or else the best.

    To second order the curvature of a wave is the same all around a circle.
    """
    flat = [each for each in arrays if not each.line]
    return [each for each in flat if not each.circle] or flat or arrays


def _autograd(model: Any, array: Array, at: Tensor) -> Tensor:
    """Return ∂a/∂(φ, θ, r) of one source backwards, (N, 3)."""
    place = at.clone().requires_grad_()
    vector = model(array, place)
    expect(vector.requires_grad, "a result with a gradient", "one cut from the graph")
    rows = [
        torch.autograd.grad(part, place, retain_graph=True)[0][0]
        for part in torch.view_as_real(vector[:, 0]).flatten()
    ]
    return torch.view_as_complex(torch.stack(rows).reshape(-1, 2, 3).mT.contiguous())


def _stated(model: Any, array: Array, at: Tensor) -> Tensor:
    """Return ∂a/∂(φ, θ, r) of one source from derivatives(), (N, 3): ∂/∂r = -w² ∂/∂w."""
    vector, slopes = model.derivatives(array, at)
    error = float((vector - model(array, at)).abs().max())
    expect(error <= 1e-9, "the vector beside the derivatives as without", f"{error:.2g} off")
    chain = torch.stack((*at.new_ones(2), -(at[0, 2] ** -2)))
    found: Tensor = slopes[:, 0] * chain
    return found


def _differences(model: Any, each: NamedArray, at: Tensor) -> Tensor:
    """Return ∂a/∂(φ, θ, r) of one source by central differences of fourth order, (N, 3).

    A step is a thousandth of what turns a phase by a radian: 1e-12 from the order, and as much from
    rounding.
    """
    columns = []
    for axis, unit in enumerate((1.0, 1.0, float(at[0, 2]))):
        step = torch.zeros_like(at)
        step[0, axis] = 1e-3 * unit / (1 + each.phase)
        one = model(each.array, at + step) - model(each.array, at - step)
        two = model(each.array, at + 2 * step) - model(each.array, at - 2 * step)
        columns.append((8 * one - two)[:, 0].detach() / (12 * step[0, axis]))
    return torch.stack(columns, -1)


def _expect_slopes(found: Tensor, wanted: Tensor, at: Tensor, relative: float, by: str) -> None:
    """Compare derivatives (N, 3), coordinate by coordinate."""
    for axis, (name, unit) in enumerate(zip(COORDINATES, (1, 1, float(at[0, 2])), strict=True)):
        scale = float(wanted[:, axis].abs().max()) * unit
        error = float((found[:, axis] - wanted[:, axis]).abs().max()) * unit
        expect(
            error <= relative * scale + 1e-8,  # 1e-8: where there is no slope, rounding is left
            f"the derivative by {name} of {by}, at most {scale:.3g} in size",
            f"one that is {error:.2g} off",
        )


def _rank(vector: Tensor, slopes: Tensor, radius: float) -> int:
    """Return the rank of Re(DᴴP⊥D), the information of one source of unknown amplitude."""
    outside = slopes - vector[:, None] * (vector.conj()[:, None] * slopes).sum(0)
    outside = outside / torch.tensor([1.0, 1.0, radius])  # ∂/∂w in m, over a length of the array
    values = torch.linalg.svdvals(torch.cat((outside.real, outside.imag)))
    return int((values > 1e-6 * values[0]).sum())
