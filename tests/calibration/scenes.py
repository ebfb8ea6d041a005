"""Scenes of one panel, and how far a calibration is from it."""

from __future__ import annotations

import torch

from risdoa.scenarios.miscalibrated import Miscalibrated

PLAIN = {
    "nx": 4,
    "ny": 4,
    "gain_db": 1.0,
    "phase_deg": 10.0,
    "position": 0.0,
    "missing": 0.0,
    "bits": (3, 3),
    "channel_db": None,
    "direct_db": None,
    "panel": 3,
}
"""A small panel whose gains alone are off."""

NOISELESS = 300.0


def scenario(**changes):
    return Miscalibrated(**PLAIN | changes)


def scenes(made, count, snr_db, seed=5, sources=1):
    """Return the truth of scenes of a scenario."""
    generator = torch.Generator().manual_seed(seed)
    return made.sample(count, generator, sources=sources, snr_db=snr_db)[1]


def in_gauge(gains):
    """Return gains with a sum that is positive and a mean power of 1."""
    return gains * torch.exp(-1j * gains.sum().angle()) / gains.abs().square().mean().sqrt()


def off(calibration, made):
    """Return the errors of the gains (N,) and of the places (N, 3) in wavelengths."""
    real = made.panel_array(made.panel)
    moved = (calibration.positions_m - real.positions) / real.wavelength
    return calibration.gains - in_gauge(real.gains), moved
