"""``risdoa demo``: the main job from end to end, by the same commands that a user types."""

from __future__ import annotations

import shlex
import shutil
import time
from importlib import import_module
from pathlib import Path

import click

from risdoa.cli.options import examples
from risdoa.errors import InputError

MARKER = ".risdoa-demo"
"""A file that says that a folder was made by the demo, which may then replace it."""

CHAIN = "music,newton,nf-mle"


@click.command(epilog=examples("risdoa demo", "risdoa demo --quick --out first-look"))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    metavar="DIR",
    help="Where tables, figures and weights go; an earlier demo there is replaced.",
)
@click.option("--quick", is_flag=True, help="Train and compare as little as shows the way.")
@click.pass_context
def command(context: click.Context, out: Path, quick: bool) -> None:
    """Train a network, compare it with baselines and the bound, estimate a real recording.

    Every step is a command of its own, shown before it runs. Takes a few minutes on two cores.
    """
    _prepare(out)
    started = time.monotonic()
    for title, words in steps(out, quick=quick):
        click.echo(f"\n{title}\n$ risdoa {shlex.join(words)}", err=True)
        _run(context, words)
    click.echo(f"\nDone in {time.monotonic() - started:.0f} s. Written:")
    for path in _written(out):
        click.echo(f"  {path}")


def steps(out: Path, *, quick: bool) -> list[tuple[str, list[str]]]:
    """Return what the demo does: titles, and the words of each command."""
    from risdoa.recordings import sample_path  # noqa: PLC0415 - help must not import torch

    run = str(out / "run")
    preset, trials = ("smoke", "6") if quick else ("demo", "40")
    methods = [
        f"learned=hybrid#{run}:music,newton",
        f"learned+ML=hybrid#{run}:{CHAIN}",
        "classical=sample:music,newton",
        f"classical+ML=sample:{CHAIN}",
    ]
    compare = ["compare", "--scenario", "canonical", "--snr", "0,10,20", "--sources", "1,2"]
    compare += ["--trials", trials, *(word for each in methods for word in ("--method", each))]
    recording = str(sample_path())
    picture = str(out / "estimate.png")
    return [
        (
            "1. Train a covariance network with the projection loss",
            ["train", "--loss", "gt-projection", "--preset", preset, "--out", run],
        ),
        (
            "2. Compare it with classical baselines and the Cramér-Rao bound",
            [*compare, "--out", str(out / "comparison")],
        ),
        (
            "3. Estimate directions from a measured recording (48 microphones)",
            ["estimate", recording, "--backend", CHAIN, "--sources", "1", "--plot", picture],
        ),
    ]


def _prepare(out: Path) -> None:
    """Make an empty folder that only the demo writes to.

    Raises:
        InputError: there is something in it that no demo has written.
    """
    marker = out / MARKER
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is not a folder", "choose another with --out")
    if out.is_dir() and any(out.iterdir()) and not marker.exists():
        raise InputError(f"{out} holds files that are not from a demo", "choose another with --out")
    if marker.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    marker.touch()


def _run(context: click.Context, words: list[str]) -> None:
    """Run one command of risdoa inside this one."""
    command: click.Command = import_module(f"risdoa.cli.{words[0]}").command
    with command.make_context(words[0], words[1:], parent=context) as inner:
        command.invoke(inner)


def _written(out: Path) -> list[Path]:
    """Return the tables, figures and weights that a user will want to open."""
    endings = {".png", ".csv", ".json", ".toml", ".safetensors"}
    return sorted(
        path
        for path in out.rglob("*")
        if path.suffix in endings and not (path.suffix == ".json" and "checkpoints" in path.parts)
    )
