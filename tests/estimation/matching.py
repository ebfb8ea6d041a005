"""How far estimates are from the truth, whatever their order."""

from __future__ import annotations

from itertools import permutations

import torch
from torch import Tensor

from risdoa.conventions import great_circle
from risdoa.problem import Estimates


def errors(estimates: Tensor, truth: Tensor) -> Tensor:
    """Return the largest of ψ in rad and |Δ(1/r)| in 1/m over the sources, (S,), best order.

    Shapes:
        estimates, truth: (S, K, 3) rad, rad, m.
    """
    found = []
    for order in permutations(range(truth.shape[1])):
        other = estimates[:, list(order)]
        angle = great_circle(other, truth)
        inverse = (other[..., 2].reciprocal() - truth[..., 2].reciprocal()).abs()
        found.append(torch.maximum(angle, inverse).amax(-1))
    return torch.stack(found).amin(0)


def remarks(found: Estimates) -> tuple[str, ...]:
    """Return the notes of estimates, besides those on how the steering model was scanned."""
    return tuple(note for note in found.notes if not note.startswith("the scan takes"))
