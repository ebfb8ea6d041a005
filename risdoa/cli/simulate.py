"""``risdoa simulate``: scenes with known truth, as a recording."""

from __future__ import annotations

from pathlib import Path

import click

from risdoa.cli.options import (
    Settings,
    check_archive,
    examples,
    options_of,
    registry,
    reject_unused,
    scenario_option,
    seed_option,
    set_option,
)


@click.command(
    epilog=examples(
        "risdoa simulate --scenes 4 --sources 2 --snr 10 --seed 0 --out scenes.npz",
        "risdoa simulate --scenario digital --set digital.nx=8 --out small.npz",
    )
)
@scenario_option
@click.option("--scenes", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--sources", type=int, help="Sources in every scene; drawn if not given.")
@click.option(
    "--snr", "snr_db", type=float, metavar="DB", help="SNR of every scene; drawn if not given."
)
@seed_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.npz",
    help="Where to write.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@set_option
def command(
    scenario: str,
    scenes: int,
    sources: int | None,
    snr_db: float | None,
    seed: int,
    out: Path,
    force: bool,
    settings: Settings,
) -> None:
    """Write simulated scenes, with their truth, as a recording.

    The file is in the layout risdoa-recording/1, which `risdoa estimate` reads.
    """
    check_archive(out, "recording", force=force)
    reject_unused(settings, [scenario])
    _simulate(
        scenario, options_of(settings, "scenario", scenario), scenes, sources, snr_db, seed, out
    )
    click.echo(f"wrote {scenes} scenes to {out}", err=True)


def _simulate(
    name: str,
    options: dict[str, str],
    scenes: int,
    sources: int | None,
    snr_db: float | None,
    seed: int,
    out: Path,
) -> None:
    """Draw scenes and write them."""
    import torch  # noqa: PLC0415 - help pages do without

    from risdoa.conventions import SNR_DEFINITION  # noqa: PLC0415
    from risdoa.recordings import recording_from, write_recording  # noqa: PLC0415

    scenario = registry().create("scenario", name, **options)
    generator = torch.Generator().manual_seed(seed)
    problem, truth = scenario.sample(scenes, generator, sources=sources, snr_db=snr_db)
    description = (
        f"simulated: scenario {name}, seed {seed}, data model {scenario.data_label}, "
        f"SNR {'drawn' if snr_db is None else f'{snr_db:g} dB'} ({SNR_DEFINITION})"
    )
    texts = {"description": description, "source": "risdoa simulate"}
    recording = recording_from(problem, truth, steering=scenario.data_model, **texts)
    write_recording(out, recording)
