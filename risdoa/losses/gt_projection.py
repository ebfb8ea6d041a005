"""The seed's loss: the energy of the covariance outside the span of the true steering vectors."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from risdoa.covariance import Covariance, squared_norm
from risdoa.errors import InputError
from risdoa.losses.base import Loss
from risdoa.losses.grams import Grams, Projector, inner
from risdoa.problem import Truth
from risdoa.subspace import EPSILON

Form = Literal["epsilon", "qr"]


class GtProjection(Loss):
    """‖P⊥RP⊥‖²/‖R‖² with P⊥ = I - P and P = A(AᴴA + εI)⁻¹Aᴴ.

    A holds the steering vectors of the true positions under the problem's own steering model, the
    one that estimation uses; it is built without a graph, so that gradients reach R alone and no
    eigendecomposition is differentiated. ``projector="qr"`` takes P = QQᴴ from an orthonormal basis
    of A, which is idempotent to machine precision, where the ε form is to λε/(λ + ε)².

    With R = FFᴴ + δI, E = P⊥F, H = EᴴE and G = FᴴF nothing of size N × N is needed:

        ‖P⊥RP⊥‖² = ‖H‖² + 2δ‖P⊥E‖² + δ² tr P⊥⁴,    ‖R‖² = ‖G‖² + 2δ tr G + δ²N.

    Turning R out of the span by an angle x costs sin⁴x, and R = a₁a₁ᴴ costs nothing.
    Complexity: O(N J (J + K)) a scene, forward and backward.

    Args:
        projector: The form of P.
        epsilon: ε > 0 of the ε form, for columns of A with unit norm.

    Raises:
        InputError: for another projector or an ε that is not positive.
    """

    def __init__(self, projector: Form = "epsilon", epsilon: float = EPSILON) -> None:
        if projector not in {"epsilon", "qr"}:
            raise InputError(f"gt-projection has no projector {projector!r}", "use epsilon or qr")
        if not 0 < epsilon < 1:
            raise InputError(f"gt-projection needs 0 < epsilon < 1, got {epsilon!r}")
        self.projector, self.epsilon = projector, epsilon

    def __call__(self, covariance: Covariance, truth: Truth) -> Tensor:
        """Return the loss of every scene; see :meth:`Loss.__call__`."""
        with torch.autocast(covariance.factor.device.type, enabled=False):
            onto = self._onto(truth, covariance.factor)
            grams = Grams.of(covariance, onto)
            energy = inner(grams.outside, grams.outside)
            if grams.load is not None:
                twice = onto.complement(onto.complement(covariance.factor))
                cross = squared_norm(twice) * grams.scale
                energy = energy + 2 * grams.load * cross + grams.load**2 * onto.fourth_power()
            return energy / grams.squared_norm(covariance.elements)

    def _onto(self, truth: Truth, like: Tensor) -> Projector:
        if self.projector == "qr":
            return Projector.qr(truth, like)
        return Projector.seed(truth, like, self.epsilon)
