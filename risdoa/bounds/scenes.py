"""What every bound does with the scenes of a truth."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from risdoa.errors import InputError
from risdoa.problem import Problem, Truth


def noise_of(problem: Problem) -> Tensor:
    """Return the noise power of every scene, (S,).

    Raises:
        InputError: if it is not known.
    """
    noise = problem.snapshots.noise_power
    if noise is None:
        raise InputError("a bound needs the noise power of the snapshots")
    return noise.to(torch.float64).expand(problem.scenes)


def by_count(
    truth: Truth, bound: Callable[[Truth, Tensor, int], Tensor], columns: int = 3
) -> Tensor:
    """Apply ``bound`` to the scenes of every number of sources; masked sources come first to last.

    ``bound`` is given the truth cut to its sources, the scene indices and the number of sources.

    Shapes:
        Returns (S, K, 3, columns), NaN where masked.
    """
    scenes, width = truth.mask.shape
    result = truth.positions.new_full((scenes, width, 3, columns), torch.nan, dtype=torch.float64)
    counts = truth.mask.sum(-1)
    leading = torch.arange(width, device=counts.device) < counts[:, None]
    if not bool((truth.mask == leading).all()):
        raise InputError("the sources of a truth must stand before its masked entries")
    for count in counts.unique().tolist():
        index = torch.nonzero(counts == count).squeeze(-1)
        if count:
            result[index, :count] = bound(_cut(truth.select(index), count), index, count)
    return result


def _cut(truth: Truth, count: int) -> Truth:
    """Return the truth without the entries behind the first ``count``."""
    return Truth.of(
        truth.positions[:, :count], truth.mask[:, :count], truth.powers[:, :count], truth.problem
    )
