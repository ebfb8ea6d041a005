"""Losses: one real number a scene that depends on R and the true sources, and on nothing else."""

from __future__ import annotations

import cmath
from functools import partial
from typing import Any

import torch
from torch import Tensor

from risdoa.covariance import Covariance
from risdoa.problem import Truth
from risdoa.testing.checks import check
from risdoa.testing.failures import expect, on
from risdoa.testing.loss_cases import (
    Scenes,
    alone,
    covariances,
    drawn,
    every,
    mixed,
    padded,
    single,
    small,
)
from risdoa.testing.purity import (
    expect_global_generators_left_alone,
    expect_inputs_left_alone,
    expect_repeatable,
)
from risdoa.testing.subject import Subject

SAME = 1e-6
"""Far above rounding, decompositions included, and far below what a fault changes."""


@check("loss")
def one_real_number_a_scene(subject: Subject) -> None:
    """The value is real and finite, (S,), for every R: of any rank, width, scale, with a load."""
    loss = subject.make()
    for each in every():
        for name, covariance in covariances(each):
            with on(f"{each.name}, {name}"):
                value = loss(covariance, each.truth)
                expect(isinstance(value, Tensor), "a tensor", type(value).__name__)
                expect(value.shape == (each.count,), f"shape ({each.count},)", tuple(value.shape))
                expect(not value.is_complex(), "real numbers", value.dtype)
                expect(bool(value.isfinite().all()), "finite numbers", value.tolist())


@check("loss")
def single_precision(subject: Subject) -> None:
    """For R in complex64 the value is in float32, and near the one in double precision."""
    loss = subject.make()
    for each in every():
        for load in (None, 0.1):
            with on(f"{each.name}, R of width 6{_loaded(load)} in complex64"):
                covariance = drawn(each, load=load)
                truth = each.truth.to(dtype=torch.complex64)
                value = loss(single(covariance), truth)
                expect(value.dtype == torch.float32, "float32", value.dtype)
                expect(bool(value.isfinite().all()), "finite numbers", value.tolist())
                # complex64 has seven digits, of which a decomposition may cost some
                expect_same(value, loss(covariance, each.truth), 1e-3, "the value in complex128")


@check("loss")
def autocast_changes_nothing(subject: Subject) -> None:
    """Inside torch.autocast value and gradient are as outside: nothing is computed in bfloat16."""
    loss = subject.make()
    steady = "differentiable" in subject.traits and "unstable-gradient" not in subject.traits
    for each in every():
        truth, covariance = each.truth.to(dtype=torch.complex64), single(drawn(each, load=0.1))
        with on(f"{each.name}, R of width 6 with a load in complex64, bfloat16 autocast"):
            with torch.autocast("cpu", torch.bfloat16):
                inside = loss(covariance, truth)
            expect_same(inside, loss(covariance, truth), 1e-5, "the value outside autocast")
            if steady:
                with torch.autocast("cpu", torch.bfloat16):
                    slope = _slope(loss, covariance, truth)
                wanted = _slope(loss, covariance, truth)
                expect_same(slope, wanted, 1e-5, "the gradient outside autocast")


@check("loss")
def depends_on_the_matrix_alone(subject: Subject) -> None:
    """Another factor of the same R gives the same value: FU, exp(jα)F, the load as columns of F."""
    loss = subject.make()
    for each in every():
        for name, covariance, other in _factorings(each):
            with on(f"{each.name}, {name}"):
                wanted = loss(covariance, each.truth)
                expect_same(loss(other, each.truth), wanted, SAME, "the value for the same R")


@check("loss", traits=("scale-invariant",))
def scale_plays_no_part(subject: Subject) -> None:
    """The value for cR, c > 0, is that for R."""
    loss = subject.make()
    for each in every():
        for load in (None, 0.1):
            covariance = drawn(each, load=load)
            value = loss(covariance, each.truth)
            for scale in (1e3, 1e-3):
                with on(f"{each.name}, R of width 6{_loaded(load)}, times {scale:g}"):
                    scaled = covariance.scaled(torch.tensor(scale, dtype=torch.float64))
                    expect_same(loss(scaled, each.truth), value, SAME, "the value for R")


@check("loss")
def order_of_the_sources_plays_no_part(subject: Subject) -> None:
    """The sources in another order give the same value."""
    loss = subject.make()
    for each in every():
        most = each.truth.mask.shape[-1]
        if bool(each.truth.mask.all()) and most > 1:
            order = torch.arange(most).roll(1)
            with on(f"{each.name}, sources in the order {order.tolist()}"):
                covariance = drawn(each)
                value = loss(covariance, each.truth)
                found = loss(covariance, _reordered(each.truth, order))
                expect_same(found, value, SAME, "the value in the order given")


