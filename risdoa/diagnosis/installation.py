"""Whether what is installed works: versions, plugins, data, and one estimate from end to end."""

from __future__ import annotations

import platform
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from typing import TYPE_CHECKING

from risdoa.diagnosis.findings import Finding
from risdoa.registry import Registry
from risdoa.registry.containment import Failure, attempt

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE = "risdoa"
ACCURATE_DEG = 1.0
"""How far off the estimate of one source at 30 dB may be; its standard deviation is 0.02°."""

REINSTALL = "install it again: python -m pip install --force-reinstall risdoa"


def examine(registry: Registry) -> Iterator[Finding]:
    """Yield the findings of the installation, the cheap ones first.

    Nothing below the versions is tried where a dependency is missing.
    """
    yield _python()
    versions = list(dependencies())
    yield from versions
    yield _temporary()
    yield plugins(registry)
    if any(each.status == "fail" for each in versions):
        return
    yield _torch()
    yield _data()
    yield from _estimates(registry)


def satisfies(version: str, specifiers: str) -> bool:
    """Tell whether the release of a version is within ``>=1.2,<2``; ``~=`` is not read.

    Raises:
        ValueError: The specifiers have another form.
    """
    for each in filter(None, (part.strip() for part in specifiers.split(","))):
        found = re.fullmatch(r"(>=|<=|==|!=|>|<)\s*v?(\d+(?:\.\d+)*)", each)
        if found is None:
            raise ValueError(f"{each!r} is not a comparison of versions")
        ours, theirs = _release(version), _release(found[2])
        length = max(len(ours), len(theirs))
        left, right = (one + (0,) * (length - len(one)) for one in (ours, theirs))
        holds = {
            ">=": left >= right,
            "<=": left <= right,
            "==": left == right,
            "!=": left != right,
            ">": left > right,
            "<": left < right,
        }
        if not holds[found[1]]:
            return False
    return True


def dependencies(package: str = PACKAGE) -> Iterator[Finding]:
    """Yield a finding for every dependency in the package's metadata, extras left out."""
    try:
        requirements = metadata.requires(package) or []
    except metadata.PackageNotFoundError:
        yield Finding("dependencies", "fail", f"{package} has no metadata", REINSTALL)
        return
    for requirement in requirements:
        text, _, marker = requirement.partition(";")
        if "extra" not in marker:
            yield _dependency(text.strip())


def plugins(registry: Registry) -> Finding:
    """Return how many plugins are active, broken and blocked, and which are broken."""
    rows = registry.rows()
    counts = Counter(str(row.status) for row in rows)
    told = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
    bad = [row.label for row in rows if row.status in {"broken", "old-api"}]
    values = {status: float(number) for status, number in counts.items()}
    if not bad:
        return Finding("plugins", "ok", told, values=values)
    hint = "`risdoa plugins list` says why; repair, remove or block them (RISDOA_PLUGINS_BLOCK)"
    return Finding("plugins", "warn", f"{told}: {', '.join(bad)}", hint, values)


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else (0,)


def _dependency(requirement: str) -> Finding:
    """Return whether one dependency is there, in a version that the metadata allow."""
    found = re.match(r"([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*\(?([^)]*)\)?$", requirement)
    name, wanted = (found[1], found[2]) if found else (requirement, "")
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        hint = f"python -m pip install '{requirement}'"
        return Finding(name, "fail", f"is not installed, needed is {wanted or 'any'}", hint)
    try:
        inside = satisfies(version, wanted)
    except ValueError:
        return Finding(name, "warn", f"{version}; cannot tell whether {wanted!r} holds")
    if inside:
        return Finding(name, "ok", f"{version} ({wanted or 'any'})")
    hint = f"python -m pip install '{requirement}'"
    return Finding(name, "fail", f"{version} is not {wanted}", hint)


