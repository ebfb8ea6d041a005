"""From positions to snapshots, all scenes at once."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.scenarios.draws import complex_normal
from risdoa.sensing import Sensing
from risdoa.snapshots import Snapshots
from risdoa.steering.base import Steering

CACHE = 2**20
"""Bytes of fields that are worked on at once."""


def simulate(
    *,
    positions: Tensor,
    powers: Tensor,
    array: Array,
    steering: Steering,
    sensing: Sensing,
    snr_db: Tensor,
    snapshots: int,
    generator: torch.Generator,
    blocks: Tensor | None = None,
) -> tuple[Snapshots, Tensor]:
    """Return y_l = G_l A s_l + n_l and the signals s_l.

    n_l ~ CN(0, σ²I) with σ² = mean|G_l A s_l|² / 10^(SNR/10), the mean over the snapshots and
    outputs of the scene as realised. ``steering`` makes the data.

    Shapes:
        positions: (S, K, 3) rad, rad, m. powers: (S, K), 0 for a source that is not there.
        snr_db: (S,) dB. blocks: (L,) labels of the snapshots that share a signal, or None.
        Returns snapshots (S, L, M) with their noise power (S,), and signals (S, L, K).
    """
    signals = source_signals(powers, snapshots, generator, blocks)
    clean = noise_free(signals, steering(array, positions), sensing)
    values, noise_power = with_noise(clean, snr_db, generator)
    return Snapshots(values, sensing, blocks, noise_power), signals


def with_noise(clean: Tensor, snr_db: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return y + n and σ²: n ~ CN(0, σ²I), σ² = mean|y|²/10^(SNR/10) in every scene.

    Shapes:
        clean: (S, L, M). snr_db: (S,) dB. Returns (S, L, M) and (S,).
    """
    noise_power = mean_power(clean) / 10 ** (snr_db / 10)
    noise = complex_normal(tuple(clean.shape), generator)
    return clean + noise.mul_(noise_power.sqrt()[:, None, None]), noise_power


def noise_free(signals: Tensor, steering: Tensor, sensing: Sensing) -> Tensor:
    """Return G_l A s_l, a few scenes at a time: fields of many would leave the cache.

    Shapes:
        signals: (S, L, K). steering: (S, N, K). Returns (S, L, M).
    """
    each = signals.shape[1] * steering.shape[1] * steering.element_size()
    scenes = torch.arange(len(signals), device=signals.device)
    parts = [
        sensing.select(chunk).forward(signals[chunk] @ steering[chunk].transpose(-1, -2))
        for chunk in scenes.split(max(1, CACHE // each))
    ]
    return torch.cat(parts)


def source_signals(
    powers: Tensor, snapshots: int, generator: torch.Generator, blocks: Tensor | None = None
) -> Tensor:
    """Return s ~ CN(0, diag(p)), one draw for every block of snapshots.

    Shapes:
        powers: (S, K). blocks: (L,) labels or None for a fresh signal each.
        Returns (S, L, K) complex128.
    """
    scenes, sources = powers.shape
    if blocks is None:
        drawn = complex_normal((scenes, snapshots, sources), generator)
    else:
        labels, index = torch.unique(blocks, return_inverse=True)
        drawn = complex_normal((scenes, labels.numel(), sources), generator)[:, index]
    return drawn * powers.sqrt().unsqueeze(-2)


def mean_power(outputs: Tensor) -> Tensor:
    """Return mean|y|² over snapshots and outputs.

    Shapes:
        outputs: (S, L, M) complex. Returns (S,).
    """
    return torch.view_as_real(outputs).square().sum(-1).mean((-2, -1))
