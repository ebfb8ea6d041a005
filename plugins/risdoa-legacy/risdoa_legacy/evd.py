"""The loss that differentiates an eigendecomposition."""

from __future__ import annotations

import torch
from torch import Tensor

import risdoa


class LegacyEvd(risdoa.Loss):
    """‖U_nᴴA‖²/K, U_n the N - K eigenvectors of R with the smallest eigenvalues.

    A holds the true steering vectors. The gradient goes through ``torch.linalg.eigh``, whose
    backward pass has factors 1/(λ_i - λ_j) for *all* pairs: where eigenvalues are equal, as those
    of a low-rank covariance are, it is not finite. That is what this loss is here to show.
    """

    def __call__(self, covariance: risdoa.Covariance, truth: risdoa.Truth) -> Tensor:
        """Return the loss of every scene, (S,).

        Raises:
            LinAlgError: if the eigendecomposition does not converge.
        """
        with torch.autocast(covariance.factor.device.type, enabled=False):
            dense = covariance.dense()
            vectors = torch.linalg.eigh(dense).eigenvectors
            inside = vectors.mH @ truth.steering_matrix().to(dense)
            energy = (inside.real**2 + inside.imag**2).sum(-1)
            sources = truth.mask.sum(-1)
            ascending = torch.arange(dense.shape[-1], device=dense.device)
            noise = ascending < (dense.shape[-1] - sources).unsqueeze(-1)
            total = torch.where(noise, energy, torch.zeros_like(energy)).sum(-1)
            return total / sources.clamp_min(1)