def _python() -> Finding:
    """Return whether the interpreter is one that the metadata allow."""
    version, wanted = platform.python_version(), ""
    try:
        wanted = metadata.metadata(PACKAGE)["Requires-Python"] or ""
        inside = satisfies(version, wanted)
    except (metadata.PackageNotFoundError, KeyError, ValueError):
        inside = True
    if inside:
        return Finding("python", "ok", f"{version} ({wanted or 'any'})")
    return Finding("python", "fail", f"{version} is not {wanted}", f"use a Python {wanted}")


def _torch() -> Finding:
    """Return the build of torch, its threads, and whether it sees a CUDA device."""
    import torch  # noqa: PLC0415 - the versions are told without it

    threads = torch.get_num_threads()
    built = "CPU build" if torch.version.cuda is None else f"CUDA {torch.version.cuda} build"
    here = torch.cuda.is_available()
    told = f"{built}, {threads} threads, CUDA device {'available' if here else 'not available'}"
    values = {"threads": float(threads), "cuda": float(here)}
    if torch.version.cuda is not None and not here:
        hint = "everything runs on the CPU; a driver is missing where there should be a GPU"
        return Finding("torch-build", "warn", told, hint, values)
    return Finding("torch-build", "ok", told, values=values)


def _temporary() -> Finding:
    """Return whether a temporary file can be written."""
    try:
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"risdoa")
            file.flush()
    except OSError as error:
        hint = "free some space, or set TMPDIR to a folder that can be written"
        return Finding("temporary-files", "fail", f"cannot be written: {error}", hint)
    return Finding("temporary-files", "ok", f"can be written in {tempfile.gettempdir()}")


def _data() -> Finding:
    """Return whether the sample recording is there and can be read."""
    from risdoa.reading import read_recording  # noqa: PLC0415 - imports torch
    from risdoa.recordings import sample_path  # noqa: PLC0415

    own = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
    outcome = attempt(lambda: read_recording(sample_path(), registry=own))
    if isinstance(outcome, Failure):
        return Finding("sample-recording", "fail", str(outcome), REINSTALL)
    return Finding("sample-recording", "ok", f"{outcome.value.scenes} measured scenes")


def _estimates(registry: Registry) -> Iterator[Finding]:
    """Yield whether a simulated source is found, and found again to the last bit."""
    import torch  # noqa: PLC0415 - the versions are told without it

    outcome = attempt(lambda: _known_source(registry))
    if isinstance(outcome, Failure):
        hint = "`risdoa --debug demo --quick` shows where it comes from"
        yield Finding("estimate", "fail", str(outcome), hint)
        return
    off, first = outcome.value
    right = off < ACCURATE_DEG
    told = f"a simulated source at 30 dB is found within {off:.3f}°"
    hint = "" if right else "the numerical libraries may be damaged; reinstall torch and numpy"
    yield Finding("estimate", "ok" if right else "fail", told, hint, {"error_deg": off})
    again = attempt(lambda: _known_source(registry))
    same = not isinstance(again, Failure) and torch.equal(again.value[1], first)
    if same:
        yield Finding("determinism", "ok", "a second run gives the same bits")
    else:
        hint = "set OMP_NUM_THREADS=1 where runs must agree to the last bit"
        yield Finding("determinism", "warn", "a second run gives other bits", hint)


def _known_source(registry: Registry) -> tuple[float, Tensor]:
    """Return the largest angle in degrees between the truth of a scene and what is found."""
    import torch  # noqa: PLC0415 - the versions are told without it

    from risdoa.api import Method, run  # noqa: PLC0415
    from risdoa.conventions import great_circle, to_degrees  # noqa: PLC0415

    scenario = registry.create("scenario", "risdoa/canonical", nx=8, ny=8)
    generator = torch.Generator().manual_seed(1)
    problem, truth = scenario.sample(2, generator, sources=1, snr_db=30.0)
    found = run(problem, Method(), registry).positions
    angle = great_circle(truth.positions, found)
    worst = torch.stack((angle, angle, angle), dim=-1)
    return float(to_degrees(worst)[..., 0].max()), found
