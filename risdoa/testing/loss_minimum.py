"""Losses: what is cheap and what costs."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.covariance import Covariance
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical
from risdoa.subspace import complement_qr, orthonormal_basis
from risdoa.testing.checks import check
from risdoa.testing.failures import expect, on
from risdoa.testing.loss_cases import (
    SQUARE,
    Scenes,
    drawn,
    mixed,
    moved,
    relocated,
    scaled_like,
    scenes,
    small,
    white,
    with_steering,
    without,
)
from risdoa.testing.subject import Subject

CLEARLY = 1e-6
"""What one value is above another by, relative to its size, where that is no rounding."""

ROUNDING = 1e-9


@check("loss")
def smaller_at_the_truth(subject: Subject) -> None:
    """R_true costs less than sources elsewhere, their conjugate, white noise or a random R."""
    loss = subject.make()
    for each in (small(), *_resolved(), mixed()):
        best = loss(each.truth.covariance, each.truth)
        others = {
            "R of sources half a beam away": moved(each).covariance,
            "the conjugate of R_true": Covariance(
                each.truth.covariance.factor.conj().resolve_conj()
            ),
            "R = I": white(each),
            "a random R of width 6": drawn(each),
        }
        for name, other in others.items():
            with on(f"{each.name}, {name}"):
                _expect_above(loss(other, each.truth), best, CLEARLY, "R_true")


@check("loss")
def no_better_beside_the_truth(subject: Subject) -> None:
    """Neither a turn out of the true signal subspace nor a source left out makes R_true cheaper."""
    loss = subject.make()
    for each in (small(), *_resolved(), mixed()):
        best = loss(each.truth.covariance, each.truth)
        for size in (0.1, 0.01):
            with on(f"{each.name}, R_true turned out of its span by {size:g} rad"):
                _expect_above(loss(_turned(each, size), each.truth), best, -ROUNDING, "R_true")
    for each in _resolved():
        best = loss(each.truth.covariance, each.truth)
        for source in range(each.most):
            with on(f"{each.name}, R_true without source {source}"):
                left = loss(without(each.truth, source), each.truth)
                _expect_above(left, best, -ROUNDING, "R_true")


@check("loss", traits=("complete",))
def a_dropped_source_costs(subject: Subject) -> None:
    """R_true without one of the sources costs more than R_true, at its own trace or the same."""
    loss = subject.make()
    for each in _resolved():
        best = loss(each.truth.covariance, each.truth)
        for source in range(each.most):
            left = without(each.truth, source)
            for name, other in (("", left), (" at its trace", scaled_like(left, each.truth))):
                with on(f"{each.name}, R_true without source {source}{name}"):
                    _expect_above(loss(other, each.truth), best, CLEARLY, "R_true")


@check("loss", traits=("true-steering",))
def judges_by_the_problems_steering(subject: Subject) -> None:
    """Under another steering model, the R that this model makes costs less than the first one's."""
    loss = subject.make()
    for each in _resolved():
        near = relocated(each.truth, each.truth.positions * torch.tensor([1.0, 1.0, 0.5]))
        truths = {
            "plane-wave": with_steering(near, PlaneWave()),
            "spherical": with_steering(near, Spherical()),
        }
        for (name, own), (other, foreign) in (truths.items(), tuple(truths.items())[::-1]):
            with on(f"{each.name}, estimated as {name}"):
                mine = loss(own.covariance, own)
                theirs = loss(foreign.covariance, own)
                _expect_above(theirs, mine, CLEARLY, f"R of {name} sources", f"that of {other}")


def _resolved() -> list[Scenes]:
    """Return scenes of two and of three sources."""
    return [scenes(f"1 scene, {k} sources, 4 x 4 elements", SQUARE, k) for k in (2, 3)]


def _turned(each: Scenes, size: float) -> Covariance:
    """Return R_true with a random turn of its factor out of the span of A."""
    factor = each.truth.covariance.factor
    basis = orthonormal_basis(each.truth.steering_matrix(), each.truth.mask)
    away = complement_qr(drawn(each, factor.shape[-1]).factor, basis)
    away = away * torch.linalg.vector_norm(factor, dim=-2, keepdim=True)
    away = away / torch.linalg.vector_norm(away, dim=-2, keepdim=True).clamp_min(1e-12)
    return scaled_like(Covariance(factor + size * away), each.truth)


def _expect_above(
    values: Tensor, best: Tensor, margin: float, cheap: str, dear: str = "this R"
) -> None:
    """Fail unless every value is above the best one by a margin relative to its size."""
    for scene, (value, low) in enumerate(zip(values.tolist(), best.tolist(), strict=True)):
        word = "more than" if margin > 0 else "no less than"
        expect(
            value > low + margin * (1 + abs(low)),
            f"{dear} to cost {word} {cheap}",
            f"{value:.6g}, and {low:.6g} for {cheap}"
            + (f" (scene {scene})" if len(best) > 1 else ""),
        )
