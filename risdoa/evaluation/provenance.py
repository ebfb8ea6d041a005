"""What a result needs to be repeated: scenario, seed, definitions, models, versions."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import risdoa
from risdoa.conventions import SNR_DEFINITION
from risdoa.evaluation.comparison import CHUNK, Comparison, Setup
from risdoa.evaluation.methods import MethodSpec
from risdoa.evaluation.metrics import EDGE_SIGMAS, OUTLIER_DEG
from risdoa.registry import Registry

LIBRARIES = ("torch", "numpy", "scipy")

DEFINITIONS = {
    "snr": SNR_DEFINITION,
    "outlier": f"a source whose direction is more than {OUTLIER_DEG:g} deg off, or missing",
    "outlier_rate": "outliers / sources",
    "rmse": "over every source that was found",
    "rmse_inliers": "over the sources that are no outliers",
    "sqrt_crb": (
        f"sqrt(mean CRB) over the sources that are no outliers and stand at least "
        f"{EDGE_SIGMAS:g} sqrt(CRB) from every edge of the region"
    ),
    "efficiency": "sqrt(mean e^2) / sqrt(mean CRB) over the sources of sqrt_crb; range: in 1/r",
    "position": "distance in space; its sqrt_crb is the position error bound",
    "assignment": "Hungarian on psi^2/psi0^2 + dw^2/w0^2, once for all coordinates",
    "resolved": (
        "no outlier, and nearer than half way to every other source in direction; from a source "
        "within the -3 dB half-width, in direction or in 1/r; a scene: every source"
    ),
    "gospa": (
        "p = 2, alpha = 2, d^2 = psi^2/psi0^2 + dw^2/w0^2 in -3 dB half-widths, c as stated: "
        "root of the mean over scenes of localisation + missed + false"
    ),
    "intervals": "Wilson, 95 %",
    "units": "deg for azimuth and elevation, m for range and position",
}


def scenario_record(registry: Registry, name: str, options: Mapping[str, object]) -> dict[str, Any]:
    """Return a scenario's qualified name, version, every option and a hash of them all."""
    found = registry.find("scenario", name)
    record: dict[str, Any] = {
        "name": found.qualified,
        "version": found.version,
        "options": registry.resolve("scenario", name, **options),
    }
    text = json.dumps(record, sort_keys=True, default=str)
    return {**record, "hash": hashlib.sha256(text.encode()).hexdigest()[:16]}


def versions(registry: Registry) -> dict[str, Any]:
    """Return the versions of risdoa, Python, the numerical libraries and the plugins in use."""
    libraries = {name: version(name) for name in LIBRARIES}
    return {
        "risdoa": risdoa.__version__,
        "python": platform.python_version(),
        **libraries,
        "plugins": registry.used(),
    }


def provenance(
    *,
    registry: Registry,
    setup: Setup,
    comparison: Comparison,
    scenario: Mapping[str, Any],
    specs: Sequence[MethodSpec],
    settings: Mapping[str, Mapping[str, str]],
    command: str,
) -> dict[str, Any]:
    """Return the ``meta`` part of a comparison's JSON."""
    return {
        "command": command,
        "scenario": dict(scenario),
        "seed": setup.seed,
        "scenes_per_seed": CHUNK,
        "trials": setup.trials,
        "snr_db": list(setup.snr_db),
        "sources": list(setup.sources),
        "data_model": setup.scenario.data_label,
        "bound": {"kind": comparison.bound, "steering": comparison.bound_model},
        "methods": [
            {
                "label": spec.label,
                "model": spec.model,
                "run": None if spec.run is None else str(spec.run),
                "chain": list(spec.chain),
                "steering": spec.steering,
                "options": {name: dict(options) for name, options in spec.options.items()},
            }
            for spec in specs
        ],
        "settings": {name: dict(options) for name, options in settings.items()},
        "definitions": DEFINITIONS,
        "versions": versions(registry),
    }
