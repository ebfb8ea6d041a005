"""``risdoa calibrate``: the elements of an array, from recordings whose sources are known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from risdoa.cli.options import (
    PluginName,
    Settings,
    check_archive,
    echo_json,
    echo_table,
    examples,
    json_flag,
    options_of,
    registry,
    reject_unused,
    set_option,
)
from risdoa.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from risdoa.calibration import Calibration
    from risdoa.problem import Truth
    from risdoa.steering.base import Steering

SCHEMA = "risdoa.calibrate/1"
WEAK_DB = -20.0
"""Elements below this, against the mean power, are counted and left out of the spread."""
SUSPECT = 1.5
"""A residual above this times the told noise power shows that the model does not hold."""


@click.command(
    epilog=examples(
        "risdoa calibrate scenes.npz --steering canonical --out panel.npz",
        "risdoa calibrate a.npz b.npz --position 0.02 --out panel.npz --json",
        "risdoa estimate scenes.npz --calibration panel.npz",
    )
)
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.npz",
    help="Where to write the calibration.",
)
@click.option("--force", is_flag=True, help="Replace it if it exists.")
@click.option(
    "--steering",
    type=PluginName("steering"),
    default="spherical",
    show_default=True,
    help="The steering model of the array.",
)
@click.option(
    "--gain-db",
    type=float,
    metavar="SIGMA",
    help="Standard deviation of the amplitudes in dB, where it is known beforehand; needs "
    "--phase-deg.",
)
@click.option(
    "--phase-deg",
    type=float,
    metavar="SIGMA",
    help="Standard deviation of the phases in degrees, where it is known beforehand.",
)
@click.option(
    "--position",
    type=float,
    metavar="SIGMA",
    help="Find the element positions too, known so well beforehand, in wavelengths.",
)
@click.option(
    "--reader", type=PluginName("reader"), help="What reads FILE; by default its suffix says."
)
@set_option
@json_flag
def command(
    *,
    files: tuple[Path, ...],
    out: Path,
    force: bool,
    steering: str,
    gain_db: float | None,
    phase_deg: float | None,
    position: float | None,
    reader: str | None,
    settings: Settings,
    as_json: bool,
) -> None:
    """Find the gains of an array's elements, from recordings with truth.

    The recordings must be of one array and say where the sources were; their signals and the noise
    need not be known. The result is one file for `risdoa estimate --calibration`.
    """
    from risdoa.calibration import Prior, calibrate, write_calibration  # noqa: PLC0415

    check_archive(out, "calibration", force=force)
    _check_files(files, out)
    prior = Prior(
        math.inf if gain_db is None else gain_db,
        math.inf if phase_deg is None else phase_deg,
        0.0 if position is None else position,
    )
    model = registry().create("steering", steering, **options_of(settings, "steering", steering))
    truths, readers = _truths(files, reader, model, settings, steering)
    reject_unused(settings, [steering, *readers])
    calibration = calibrate(truths, prior, steering=registry().find("steering", steering).name)
    write_calibration(out, calibration)
    if as_json:
        echo_json(_document(calibration))
    else:
        _show(calibration, out)


def _check_files(files: tuple[Path, ...], out: Path) -> None:
    """Raise an InputError for a file that is given twice, or that the calibration would replace."""
    known: set[Path] = set()
    for file in files:
        path = file.resolve()
        if path in known:
            raise InputError(f"{file} is given twice", "scenes count once: name every file once")
        if path == out.resolve():
            raise InputError(f"--out {out} would replace a recording", "give another --out")
        known.add(path)


def _truths(
    files: tuple[Path, ...], reader: str | None, model: Steering, settings: Settings, told: str
) -> tuple[list[Truth], set[str]]:
    """Return the scenes of all files with their truth, and what read them."""
    from risdoa.reading import read_recording, reader_of  # noqa: PLC0415 - not for --help
    from risdoa.recordings.layout import reading  # noqa: PLC0415

    truths, readers = [], set()
    for file in files:
        recording = read_recording(file, reader=reader, settings=settings, registry=registry())
        readers.add(reader or reader_of(file, registry()).qualified)
        with reading(file):
            truths.append(recording.truth(recording.problem(model)))
        if recording.steering and recording.steering != told.rpartition("/")[2]:
            text = f"data made with {recording.steering} steering, calibrated with {told}"
            click.echo(f"warning: {file}: {text}", err=True)
    return truths, readers


def _figures(calibration: Calibration) -> dict[str, tuple[float, float]]:
    """Return the RMS deviation from the nominal array and the median standard deviation."""
    heard = calibration.gain_db() > WEAK_DB
    decibels, degrees = calibration.relative_std()
    moved = (calibration.positions_m - calibration.nominal_m)[heard]
    figures = {
        "gain_db": (calibration.gain_db()[heard], decibels[heard]),
        "phase_deg": (calibration.phase_deg()[heard], degrees[heard]),
        "position_m": (moved, calibration.positions_std_m[heard]),
    }
    return {name: _spread(*pair) for name, pair in figures.items()}


def _spread(deviations: Tensor, std: Tensor) -> tuple[float, float]:
    """Return the RMS and the median standard deviation, of coordinates that were not held."""
    free = std > 0
    if not bool(free.any()):
        return 0.0, 0.0
    return float(deviations[free].square().mean().sqrt()), float(std[free].median())


def _document(calibration: Calibration) -> dict[str, object]:
    """Return ``risdoa.calibrate/1``."""
    excess = calibration.excess
    rows = {name: {"rms": rms, "std": std} for name, (rms, std) in _figures(calibration).items()}
    return {
        "schema": SCHEMA,
        "steering": calibration.steering,
        "scenes": calibration.scenes,
        "elements": len(calibration.gains),
        "weak_elements": int((calibration.gain_db() <= WEAK_DB).sum()),
        **rows,
        "excess": excess if math.isfinite(excess) else None,
        "iterations": calibration.iterations,
        "converged": calibration.converged,
    }


def _show(calibration: Calibration, out: Path) -> None:
    """Print the figures, and what may be wrong."""
    names = {"gain_db": "amplitude dB", "phase_deg": "phase °", "position_m": "position m"}
    rows = [
        (names[name], f"{rms:.3g}", f"{std:.2g}" if std else "held")
        for name, (rms, std) in _figures(calibration).items()
    ]
    click.echo(
        f"{len(calibration.gains)} elements from {calibration.scenes} scenes, "
        f"{calibration.steering} steering"
    )
    echo_table(("", "RMS off", "± std"), rows)
    weak = int((calibration.gain_db() <= WEAK_DB).sum())
    if weak:
        click.echo(f"{weak} elements are below {WEAK_DB:g} dB and not counted above")
    if math.isfinite(calibration.excess):
        click.echo(f"residual over the told noise power: {calibration.excess:.3g}")
    if calibration.excess > SUSPECT:
        moved = bool(calibration.positions_std_m.any())
        found = "gains and places" if moved else "gains alone"
        click.echo(f"warning: {found} do not explain these recordings", err=True)
    if not calibration.converged:
        click.echo("warning: the fit has not converged; more scenes would help", err=True)
    click.echo(f"wrote {out}", err=True)
