"""Estimate a recording: from a file, with a steering model of your choice, and from bare arrays.

The recording is the measured one that comes with the package: 48 microphones in three dimensions,
54 loudspeaker directions all around. Run it as ``python examples/estimate_recording.py [PICTURE]``.
"""

from __future__ import annotations

import sys

import numpy as np

import risdoa
from risdoa.recordings import sample_path


def main(picture: str | None = None) -> None:
    """Print a table, the errors against the known directions, and one scene on its own."""
    recording = risdoa.read_recording(sample_path())
    result = risdoa.estimate(recording)
    print(result)
    if picture is not None:
        result.plot(picture)

    truth = recording.truth_deg_m
    assert truth is not None  # the sample knows where its loudspeakers stood
    for steering in ("spherical", "plane-wave"):
        positions = risdoa.estimate(recording, steering=steering).positions_deg_m().numpy()
        error = (positions - truth + 180) % 360 - 180
        azimuth, elevation = np.median(np.abs(error[:, 0, :2]), axis=0)
        print(f"{steering}: median error {azimuth:.2f}° azimuth, {elevation:.2f}° elevation")

    single = risdoa.estimate(
        recording.snapshots[7],  # any complex (S, L, M), (L, M) or (M,), phases exp(-jkρ)
        positions_m=recording.positions_m,
        wavelength_m=recording.wavelength_m,
        sources=1,
        region_deg_m=recording.region_deg_m,
        backend="nf-mle",
    )
    source = single.to_json()["scenes"][0]["sources"][0]
    print(f"scene 7 alone: {source['azimuth_deg']:.2f}° ± {source['std']['azimuth_deg']:.2f}°")


if __name__ == "__main__":
    main(*sys.argv[1:2])
