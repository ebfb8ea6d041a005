"""``risdoa estimate``: positions from a recording."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from risdoa.cli.options import (
    PluginChain,
    PluginName,
    Settings,
    echo_json,
    examples,
    json_flag,
    registry,
    reject_unused,
    set_option,
)
from risdoa.errors import InputError

if TYPE_CHECKING:
    from risdoa.api import Method
    from risdoa.recordings import Recording
    from risdoa.result import Result

AXES = ("azimuth", "elevation", "range")


@click.command(
    epilog=examples(
        "risdoa estimate recording.npz --sources 1",
        "risdoa estimate recording.npz --backend music,newton --sources 1",
        "risdoa estimate recording.npz --region azimuth=-30:30,range=0.5:4 --json",
        "risdoa estimate recording.npz --model hybrid --checkpoint RUN --plot result.png",
        "risdoa estimate recording.npz --calibration panel.npz",
    )
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--backend",
    type=PluginChain("backend"),
    help="Backends in order, separated by commas; by default nf-mle, or music,newton,nf-mle with a "
    "covariance model.",
)
@click.option(
    "--steering",
    type=PluginName("steering"),
    help="Steering model; by default spherical, or the one of the checkpoint.",
)
@click.option(
    "--model",
    type=PluginName("model", "none"),
    help="Covariance model, or none; by default the checkpoint's, or sample before given backends.",
)
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Run or checkpoint of a model.")
@click.option(
    "--reader", type=PluginName("reader"), help="What reads FILE; by default its suffix says."
)
@click.option(
    "--sources",
    metavar="N|auto",
    help="Sources in every scene, or auto to count them; by default the file says.",
)
@click.option(
    "--region",
    metavar="AXIS=LOW:HIGH,…",
    help="Where to look, in degrees and metres, over the file's own region.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    help="What `risdoa calibrate` wrote for this array.",
)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the result into this file.")
@set_option
@json_flag
def command(
    *,
    file: Path,
    backend: tuple[str, ...] | None,
    steering: str | None,
    model: str | None,
    checkpoint: Path | None,
    reader: str | None,
    sources: str | None,
    region: str | None,
    calibration: Path | None,
    plot: Path | None,
    settings: Settings,
    as_json: bool,
) -> None:
    """Estimate the positions of the sources in FILE, a risdoa-recording/1."""
    from risdoa.api import estimate  # noqa: PLC0415 - help must not import torch
    from risdoa.reading import read_recording, reader_of  # noqa: PLC0415

    count = _sources(sources)
    recording = read_recording(file, reader=reader, settings=settings, registry=registry())
    method = _method(backend, steering, model, checkpoint, settings)
    read = reader or reader_of(file, registry()).qualified
    reject_unused(settings, [*method.chain, method.covariance, method.steering, read])
    result = estimate(
        recording,
        sources=count,
        region_deg_m=None if region is None else _region(region, recording),
        method=method,
        calibration=calibration,
        registry=registry(),
    )
    if plot is not None:
        result.plot(plot)
    if as_json:
        echo_json(result.to_json())
    else:
        _show(result)


def _method(
    backend: tuple[str, ...] | None,
    steering: str | None,
    model: str | None,
    checkpoint: Path | None,
    settings: Settings,
) -> Method:
    """Return the method; a checkpoint brings its own model and steering model."""
    from risdoa.api import Method  # noqa: PLC0415 - help must not import torch

    if checkpoint is None:
        return Method(backend, steering or "spherical", model, None, settings)
    from risdoa.checkpoints import find_weights, read_checkpoint  # noqa: PLC0415

    _, trained = read_checkpoint(find_weights(checkpoint))
    if steering is not None and steering != trained.steering:
        click.echo(
            f"warning: {checkpoint} was trained with {trained.steering} steering, "
            f"estimating with {steering}",
            err=True,
        )
    chosen = steering or trained.steering
    return Method(backend, chosen, model or trained.model, checkpoint, settings)


def _sources(text: str | None) -> int | Literal["auto"] | None:
    """Return the number of sources that was asked for, None for the file's own."""
    if text is None:
        return None
    if text == "auto":
        return "auto"
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise InputError(
            f"--sources must be a whole number of at least 1, or auto, got {text!r}",
            "as in --sources 2",
        )
    return count


def _region(text: str, recording: Recording) -> list[list[float]]:
    """Return the file's region with the named axes replaced, in degrees and metres."""
    from risdoa.conventions import to_degrees  # noqa: PLC0415 - help must not import torch

    region: list[list[float]] = to_degrees(recording.region().T).T.tolist()
    for part in text.split(","):
        axis, equals, bounds = part.partition("=")
        low, colon, high = bounds.partition(":")
        if axis.strip() not in AXES or not equals or not colon:
            raise InputError(
                f"--region {part!r} is not AXIS=LOW:HIGH",
                "write --region azimuth=-60:60,elevation=-30:30,range=0.5:10",
            )
        region[AXES.index(axis.strip())] = [_number(low, part), _number(high, part)]
    return region


def _number(text: str, part: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"--region {part!r}: {text!r} is not a finite number", "as in --region azimuth=-60:60"
        )
    return value


def _show(result: Result) -> None:
    """Print the table and, where the recording knows the truth, how far the estimates are."""
    click.echo(str(result))
    if result.recording.truth_deg_m is not None:
        click.echo(_off_the_truth(result))


def _off_the_truth(result: Result) -> str:
    """Return how far the estimates are from the recording's own truth, a line a coordinate."""
    from risdoa.evaluation.metrics import Scores  # noqa: PLC0415 - help must not import torch

    scores = Scores.of(result.recording.truth(result.problem), result.estimates)
    free = result.problem.free.tolist()
    lines = ["off the truth in the file, median and worst:"]
    for axis, (name, unit) in enumerate(zip(AXES, ("°", "°", " m"), strict=True)):
        errors = scores.errors[..., axis][scores.found].abs()
        if free[axis] and errors.numel():
            median, worst = float(errors.quantile(0.5)), float(errors.max())
            lines.append(f"  {name} {median:.3g}{unit}, {worst:.3g}{unit}")
    return "\n".join(lines)
