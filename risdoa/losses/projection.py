"""Projection losses that are quadratic in the subspace angle, where the seed's is quartic."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.covariance import Covariance
from risdoa.losses.base import Loss
from risdoa.losses.grams import Grams, Projector, inner, trace
from risdoa.problem import Truth


class OneSidedProjection(Loss):
    """‖P⊥R‖²/‖R‖² with P⊥ = I - QQᴴ, Q an orthonormal basis of the true steering vectors.

    With R = FFᴴ + δI, H = FᴴP⊥F and G = FᴴF: ‖P⊥R‖² = tr(HG) + 2δ tr H + δ²(N - K).

    Turning R out of the span by an angle x costs sin²x, where the two-sided form costs sin⁴x;
    R = a₁a₁ᴴ costs nothing. Complexity: O(N J (J + K)) a scene, forward and backward.
    """

    def __call__(self, covariance: Covariance, truth: Truth) -> Tensor:
        """Return the loss of every scene; see :meth:`Loss.__call__`."""
        with torch.autocast(covariance.factor.device.type, enabled=False):
            grams = Grams.of(covariance, Projector.qr(truth, covariance.factor))
            energy = inner(grams.outside, grams.whole)
            if grams.load is not None:
                outside = covariance.elements - truth.mask.sum(-1)
                energy = energy + 2 * grams.load * trace(grams.outside) + grams.load**2 * outside
            return energy / grams.squared_norm(covariance.elements)


class TraceProjection(Loss):
    """tr(P⊥R)/tr R, the share of the power outside the span of the true steering vectors.

    With Q an orthonormal basis of them, P⊥ = I - QQᴴ and R = FFᴴ + δI:
    tr(P⊥R) = ‖P⊥F‖² + δ(N - K).

    Linear in R; turning it out of the span by an angle x costs sin²x; R = a₁a₁ᴴ costs nothing.
    Complexity: O(N J K) a scene, forward and backward.
    """

    def __call__(self, covariance: Covariance, truth: Truth) -> Tensor:
        """Return the loss of every scene; see :meth:`Loss.__call__`."""
        with torch.autocast(covariance.factor.device.type, enabled=False):
            scaled = covariance.unit_trace()
            outside = Projector.qr(truth, scaled.factor).complement(scaled.factor)
            power = Covariance(outside).energy()
            if scaled.load is not None:
                power = power + scaled.load * (covariance.elements - truth.mask.sum(-1))
            return power
