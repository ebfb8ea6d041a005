"""A running mean of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

PREFIX = "ema/"


class Ema:
    """m ← d m + (1 - d) w after every step, with d = min(decay, (1 + n)/(10 + n)) at step n.

    The decay grows, so that a short training is not averaged with its beginning. Buffers and
    integers are taken as they are.

    Args:
        model: Whose weights.
        decay: 0 for the weights themselves.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay = model, decay
        self.mean = (
            {name: value.detach().clone() for name, value in model.named_parameters()}
            if decay
            else {}
        )

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step n, counted from 1."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in self.model.named_parameters():
            if name in self.mean:
                self.mean[name].lerp_(value, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the mean in the place of the weights for a while."""
        kept = {name: value.detach().clone() for name, value in self._weights()}
        self._put(self.mean)
        try:
            yield
        finally:
            self._put(kept)

    def tensors(self) -> dict[str, Tensor]:
        """Return the mean for a checkpoint."""
        return {PREFIX + name: value for name, value in self.mean.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the mean from a checkpoint."""
        for name, value in self.mean.items():
            value.copy_(tensors[PREFIX + name])

    def _weights(self) -> Iterator[tuple[str, Tensor]]:
        return ((name, w) for name, w in self.model.named_parameters() if name in self.mean)

    @torch.no_grad()
    def _put(self, values: Mapping[str, Tensor]) -> None:
        for name, value in self._weights():
            value.copy_(values[name])
