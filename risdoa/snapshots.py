"""Measurements: the outputs, how they were sensed, and which share a source signal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.errors import InputError
from risdoa.frozen import changed
from risdoa.sensing import Sensing, all_finite

LARGEST = 1e140
"""Of the largest snapshot of a scene: sums of squares and their inverses must be numbers."""


def sum_blocks(values: Tensor, blocks: Tensor, count: int) -> Tensor:
    """Return the sums over the snapshots of every block.

    Shapes:
        values: (S, L, …). blocks: (L,) int in 0 … count-1. Returns (S, count, …).
    """
    total = values.new_zeros((values.shape[0], count, *values.shape[2:]))
    return total.index_add(1, blocks, values)


def times_two_to(values: Tensor, exponent: Tensor) -> Tensor:
    """Return values · 2^exponent, in two steps: the power alone may be no number that there is.

    Shapes:
        values: real. exponent: int, broadcast against them.
    """
    half = exponent // 2
    for step in (half, exponent - half):
        values = values * torch.ldexp(torch.ones_like(step, dtype=values.dtype), step)
    return values


@dataclass(frozen=True)
class Snapshots:
    """L snapshots of M outputs for every scene.

    Shapes:
        values: (…, L, M) complex.
        blocks: (L,) int labels; snapshots with one label share the source signal. None: each its
            own. One label for all: static sources.
        noise_power: (…) real, the noise variance per output, if known.

    Raises:
        InputError: for a wrong shape, a real array or a non-finite number.
    """

    values: Tensor
    sensing: Sensing
    blocks: Tensor | None = None
    noise_power: Tensor | None = None

    def __post_init__(self) -> None:
        """Check shapes and values once."""
        if self.values.ndim < 2 or not self.values.is_complex() or 0 in self.values.shape[-2:]:
            raise InputError(
                f"snapshots must be complex (…, L, M) with L, M >= 1, got "
                f"{tuple(self.values.shape)} {self.values.dtype}"
            )
        if not all_finite(self.values):
            raise InputError(
                "snapshots must be finite, got NaN or infinity",
                "remove the damaged snapshots before estimating",
            )
        if self.blocks is not None and self.blocks.shape != (self.count,):
            raise InputError(
                f"source_block must have one label for each of the {self.count} snapshots, got "
                f"shape {tuple(self.blocks.shape)}"
            )

    @property
    def count(self) -> int:
        """The number of snapshots L."""
        return self.values.shape[-2]

    @property
    def outputs(self) -> int:
        """The number of outputs M."""
        return self.values.shape[-1]

    @property
    def block_index(self) -> Tensor:
        """The block of every snapshot, (L,) int64 counted from 0."""
        device = self.values.device
        if self.blocks is None:
            return torch.arange(self.count, device=device)
        labels: Tensor = torch.unique(self.blocks, return_inverse=True)[1].to(device)
        return labels

    @property
    def block_count(self) -> int:
        """The number of different source signals."""
        return self.count if self.blocks is None else int(self.blocks.unique().numel())

    @property
    def fresh(self) -> bool:
        """Whether every snapshot has a source signal of its own."""
        return self.block_count == self.count

    @property
    def has_power(self) -> bool:
        """Whether the power of every scene is a number, neither too large nor too small for one."""
        largest = self.values.detach().abs().amax((-2, -1))
        return bool(((largest == 0) | ((largest >= 1 / LARGEST) & (largest <= LARGEST))).all())

    def levelled(self) -> Snapshots:
        """Return the snapshots with every scene divided by a power of two: largest part in [½, 1).

        Nothing is rounded, and squares and products of what was measured stay far from the largest
        and the smallest numbers, in whatever units it came.
        """
        parts = torch.view_as_real(self.values.detach().resolve_conj())
        down = -torch.frexp(parts.abs().amax((-3, -2, -1)))[1]
        values = torch.view_as_complex(times_two_to(parts, down[..., None, None, None]))
        noise = self.noise_power
        if noise is not None:
            most = torch.finfo(noise.dtype).max
            noise = times_two_to(noise, 2 * down).clamp_max(most)
        return changed(self, values=values, noise_power=noise)

    def select(self, scenes: Tensor) -> Snapshots:
        """Return the snapshots of the chosen scenes."""
        noise = self.noise_power
        if noise is not None and noise.ndim > 0:
            noise = noise[scenes]
        return changed(
            self, values=self.values[scenes], sensing=self.sensing.select(scenes), noise_power=noise
        )

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Snapshots:
        """Return the snapshots on another device or in another complex precision."""
        noise = self.noise_power
        if noise is not None:
            noise = noise.to(device=device, dtype=dtype.to_real() if dtype else None)
        return changed(
            self,
            values=self.values.to(device=device, dtype=dtype),
            sensing=self.sensing.to(device, dtype),
            noise_power=noise,
        )
