"""On what a benchmark ran, for its record."""

from __future__ import annotations

import os
import platform


def machine() -> dict[str, object]:
    """Return the kind of processor, its cores and instructions, and the version of torch."""
    import torch  # noqa: PLC0415 - not for --help

    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
    }
