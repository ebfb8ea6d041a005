"""``risdoa bench``: what the methods cost and what they miss, as commands."""

from __future__ import annotations

import click

from risdoa.cli.groups import LazyGroup
from risdoa.cli.output import examples

COMMANDS = {
    "bias": ("risdoa.cli.bench.bias:command", "Measure the bias at fixed places."),
    "calibration": (
        "risdoa.cli.bench.calibrating:command",
        "Measure what calibrating a panel is worth.",
    ),
    "coverage": ("risdoa.cli.bench.coverage:command", "Count what error bars cover."),
    "gradients": (
        "risdoa.cli.bench.gradients:command",
        "Count gradients of losses that are not finite.",
    ),
    "frontier": (
        "risdoa.cli.bench.frontier:command",
        "Count outliers against processor time.",
    ),
    "growth": ("risdoa.cli.bench.growing:command", "Time sizes from small to large."),
    "loss": ("risdoa.cli.bench.losses:command", "Time the projection loss."),
    "objectives": (
        "risdoa.cli.bench.objectives:command",
        "Compare what networks learn from different losses.",
    ),
    "scan": ("risdoa.cli.bench.scanning:command", "Time the scan of a spectrum."),
    "recordings": (
        "risdoa.cli.bench.recordings:command",
        "Hold errors on recordings against error bars.",
    ),
    "search": ("risdoa.cli.bench.searching:command", "Count the failures of a global search."),
    "simulate": ("risdoa.cli.bench.simulating:command", "Time how fast scenes are simulated."),
    "train": ("risdoa.cli.bench.training:command", "Time the phases of a training step."),
}


@click.group(
    cls=LazyGroup, lazy=COMMANDS, epilog=examples("risdoa bench search --snr 10 --trials 50")
)
def command() -> None:
    """Measure what methods cost and what they miss."""
