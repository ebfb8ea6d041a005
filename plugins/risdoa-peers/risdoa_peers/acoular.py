"""MUSIC and Capon's beamformer of acoular.

acoular, too, has phases that fall with distance, x_m ∝ exp(-jkr_m), and covariances E[x xᴴ], so
nothing is conjugated or reordered. With the speed of sound set to the wavelength, the wave has a
frequency of 1 Hz. Steering vectors of type *classic* have the phase alone, as those of risdoa.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

import risdoa
from risdoa.errors import InputError
from risdoa_peers.base import PeerBackend, loaded

FREQUENCY = 1.0


class _Acoular(PeerBackend):
    """What acoular's beamformers share."""

    peer: ClassVar[str] = "acoular"

    def prepared(self, array: risdoa.Array, points: NDArray[np.float64]) -> Any:
        """Return an acoular.SteeringVector; see :meth:`PeerBackend.prepared`."""
        positions = array.positions.reshape(-1, 3).double().cpu().numpy()
        grid = self.module.ImportGrid()
        grid.pos = np.ascontiguousarray(points.T)
        return self.module.SteeringVector(
            grid=grid,
            mics=self.module.MicGeom(pos_total=np.ascontiguousarray(positions.T)),
            env=self.module.Environment(c=array.wavelength * FREQUENCY),
            steer_type="classic",
        )

    def _map(
        self, beamformer: Any, steering: Any, covariance: NDArray[np.complex128], **options: object
    ) -> NDArray[np.float64]:
        """Return what a beamformer of acoular makes of a covariance, (P,)."""
        spectra = self.module.PowerSpectraImport(csm=covariance[None], frequencies=[FREQUENCY])
        made = beamformer(freq_data=spectra, steer=steering, cached=False, **options)
        result: NDArray[np.float64] = np.array(made.result[0], dtype=np.float64)
        return result


class AcoularMusic(_Acoular):
    """acoular.BeamformerMusic, 1 / Σ_i λ_i |u_iᴴa|² over the noise eigenvectors u_i.

    acoular weights the noise eigenvectors by their eigenvalues. A load of R that is large beside
    these leaves the eigenvectors as they are and makes the weights equal, as in MUSIC as published.

    Args:
        step_deg: Spacing of the grid in azimuth and elevation, in degrees.
        ranges: Planes of the grid, equally spaced in 1/range.
        load: Load of R in tr(R)/N; small ones leave acoular's weights as they are.
    """

    def __init__(self, step_deg: float = 2.0, ranges: int = 16, load: float = 1e4) -> None:
        super().__init__(step_deg, ranges)
        self.load = _positive(load)

    def spectrum(
        self, steering: Any, covariance: NDArray[np.complex128], sources: int
    ) -> NDArray[np.float64]:
        """Return MUSIC's spectrum, its scale being acoular's; see :meth:`PeerBackend.spectrum`."""
        beamformer = self.module.BeamformerMusic
        return self._map(beamformer, steering, loaded(covariance, self.load), n=sources)


class AcoularCapon(_Acoular):
    """acoular.BeamformerCapon, 1 / (aᴴR⁻¹a).

    Args:
        step_deg: Spacing of the grid in azimuth and elevation, in degrees.
        ranges: Planes of the grid, equally spaced in 1/range.
        load: Load of R in tr(R)/N, without which few snapshots leave no inverse.
    """

    def __init__(self, step_deg: float = 2.0, ranges: int = 16, load: float = 1e-3) -> None:
        super().__init__(step_deg, ranges)
        self.load = _positive(load)

    def spectrum(
        self, steering: Any, covariance: NDArray[np.complex128], sources: int
    ) -> NDArray[np.float64]:
        """Return Capon's power; see :meth:`PeerBackend.spectrum`."""
        return self._map(self.module.BeamformerCapon, steering, loaded(covariance, self.load))


def _positive(load: float) -> float:
    if not load > 0:
        raise InputError(f"a load must be positive, got {load:g}")
    return load
