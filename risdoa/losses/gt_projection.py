"""The seed's loss: the energy of the covariance outside the span of the true steering vectors."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from risdoa.covariance import Covariance, squared_norm
from risdoa.errors import InputError
from risdoa.losses.base import Loss
from risdoa.problem import Truth
from risdoa.subspace import EPSILON, complement_epsilon, complement_qr, orthonormal_basis

Projector = Literal["epsilon", "qr"]


class GtProjection(Loss):
    """‖P⊥RP⊥‖²/‖R‖² with P⊥ = I - P and P = A(AᴴA + εI)⁻¹Aᴴ.

    A holds the steering vectors of the true positions under the problem's own steering model, the
    one that estimation uses; it is built without a graph, so that gradients reach R alone and no
    eigendecomposition is differentiated. ``projector="qr"`` takes P = QQᴴ from an orthonormal basis
    of A, which is idempotent to machine precision, where the ε form is to λε/(λ + ε)².

    With R = FFᴴ + δI and E = P⊥F nothing of size N × N is needed:

        ‖P⊥RP⊥‖² = ‖EᴴE‖² + 2δ‖P⊥E‖² + δ² tr P⊥⁴,    ‖R‖² = ‖FᴴF‖² + 2δ‖F‖² + δ²N.

    Args:
        projector: The form of P.
        epsilon: ε > 0 of the ε form, for columns of A with unit norm.

    Raises:
        InputError: for another projector or an ε that is not positive.
    """

    def __init__(self, projector: Projector = "epsilon", epsilon: float = EPSILON) -> None:
        if projector not in {"epsilon", "qr"}:
            raise InputError(f"gt-projection has no projector {projector!r}", "use epsilon or qr")
        if not 0 < epsilon < 1:
            raise InputError(f"gt-projection needs 0 < epsilon < 1, got {epsilon!r}")
        self.projector, self.epsilon = projector, epsilon

    def __call__(self, covariance: Covariance, truth: Truth) -> Tensor:
        """Return the loss of every scene; see :meth:`Loss.__call__`."""
        with torch.autocast(covariance.factor.device.type, enabled=False):
            scaled = unit_scale(covariance)
            steering = truth.steering_matrix().to(scaled.factor)
            complement = self._complement(steering, truth.mask)
            inside = complement.apply(scaled.factor)
            energy = Covariance(inside).squared_norm()
            if scaled.load is not None:
                cross = squared_norm(complement.apply(inside))
                energy = energy + 2 * scaled.load * cross + scaled.load**2 * complement.trace4()
            total = scaled.squared_norm()
            return energy / total.clamp_min(torch.finfo(total.dtype).tiny)

    def _complement(self, steering: Tensor, mask: Tensor) -> _Complement:
        if self.projector == "qr":
            return _Complement(orthonormal_basis(steering, mask), None)
        return _Complement(steering, self.epsilon)


class _Complement:
    """P⊥ as an operator: from an orthonormal basis, or from A and ε."""

    def __init__(self, columns: Tensor, epsilon: float | None) -> None:
        self.columns, self.epsilon = columns, epsilon

    def apply(self, vectors: Tensor) -> Tensor:
        """Return P⊥V for V (S, N, J)."""
        if self.epsilon is None:
            return complement_qr(vectors, self.columns)
        return complement_epsilon(vectors, self.columns, self.epsilon)

    def trace4(self) -> Tensor:
        """Return tr P⊥⁴, (S,): N - K, plus Σ(ε/(λ + ε))⁴ over the eigenvalues λ of AᴴA."""
        elements, width = self.columns.shape[-2:]
        wide = self.columns.to(torch.complex128)
        eigenvalues = torch.linalg.eigvalsh(wide.mH @ wide)
        if self.epsilon is None:
            inside = 1 - eigenvalues
        else:
            inside = self.epsilon / (eigenvalues + self.epsilon)
        trace: Tensor = elements - width + (inside**4).sum(-1)
        return trace.to(self.columns.real.dtype)


def unit_scale(covariance: Covariance) -> Covariance:
    """Return R over its trace, the trace being a constant to the graph.

    For a loss that does not depend on the scale of R this changes neither value nor gradient; it
    keeps fourth powers of small numbers away from underflow. A zero covariance stays zero.
    """
    trace = covariance.trace().detach()
    return covariance.scaled(trace.clamp_min(torch.finfo(trace.dtype).tiny).reciprocal())