@check("loss")
def masked_sources_play_no_part(subject: Subject) -> None:
    """Entries that the mask leaves out change nothing, whatever finite position they have."""
    loss = subject.make()
    for each in (small(), mixed()):
        covariance = drawn(each)
        value = loss(covariance, each.truth)
        for filler in ((0.1, 0.2, 3.0), (0.0, 0.0, 0.0), (40.0, -9.0, -1.0)):
            with on(f"{each.name}, R of width 6, {filler} where there is no source"):
                found = loss(covariance, padded(each.truth, filler))
                expect_same(found, value, SAME, "the value without them")


@check("loss")
def batch_is_a_loop(subject: Subject) -> None:
    """A scene has the same value alone as beside others, with fewer sources than they or not."""
    loss = subject.make()
    for each in every():
        for load in (None, 0.1):
            covariance = drawn(each, load=load)
            together = loss(covariance, each.truth)
            for scene in range(each.count):
                with on(f"{each.name}, R of width 6{_loaded(load)}, scene {scene}"):
                    one = covariance.select(torch.tensor([scene]))
                    value = loss(one, alone(each.truth, scene))
                    expect_same(together[scene], value[0], SAME, "the value alone")


@check("loss")
def inputs_left_alone(subject: Subject) -> None:
    """Neither the covariance nor the truth is changed."""
    loss = subject.make()
    for each in (small(), mixed()):
        for load in (None, 0.1):
            covariance = drawn(each, load=load)
            with on(f"{each.name}, R of width 6{_loaded(load)}"):
                call = partial(loss, covariance, each.truth)
                expect_inputs_left_alone(call, covariance, each.truth)


@check("loss")
def repeatable(subject: Subject) -> None:
    """The same covariance and truth give the same value, bit by bit."""
    loss = subject.make()
    for each in (small(), mixed()):
        with on(f"{each.name}, R of width 6"):
            expect_repeatable(partial(loss, drawn(each), each.truth))


@check("loss")
def global_generators_left_alone(subject: Subject) -> None:
    """No global random generator is drawn from or seeded."""
    loss, each = subject.make(), small()
    with on(f"{each.name}, R of width 6"):
        covariance = drawn(each)
        expect_global_generators_left_alone(partial(loss, covariance, each.truth))


def expect_same(found: Tensor, wanted: Tensor, tolerance: float, what: str) -> None:
    """Fail unless numbers agree, relative to the largest and absolutely below 0.01."""
    scale = max(float(wanted.detach().abs().max()), 0.01)
    error = float((found - wanted).detach().abs().max()) / scale
    expect(error <= tolerance, what, f"{_numbers(found)} for {_numbers(wanted)}")


def _numbers(values: Tensor) -> str:
    if values.is_complex() or values.numel() > 5:
        return f"a tensor of norm {float(torch.linalg.vector_norm(values.detach())):.6g}"
    return ", ".join(f"{value:.6g}" for value in values.detach().flatten().tolist())


def _factorings(each: Scenes) -> list[tuple[str, Covariance, Covariance]]:
    """Return pairs of covariances that are the same matrix."""
    plain, loaded = drawn(each), drawn(each, load=0.1)
    generator = torch.Generator().manual_seed(1)
    square = torch.randn((6, 6), dtype=torch.complex128, generator=generator)
    unitary = torch.linalg.qr(square)[0]
    wider = torch.nn.functional.pad(plain.factor, (0, 2))
    eye = torch.eye(each.elements, dtype=torch.complex128)
    inside = loaded.load_or_zero().sqrt()[:, None, None] * eye
    whole = torch.cat((loaded.factor, inside), -1)
    return [
        ("F times exp(j)", plain, Covariance(plain.factor * cmath.exp(1j))),
        ("F times a unitary matrix", plain, Covariance(plain.factor @ unitary)),
        ("F with two columns of zeros", plain, Covariance(wider)),
        ("the load as columns of F", loaded, Covariance(whole)),
    ]


def _reordered(truth: Truth, order: Tensor) -> Truth:
    return Truth.of(
        truth.positions[:, order],
        truth.mask[:, order],
        truth.powers[:, order],
        truth.problem,
        None if truth.signals is None else truth.signals[..., order],
    )


def _slope(loss: Any, covariance: Covariance, truth: Truth) -> Tensor:
    """Return the gradient in F of the sum over scenes."""
    factor = covariance.factor.clone().requires_grad_()
    value = loss(Covariance(factor, covariance.load), truth)
    return torch.autograd.grad(value.sum(), factor)[0]


def _loaded(load: float | None) -> str:
    return "" if load is None else " with a load"
