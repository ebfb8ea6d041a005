"""The contract of a scenario: where problems with known truth come from."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch

from risdoa.problem import Problem, Truth


class Scenario(ABC):
    """Draws problems and their truth, batched, from an explicit generator.

    ``data_model`` names the steering model that makes the data, ``estimation_model`` the one that
    estimators are told (the problem's); where they differ, every table says so. A scenario whose
    data differ in another way from what estimators are told has the trait ``model-error``.
    """

    data_model: str = "canonical"
    estimation_model: str = "canonical"

    @property
    def data_label(self) -> str:
        """What tables call the data: the steering model, and what else is not as told."""
        return self.data_model

    @abstractmethod
    def sample(
        self,
        count: int,
        generator: torch.Generator,
        *,
        sources: int | None = None,
        snr_db: float | None = None,
    ) -> tuple[Problem, Truth]:
        """Return ``count`` scenes, with the truth under the problem's own steering model.

        ``sources`` and ``snr_db`` fix the number of sources and the SNR of all scenes; None draws
        them for every scene from the scenario's own distribution. Tensors are float64/complex128
        on the generator's device.

        Raises:
            InputError: for a count, a number of sources or an SNR that the scenario cannot make.
        """
