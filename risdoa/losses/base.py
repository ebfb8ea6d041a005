"""The contract of a loss on a predicted covariance."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from risdoa.covariance import Covariance
from risdoa.problem import Truth


class Loss(ABC):
    """A differentiable figure of how far a covariance is from the truth; smaller is better."""

    @abstractmethod
    def __call__(self, covariance: Covariance, truth: Truth) -> Tensor:
        """Return one real, finite value for every scene; gradients reach the covariance alone.

        Shapes:
            covariance: factor (S, N, J). truth: S scenes. Returns (S,), in the precision of the
            factor.
        """
