"""The contract of a model: from a problem to the covariance of the field at the aperture."""

from __future__ import annotations

from abc import ABC, abstractmethod

from risdoa.covariance import Covariance
from risdoa.problem import Problem


class Model(ABC):
    """Predicts the covariance of the noise-free field; classical and learned models alike.

    A learned model is a ``torch.nn.Module`` as well, has the trait ``learned`` and accepts the
    problems of any scenario, whatever their number of snapshots.
    """

    def supports(self, problem: Problem) -> bool:
        """Whether a covariance can be had from these measurements; True unless overridden."""
        return True

    @abstractmethod
    def __call__(self, problem: Problem) -> Covariance:
        """Return the covariance of every scene, Hermitian positive semidefinite.

        Shapes:
            problem: S scenes. Returns a covariance with factor (S, N, J).
        """
