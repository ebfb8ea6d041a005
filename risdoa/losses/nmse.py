"""The normalised mean square error of a covariance."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.covariance import Covariance
from risdoa.losses.base import Loss
from risdoa.problem import Truth


class Nmse(Loss):
    """‖R - R_true‖²/‖R_true‖² with R_true = A P Aᴴ.

    Computed as (‖R‖² - 2 tr(R R_true) + ‖R_true‖²)/‖R_true‖² from products of factors.
    Complexity: O(N J (J + K)) a scene, forward and backward.
    """

    def __call__(self, covariance: Covariance, truth: Truth) -> Tensor:
        """Return the loss of every scene; see :meth:`Loss.__call__`."""
        with torch.autocast(covariance.factor.device.type, enabled=False):
            true, mine = _common_scale(truth.covariance.detach(), covariance)
            energy = true.squared_norm()
            error = mine.squared_norm() - 2 * mine.inner(true) + energy
            return error / energy.clamp_min(torch.finfo(energy.dtype).tiny)


def _common_scale(true: Covariance, mine: Covariance) -> tuple[Covariance, Covariance]:
    """Return both over tr(R_true), in the precision of the prediction."""
    load = None if true.load is None else true.load.to(mine.factor.real.dtype)
    true = Covariance(true.factor.to(mine.factor), load)
    trace = true.trace()
    scale = trace.clamp_min(torch.finfo(trace.dtype).tiny).reciprocal()
    return true.scaled(scale), mine.scaled(scale)
