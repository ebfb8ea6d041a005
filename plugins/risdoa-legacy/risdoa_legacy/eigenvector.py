"""The projection loss with eigenvectors of the true covariance in place of steering vectors."""

from __future__ import annotations

import torch
from torch import Tensor

import risdoa


class Eigenvector(risdoa.Loss):
    """‖P⊥RP⊥‖²/‖R‖² with P⊥ = I - UUᴴ, U the K leading eigenvectors of R_true.

    The design note that risdoa started from calls this circular: it aligns R with a covariance, not
    with the steering model that estimation uses. Where R_true = A P Aᴴ without noise and with all
    powers positive, U spans what A spans, and the loss equals the projection loss.
    Complexity: O(N J (J + K)) a scene, forward and backward.
    """

    def __call__(self, covariance: risdoa.Covariance, truth: risdoa.Truth) -> Tensor:
        """Return the loss of every scene, (S,)."""
        with torch.autocast(covariance.factor.device.type, enabled=False):
            sources = truth.mask.sum(-1)
            basis = leading_eigenvectors(truth.covariance, sources).to(covariance.factor)
            scaled = covariance.normalised()
            outside = risdoa.Covariance(
                scaled.factor - basis @ (basis.mH @ scaled.factor), scaled.load
            )
            energy = outside.squared_norm()
            if scaled.load is not None:  # P⊥ takes K of the N ones out of the identity
                energy = energy - scaled.load**2 * sources
            total = scaled.squared_norm()
            return energy / total.clamp_min(torch.finfo(total.dtype).tiny)


@torch.no_grad()
def leading_eigenvectors(covariance: risdoa.Covariance, sources: Tensor) -> Tensor:
    """Return the eigenvectors of the ``sources`` largest eigenvalues, from the Gram matrix of F.

    Shapes:
        covariance: factor (S, N, J). sources: (S,) int.
        Returns (S, N, J) complex128, zero columns beyond the number of sources.
    """
    factor = covariance.factor.to(torch.complex128)
    values, vectors = torch.linalg.eigh(factor.mH @ factor)
    values, vectors = values.flip(-1), vectors.flip(-1)
    kept = torch.arange(values.shape[-1], device=values.device) < sources.unsqueeze(-1)
    kept &= values > 1e-12 * values[:, :1]
    weights = torch.where(kept, values, torch.ones_like(values)).rsqrt() * kept
    leading: Tensor = factor @ (vectors * weights.unsqueeze(-2))
    return leading
