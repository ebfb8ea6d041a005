"""MUSIC of pyroomacoustics.

Its near-field mode vectors are exp(+jkr_m): the phase rises with distance, so the conjugate of R is
what belongs to them. Release 0.10.1 takes ``mode="near"`` and a grid of ranges but builds far-field
mode vectors on the unit sphere all the same; its own near-field ``ModeVector`` and the points are
therefore put into place here. With the speed of sound set to the wavelength and a transform of two
samples at 2 Hz, bin 1 is a frequency of 1 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

import risdoa
from risdoa_peers.base import PeerBackend

SAMPLE_RATE, LENGTH, BIN = 2, 2, 1


class PyroomacousticsMusic(PeerBackend):
    """pyroomacoustics.doa.MUSIC, 1 / aᴴ(I - U_sU_sᴴ)a, with its near-field mode vectors.

    Args:
        step_deg: Spacing of the grid in azimuth and elevation, in degrees.
        ranges: Planes of the grid, equally spaced in 1/range.
    """

    peer: ClassVar[str] = "pyroomacoustics"

    def prepared(self, array: risdoa.Array, points: NDArray[np.float64]) -> Any:
        """Return a pyroomacoustics.doa.MUSIC; see :meth:`PeerBackend.prepared`."""
        doa = self.module.doa
        sensors = array.positions.reshape(-1, 3).double().cpu().numpy().T
        place = np.zeros(1)  # the grid of the constructor, which is replaced
        music = doa.MUSIC(sensors, SAMPLE_RATE, LENGTH, array.wavelength, azimuth=place)
        music.grid = _Points(*np.ascontiguousarray(points.T))
        music.mode_vec = doa.doa.ModeVector(
            sensors, SAMPLE_RATE, LENGTH, array.wavelength, music.grid, mode="near"
        )
        return music

    def spectrum(
        self, steering: Any, covariance: NDArray[np.complex128], sources: int
    ) -> NDArray[np.float64]:
        """Return MUSIC's spectrum; see :meth:`PeerBackend.spectrum`."""
        values, vectors = np.linalg.eigh(covariance.conj())
        root = vectors * np.sqrt(values.clip(0))
        snapshots = np.zeros((len(covariance), LENGTH // 2 + 1, len(covariance)), np.complex128)
        snapshots[:, BIN] = root  # its average of x xᴴ over these is R*/N
        steering.locate_sources(snapshots, num_src=sources, freq_bins=[BIN])
        result: NDArray[np.float64] = np.asarray(steering.grid.values, dtype=np.float64)
        return result


@dataclass
class _Points:
    """A grid of pyroomacoustics with points at any distance, whose peaks are not looked for.

    Shapes:
        x, y, z: (P,) m.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    z: NDArray[np.float64]
    values: NDArray[np.float64] | None = None

    @property
    def n_points(self) -> int:
        """The number of points P."""
        return self.x.size

    @property
    def azimuth(self) -> NDArray[np.float64]:
        """The angle in the x-y plane from x, as pyroomacoustics has it."""
        return np.arctan2(self.y, self.x)

    def set_values(self, values: Any) -> None:
        """Keep a spectrum."""
        self.values = np.full(self.n_points, values, dtype=np.float64)

    def find_peaks(self, k: int = 1) -> NDArray[np.int64]:
        """Return no point."""
        return np.zeros(0, dtype=np.int64)
