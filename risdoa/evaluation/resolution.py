"""Which sources are told apart from the others."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.conventions import great_circle


def told_apart(places: Tensor, mask: Tensor, found: Tensor, beam: float) -> Tensor:
    """Return which estimates are nearer to their source than half way to every other source.

    In direction, ψ_k < ψ_kj/2; from a source in the same beam, ψ_kj < ψ₀, by |Δw_k| < |w_k - w_j|/2
    as well.

    Shapes:
        places: (S, K, 3) rad, rad, m, the sources; found: (S, K, 3), the estimate of each.
        mask: (S, K) bool, the sources that there are. beam: ψ₀, the −3 dB half-width in rad.
        Returns (S, K) bool.
    """
    inverse, others = places[..., 2].reciprocal(), places.unsqueeze(-3)
    between = great_circle(places.unsqueeze(-2), others)
    gap = (inverse.unsqueeze(-1) - inverse.unsqueeze(-2)).abs()
    angle = great_circle(places, found).unsqueeze(-1)
    error = (found[..., 2].reciprocal() - inverse).abs().unsqueeze(-1)
    apart = (angle < between / 2) | ((between < beam) & (error < gap / 2))
    alone = torch.eye(places.shape[-2], dtype=torch.bool, device=places.device)
    told: Tensor = (apart | alone | ~mask.unsqueeze(-2)).all(-1)
    return told
