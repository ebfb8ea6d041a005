"""Losses: gradients that train a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from risdoa.covariance import Covariance
from risdoa.problem import Truth
from risdoa.testing.checks import check
from risdoa.testing.failures import expect, on
from risdoa.testing.loss_cases import Scenes, drawn, every, mixed, single, small
from risdoa.testing.subject import Subject


@check("loss", traits=("differentiable",))
def gradient_reaches_the_covariance(subject: Subject) -> None:
    """Off the true signal subspace every scene's gradient in F is there, finite and not zero."""
    loss = subject.make()
    for each in every():
        for width in (_full_rank(each), *_low_rank(subject)):
            for name, convert in (("", _as_it_is), (" in complex64", single)):
                with on(f"{each.name}, R of width {width}{name}"):
                    covariance = convert(drawn(each, width))
                    truth = each.truth.to(dtype=covariance.factor.dtype)
                    slope, _ = _gradient(loss, covariance, truth)
                    _expect_finite(slope)
                    norms = torch.linalg.vector_norm(slope, dim=(-2, -1))
                    expect(bool((norms > 0).all()), "a gradient in every scene", norms.tolist())


@check("loss", traits=("differentiable",))
def gradient_is_right(subject: Subject) -> None:
    """The gradient in F and in the load is the slope that finite differences find."""
    loss = subject.make()
    for each in every():
        for width in (_full_rank(each), *_low_rank(subject)):
            covariance = drawn(each, width, load=0.1)
            for seed in range(3):
                with on(f"{each.name}, R of width {width} with a load, direction {seed}"):
                    toward = drawn(each, width, seed=10 + seed).factor
                    _expect_slope(loss, covariance, each.truth, toward, covariance.load_or_zero())
                    _expect_slope(loss, covariance, each.truth, toward, None)


@check("loss", traits=("differentiable",), unless=("unstable-gradient",))
def gradient_at_the_optimum(subject: Subject) -> None:
    """At R = R_true the gradient is finite."""
    loss = subject.make()
    for each in every():
        for name, convert in (("", _as_it_is), (" in complex64", single)):
            with on(f"{each.name}, R = R_true{name}"):
                covariance = convert(each.truth.covariance)
                truth = each.truth.to(dtype=covariance.factor.dtype)
                _expect_finite(_gradient(loss, covariance, truth)[0])


@check("loss")
def gradient_reaches_nothing_else(subject: Subject) -> None:
    """No gradient reaches the true positions, with or without one in the covariance."""
    loss = subject.make()
    for each in (small(), mixed()):
        positions = each.truth.positions.clone().requires_grad_()
        truth = replace(each.truth, positions=positions)
        with on(f"{each.name}, R of full rank without a gradient, positions with one"):
            value = loss(drawn(each, _full_rank(each)), truth)
            expect(not value.requires_grad, "a value without a gradient", "one with a gradient")


def _full_rank(each: Scenes) -> int:
    return each.elements + 4


def _low_rank(subject: Subject) -> tuple[int, ...]:
    """Return a width below the number of elements, where the gradient is said to bear it."""
    return () if "unstable-gradient" in subject.traits else (6,)


def _as_it_is(covariance: Covariance) -> Covariance:
    return covariance


def _gradient(loss: Any, covariance: Covariance, truth: Truth) -> tuple[Tensor, Tensor]:
    """Return the gradients of the sum over scenes in F and in the load, zero if there is none."""
    factor = covariance.factor.clone().requires_grad_()
    load = covariance.load_or_zero().clone().requires_grad_()
    loaded = covariance.load is not None
    value = loss(Covariance(factor, load if loaded else None), truth)
    expect(value.requires_grad, "a value with a gradient in F", "one cut from the graph")
    leaves = (factor, load)
    in_factor, in_load = torch.autograd.grad(
        value.sum(), leaves, allow_unused=True, materialize_grads=True
    )
    return in_factor, in_load


def _expect_finite(slope: Tensor) -> None:
    wrong = int((~slope.isfinite()).sum())
    expect(wrong == 0, "a finite gradient", f"{wrong} of {slope.numel()} that are NaN or infinite")


def _expect_slope(
    loss: Any, covariance: Covariance, truth: Truth, toward: Tensor, heavier: Tensor | None
) -> None:
    """Compare the slope along a direction in F, and in the load, with central differences.

    Of fourth order with steps of 1e-3, they are good to some 1e-10.
    """
    slope, weight = _gradient(loss, covariance, truth)
    found = (slope.conj() * toward).real.sum((-2, -1))
    if heavier is not None:
        found = found + weight * heavier

    def value(step: float) -> Tensor:
        load = covariance.load_or_zero() + (0.0 if heavier is None else step * heavier)
        moved: Tensor = loss(Covariance(covariance.factor + step * toward, load), truth)
        return moved.detach()

    wanted = _difference(value)
    scale = float(wanted.abs().max()) + 1e-3 * float(torch.linalg.vector_norm(slope))
    error = float((found - wanted).abs().max())
    expect(
        error <= 1e-5 * scale + 1e-9,
        f"the slopes {_numbers(wanted)} of finite differences",
        _numbers(found),
    )


def _difference(value: Callable[[float], Tensor], step: float = 1e-3) -> Tensor:
    """Return the derivative at 0."""
    one, two = value(step) - value(-step), value(2 * step) - value(-2 * step)
    return (8 * one - two) / (12 * step)


def _numbers(values: Tensor) -> str:
    return ", ".join(f"{value:.6g}" for value in values.tolist())
