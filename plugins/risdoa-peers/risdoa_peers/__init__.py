"""Other libraries' estimators as backends; this module only announces them."""

from __future__ import annotations

from collections.abc import Iterable

import risdoa

TRAITS = ("needs-covariance", "grid")


@risdoa.hookimpl
def risdoa_backends() -> Iterable[risdoa.Plugin]:
    """Yield the backends."""
    acoular = (
        "E. Sarradj and G. Herold, A Python framework for microphone array data processing, "
        "Applied Acoustics 116, 2017",
    )
    yield risdoa.Plugin(
        name="acoular-music",
        factory="risdoa_peers.acoular:AcoularMusic",
        summary="MUSIC of acoular, on a grid.",
        traits=TRAITS,
        example="risdoa estimate scene.npz --backend acoular-music --sources 1",
        references=acoular,
    )
    yield risdoa.Plugin(
        name="acoular-capon",
        factory="risdoa_peers.acoular:AcoularCapon",
        summary="Capon's beamformer of acoular, on a grid.",
        traits=TRAITS,
        example="risdoa estimate scene.npz --backend acoular-capon --sources 1",
        references=acoular,
    )
    yield risdoa.Plugin(
        name="pyroomacoustics-music",
        factory="risdoa_peers.pyroomacoustics:PyroomacousticsMusic",
        summary="MUSIC of pyroomacoustics with its near-field mode vectors, on a grid.",
        traits=TRAITS,
        example="risdoa estimate scene.npz --backend pyroomacoustics-music --sources 1",
        references=(
            "R. Scheibler, E. Bezzam and I. Dokmanić, Pyroomacoustics: a Python package for audio "
            "room simulation and array processing algorithms, ICASSP, 2018",
        ),
    )
