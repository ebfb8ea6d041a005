"""Naive NumPy versions of core formulas, loops and all, to compare the library with."""

from __future__ import annotations

import numpy as np


def seed_steering(azimuth, elevation, range_m, elements, wavelength):
    """Return the steering vector as the design note writes it, for one source."""
    k0 = 2 * np.pi / wavelength
    x, y = elements[:, 0], elements[:, 1]
    sin_phi, cos_theta, sin_theta = np.sin(azimuth), np.cos(elevation), np.sin(elevation)
    dist = range_m - x * sin_phi * cos_theta - y * sin_theta + (x**2 + y**2) / (2.0 * range_m)
    phase = k0 * (range_m - dist)
    a = np.exp(1j * phase)
    return a / np.sqrt(np.sum(np.abs(a) ** 2))


def seed_projection_loss(covariance, positions, elements, wavelength, epsilon=1e-6):
    """Return ‖P⊥RP⊥‖²/‖R‖² of one scene as the design note writes it, with dense matrices."""
    columns = [seed_steering(*position, elements, wavelength) for position in positions]
    a = np.stack(columns, axis=1)
    p = a @ np.linalg.inv(a.conj().T @ a + epsilon * np.eye(a.shape[1])) @ a.conj().T
    p_perp = np.eye(len(a)) - p
    numerator = np.linalg.norm(p_perp @ covariance @ p_perp, "fro") ** 2
    return numerator / np.linalg.norm(covariance, "fro") ** 2


def nmse(covariance, true):
    """Return ‖R - R_true‖²/‖R_true‖² of one scene."""
    return np.linalg.norm(covariance - true) ** 2 / np.linalg.norm(true) ** 2
