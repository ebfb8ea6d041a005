"""The canonical scenario for those who have to count."""

from __future__ import annotations

import torch

from risdoa.frozen import changed
from risdoa.problem import Problem, Truth
from risdoa.scenarios.canonical import Canonical


class UnknownSources(Canonical):
    """Estimators are not told how many sources there are."""

    def sample(
        self,
        count: int,
        generator: torch.Generator,
        *,
        sources: int | None = None,
        snr_db: float | None = None,
    ) -> tuple[Problem, Truth]:
        """Return scenes and their truth; see :meth:`Scenario.sample`."""
        problem, truth = super().sample(count, generator, sources=sources, snr_db=snr_db)
        problem = changed(problem, sources=None)
        return problem, changed(truth, problem=problem)
