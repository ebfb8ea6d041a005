"""Near-field direction and range estimation: learned covariances, classical backends, plugins.

The names below are imported on first use, so that ``import risdoa`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from risdoa.api import Result, estimate
    from risdoa.arrays import Array
    from risdoa.backends.base import Backend, BatchedBackend
    from risdoa.calibration import (
        Calibration,
        calibrate,
        read_calibration,
        write_calibration,
    )
    from risdoa.covariance import Covariance
    from risdoa.grid import search_grid
    from risdoa.losses.base import Loss
    from risdoa.models.base import Model
    from risdoa.problem import Estimates, Problem, Truth
    from risdoa.reading import read_recording
    from risdoa.recordings import Reader, Recording, write_recording
    from risdoa.registry import Plugin, Registry, hookimpl
    from risdoa.scenarios.base import Scenario
    from risdoa.sensing import Direct, RisCoded
    from risdoa.snapshots import Snapshots
    from risdoa.steering.base import Steering

__version__ = "0.1.0"

_HOMES = {
    "Array": "risdoa.arrays",
    "Backend": "risdoa.backends.base",
    "BatchedBackend": "risdoa.backends.base",
    "Calibration": "risdoa.calibration",
    "Covariance": "risdoa.covariance",
    "Direct": "risdoa.sensing",
    "Estimates": "risdoa.problem",
    "Loss": "risdoa.losses.base",
    "Model": "risdoa.models.base",
    "Plugin": "risdoa.registry",
    "Problem": "risdoa.problem",
    "Reader": "risdoa.recordings",
    "Recording": "risdoa.recordings",
    "Registry": "risdoa.registry",
    "Result": "risdoa.api",
    "RisCoded": "risdoa.sensing",
    "Scenario": "risdoa.scenarios.base",
    "Snapshots": "risdoa.snapshots",
    "Steering": "risdoa.steering.base",
    "Truth": "risdoa.problem",
    "calibrate": "risdoa.calibration",
    "estimate": "risdoa.api",
    "hookimpl": "risdoa.registry",
    "read_calibration": "risdoa.calibration",
    "read_recording": "risdoa.reading",
    "search_grid": "risdoa.grid",
    "write_calibration": "risdoa.calibration",
    "write_recording": "risdoa.recordings",
}

__all__ = [
    "Array",
    "Backend",
    "BatchedBackend",
    "Calibration",
    "Covariance",
    "Direct",
    "Estimates",
    "Loss",
    "Model",
    "Plugin",
    "Problem",
    "Reader",
    "Recording",
    "Registry",
    "Result",
    "RisCoded",
    "Scenario",
    "Snapshots",
    "Steering",
    "Truth",
    "__version__",
    "calibrate",
    "estimate",
    "hookimpl",
    "read_calibration",
    "read_recording",
    "search_grid",
    "write_calibration",
    "write_recording",
]


if not TYPE_CHECKING:  # type checkers follow the imports above instead

    def __getattr__(name: str) -> object:
        """Import a public name from its home on first use (PEP 562)."""
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'risdoa' has no attribute {name!r}")
        value = getattr(import_module(home), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """List the lazy names too."""
    return sorted({*globals(), *_HOMES})
