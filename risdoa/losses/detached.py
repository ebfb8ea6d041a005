"""A loss without its gradient."""

from __future__ import annotations

from torch import Tensor

from risdoa.covariance import Covariance
from risdoa.losses.base import Loss
from risdoa.problem import Truth


class Detached(Loss):
    """The value of a loss, and nothing to learn from: the control for what its gradient is worth.

    Args:
        loss: Whose value.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss

    def __call__(self, covariance: Covariance, truth: Truth) -> Tensor:
        """Return the loss of every scene, without a graph; see :meth:`Loss.__call__`."""
        return self.loss(covariance.detach(), truth).detach()
