"""A term that forbids dropping a source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.losses.base import Loss
from risdoa.problem import Truth

if TYPE_CHECKING:
    from optuna import Trial
from risdoa.subspace import orthonormal_basis


def space(trial: Trial) -> dict[str, float]:
    """Return how small a share of the power η may count as missing."""
    return {"floor": trial.suggest_float("floor", 1e-4, 1e-1, log=True)}


class Completeness(Loss):
    """-log det((1 - η) K QᴴRQ/tr R + ηI)/K, Q an orthonormal basis of the true steering vectors.

    It is 0 where all power of R lies in the span and is even there, and grows with every direction
    of the span that lacks power: an empty one costs -log(η)/K. The floor η keeps value and gradient
    finite where R has no power at all in a direction, as a covariance of too low rank has none.
    Masked sources count as directions with their share, which cost nothing.

    Complexity: O(N J K + K³) a scene, forward and backward.

    Args:
        floor: η, a share of the power that is even.

    Raises:
        InputError: unless 0 < η < 1.
    """

    def __init__(self, floor: float = 1e-3) -> None:
        if not 0 < floor < 1:
            raise InputError(f"completeness needs 0 < floor < 1, got {floor!r}")
        self.floor = floor

    def __call__(self, covariance: Covariance, truth: Truth) -> Tensor:
        """Return the loss of every scene; see :meth:`Loss.__call__`."""
        with torch.autocast(covariance.factor.device.type, enabled=False):
            scaled = covariance.unit_trace()
            basis = orthonormal_basis(truth.steering_matrix().to(scaled.factor), truth.mask)
            sources = truth.mask.sum(-1)
            share = sources[:, None, None] * (basis.mH @ scaled.apply(basis))
            spare = torch.arange(basis.shape[-1], device=basis.device) >= sources.unsqueeze(-1)
            even = torch.diag_embed(spare.to(share))  # a masked source has its share
            floor = self.floor * torch.eye(len(spare[0]), dtype=share.dtype, device=share.device)
            filled = (1 - self.floor) * (share + even) + floor
            value: Tensor = torch.linalg.slogdet(filled)[1]
            return -value / sources.clamp_min(1)
