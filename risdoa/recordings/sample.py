"""The measured recording that comes with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

SAMPLE = "measured_microphones_pyramic.npz"


def sample_path() -> Path:
    """Return the path of a measured recording: 48 microphones, 54 directions all around.

    Data by R. Scheibler, Pyramic dataset, CC-BY 4.0; ``NOTICE`` beside the file says more.
    """
    return Path(str(files("risdoa") / "data" / SAMPLE))
