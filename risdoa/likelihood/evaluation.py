"""A cost with its derivatives, as a descent asks for them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Evaluation:
    """A cost to minimise with its gradient and a positive semidefinite curvature.

    Shapes:
        cost: (S,). gradient: (S, Q). curvature: (S, Q, Q). hessian: (S, Q, Q), the true second
        derivatives, which need not be positive, or None where they were not asked for.
    """

    cost: Tensor
    gradient: Tensor
    curvature: Tensor
    hessian: Tensor | None = None

    def to(self, dtype: torch.dtype) -> Evaluation:
        """Return it in another real precision."""
        bent = None if self.hessian is None else self.hessian.to(dtype)
        return Evaluation(
            self.cost.to(dtype), self.gradient.to(dtype), self.curvature.to(dtype), bent
        )


def spread(weights: Tensor) -> Tensor:
    """Return weights of sources (…, K) repeated for their three coordinates (…, 3K)."""
    return weights.repeat_interleave(3, dim=-1)


def by_source(pairs: Tensor) -> Tensor:
    """Return six numbers a source, for pairs of its coordinates, as blocks of a matrix.

    Shapes:
        pairs: (…, K, 6) for φφ, φθ, φw, θθ, θw, ww. Returns (…, 3K, 3K), 0 between sources.
    """
    square = pairs[..., [0, 1, 2, 1, 3, 4, 2, 4, 5]].unflatten(-1, (3, 3))
    blocks = torch.diag_embed(square.movedim(-3, -1), dim1=-4, dim2=-2)
    return blocks.flatten(-4, -3).flatten(-2)
