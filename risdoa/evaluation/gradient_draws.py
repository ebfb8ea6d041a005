"""Covariances that a gradient may stumble over: noisy ones, of low rank, with equal eigenvalues."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.problem import Truth
from risdoa.scenarios.digital import Digital
from risdoa.scenarios.draws import complex_normal

KINDS = ("noisy", "low-rank", "near-equal")
"""What R = FFᴴ is made of, tr R being about K: snapshots at the SNR; copies of K - 1 of them, so
that R has fewer directions than there are sources; an orthonormal basis of them, with eigenvalues
that differ by 1e-9 to 1e-3 of themselves."""

MOST = 5
"""The largest number of sources; every scene has 1 to as many."""


def draw_truth(side: int, scenes: int, generator: torch.Generator) -> Truth:
    """Return scenes of 1 to 5 sources of power 1 before side x side elements."""
    _, truth = Digital(side, side, snapshots=1).sample(scenes, generator, sources=MOST, snr_db=0.0)
    counts = torch.randint(1, MOST + 1, (scenes, 1), generator=generator)
    mask = torch.arange(MOST) < counts
    return Truth.of(truth.positions, mask, mask.double(), truth.problem)


def draw_factor(
    kind: str, truth: Truth, width: int, snr_db: float, generator: torch.Generator
) -> Tensor:
    """Return the factor of one kind of covariance, (S, N, J) complex64.

    Shapes:
        The SNR is per element, all sources together.
    """
    noisy = _snapshots(truth, width, snr_db, generator)
    if kind == "low-rank":
        distinct = (truth.mask.sum(-1, keepdim=True) - 1).clamp_min(1)
        places = (torch.arange(width) % distinct).unsqueeze(-2).expand(noisy.shape)
        noisy = torch.gather(noisy, -1, places)
    elif kind == "near-equal":
        noisy = _levelled(noisy, truth, generator)
    return noisy.to(torch.complex64)


def _snapshots(truth: Truth, width: int, snr_db: float, generator: torch.Generator) -> Tensor:
    """Return the field in J snapshots over √J, signals and noise drawn anew."""
    steering = truth.steering_matrix()
    scenes, elements, most = steering.shape
    signals = complex_normal((scenes, most, width), generator)
    noise = complex_normal((scenes, elements, width), generator)
    power = truth.mask.sum(-1) / elements * 10 ** (-snr_db / 10)
    field = steering @ signals + power.sqrt()[:, None, None] * noise
    scaled: Tensor = field / width**0.5
    return scaled


def _levelled(field: Tensor, truth: Truth, generator: torch.Generator) -> Tensor:
    """Return an orthonormal basis of the field with eigenvalues near K/J, (S, N, J)."""
    basis = torch.linalg.qr(field)[0]
    scenes, _, rank = basis.shape
    digits = 3 + 6 * torch.rand((scenes, 1), generator=generator, dtype=torch.float64)
    spread = 1 + 10**-digits * torch.rand((scenes, rank), generator=generator, dtype=torch.float64)
    level = (truth.mask.sum(-1, keepdim=True) / rank * spread).sqrt()
    spare = (0, field.shape[-1] - rank)
    levelled: Tensor = torch.nn.functional.pad(basis * level.unsqueeze(-2), spare)
    return levelled
