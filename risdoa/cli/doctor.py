"""``risdoa doctor``: is the installation sound, what does a model cost, are conventions right?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from risdoa.cli.options import (
    PluginName,
    Settings,
    completions,
    echo_json,
    echo_table,
    examples,
    json_flag,
    options_of,
    registry,
    reject_unused,
    set_option,
)
from risdoa.errors import CheckFailedError, InputError

if TYPE_CHECKING:
    from risdoa.diagnosis.cost import Band
    from risdoa.diagnosis.findings import Finding
    from risdoa.diagnosis.report import Diagnosis

SCHEMA = "risdoa.doctor/1"
HEADERS = ("range m", "", "azimuth °", "elevation °", "range m", "in √CRB", "n")


class Target(click.ParamType):  # type: ignore[type-arg]
    """The name of a scenario or a path; the shell completes the names."""

    name = "target"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the scenarios, and let the shell add files."""
        found = completions(ctx, "scenario", "", incomplete)
        return found or [CompletionItem(incomplete, type="file")]


@click.command(
    epilog=examples(
        "risdoa doctor",
        "risdoa doctor spherical-data --steering canonical",
        "risdoa doctor recording.npz --sources 1 --json",
    )
)
@click.argument("target", required=False, metavar="[SCENARIO|FILE]", type=Target())
@click.option(
    "--steering",
    type=PluginName("steering"),
    help="Steering model under test; by default what estimators are told.",
)
@click.option("--sources", metavar="N", type=click.IntRange(min=1), help="Sources in every scene.")
@set_option
@json_flag
def command(
    *,
    target: str | None,
    steering: str | None,
    sources: int | None,
    settings: Settings,
    as_json: bool,
) -> None:
    """Check the installation, or what a steering model costs and whether conventions hold.

    Without an argument the installation is checked. With a scenario or a recording: the bias of the
    steering model against the exact spherical wave, and tests of sign, element order, origin and
    scale. The exit code is 3 where something fails.
    """
    if target is None:
        if steering is not None or sources is not None or settings:
            raise InputError(
                "--steering, --sources and --set need a SCENARIO or a FILE",
                "as in: risdoa doctor canonical --steering canonical",
            )
        findings = _installation(as_json)
    else:
        findings = _target(target, steering, sources, settings, as_json)
    bad = [each.check for each in findings if each.status == "fail"]
    if bad:
        raise CheckFailedError(
            f"{len(bad)} of {len(findings)} checks failed: {', '.join(bad)}",
            "each says above what was measured and what to do",
        )


def _installation(as_json: bool) -> list[Finding]:
    """Check the installation; findings are shown as they come."""
    from risdoa.diagnosis.installation import examine  # noqa: PLC0415 - not for --help

    findings = []
    for finding in examine(registry()):
        findings.append(finding)
        if not as_json:
            _show([finding])
    if as_json:
        checks = [each.to_json() for each in findings]
        echo_json({"schema": SCHEMA, "subject": "installation", "checks": checks})
    return findings


def _target(
    target: str, steering: str | None, sources: int | None, settings: Settings, as_json: bool
) -> list[Finding]:
    """Diagnose a scenario or a recording."""
    if Path(target).suffix or Path(target).is_file():
        diagnosis = _recording(target, steering, sources, settings)
    else:
        diagnosis = _scenario(target, steering, sources, settings)
    if as_json:
        echo_json({"schema": SCHEMA, **diagnosis.to_json()})
    else:
        _tell(diagnosis)
    return list(diagnosis.findings)


def _scenario(
    name: str, steering: str | None, sources: int | None, settings: Settings
) -> Diagnosis:
    from risdoa.diagnosis.report import diagnose_scenario  # noqa: PLC0415 - not for --help

    registry().find("scenario", name)
    options = options_of(settings, "scenario", name)
    made = registry().create("scenario", name, **options)
    told = steering or made.estimation_model
    reject_unused(settings, [name, told])
    data = registry().create("steering", made.data_model)
    return diagnose_scenario(made, name, _model(told, settings, name), data, sources or 1)


def _recording(
    name: str, steering: str | None, sources: int | None, settings: Settings
) -> Diagnosis:
    from risdoa.diagnosis.report import diagnose_recording  # noqa: PLC0415 - not for --help
    from risdoa.reading import read_recording, reader_of  # noqa: PLC0415

    path, told = Path(name), steering or "spherical"
    read = reader_of(path, registry()).qualified
    reject_unused(settings, [told, read])
    recording = read_recording(path, settings=settings, registry=registry())
    return diagnose_recording(recording, name, _model(told, settings), sources)


def _model(name: str, settings: Settings, scenario: str | None = None) -> tuple[str, Any]:
    """Return the name and the steering model; a name that the scenario has too means that one."""
    taken = {scenario, (scenario or "").rpartition("/")[2]}
    own = {key: value for key, value in settings.items() if key not in taken}
    return name, registry().create("steering", name, **options_of(own, "steering", name))


def _tell(diagnosis: Diagnosis) -> None:
    """Print the table of the cost, then the findings."""
    title = (
        f"{Path(diagnosis.name).name}: bias of {diagnosis.steering} against spherical, "
        f"√CRB at {diagnosis.noise}"
    )
    several = len(diagnosis.bands) > 1 and diagnosis.overall.biased
    bands = [*diagnosis.bands, diagnosis.overall] if several else [diagnosis.overall]
    rows = [row for band in bands for row in _rows(band)]
    echo_table(HEADERS, rows, title=title)
    _show(diagnosis.findings)


def _rows(band: Band) -> list[tuple[str, ...]]:
    """Return the lines of a range band: median and worst."""
    where = f"{band.low_m:.3g}-{band.high_m:.3g}"
    return [
        (where, "median", *_cells(band.median), _ratios(band.median_ratio), str(band.sources)),
        ("", "worst", *_cells(band.worst), _ratios(band.worst_ratio), ""),
    ]


def _cells(values: Iterable[float]) -> list[str]:
    return [_number(value, ".3f") for value in values]


def _ratios(values: Iterable[float]) -> str:
    return "/".join(_number(value, ".2g" if value < 10 else ".0f") for value in values)


def _number(value: float, form: str) -> str:
    """Return a number, a dash where the coordinate is fixed or not in the model."""
    if math.isnan(value):
        return "-"
    return format(value if value > 5e-4 else 0.0, form)


def _show(findings: Iterable[Finding]) -> None:
    """Print findings, a line each, with what to do about them."""
    for each in findings:
        click.echo(f"[{each.status}] {each.check}: {each.message}")
        if each.hint:
            click.echo(f"    -> {each.hint}")
