"""The Bartlett spectrum: what a beam to every point receives."""

from __future__ import annotations

import torch
from torch import Tensor

from risdoa.backends.spectral import SpectralBackend
from risdoa.covariance import Covariance


class Bartlett(SpectralBackend):
    """Finds the peaks of aᴴRa, the output power of a beam to every point.

    Sources shift each other's peaks, so that it is biased for more than one; those closer than a
    half-width are one peak. Source: M. S. Bartlett, "Smoothing periodograms from time-series with
    continuous spectra", Nature 161 (1948).

    Args:
        density: Grid points per −3 dB half-width.
        iterations: Most steps of the refinement.

    Raises:
        InputError: for options that cannot be.
    """

    name = "bartlett"

    def weights(self, eigenvalues: Tensor, covariance: Covariance) -> Tensor:
        """Return λ_k/λ_max: a load of the covariance adds the same everywhere."""
        largest = eigenvalues.amax(-1, keepdim=True)
        return eigenvalues / largest.clamp_min(torch.finfo(largest.dtype).tiny)
