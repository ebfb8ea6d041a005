"""What is freed is not given back to the system, in the command's own process alone."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from risdoa.cli import app

FAULTS = """
import resource
from risdoa.cli.memory import keep_freed_memory
{first}
bytes(2**25)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    bytearray(b"1") * 2**22
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = 20 * 2**22 // os.sysconf("SC_PAGESIZE")


def faults(first: str, **environment: str) -> int:
    """Return how many pages were faulted in for twenty times 4 MiB, each freed at once."""
    code = FAULTS.format(first=first)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    kept.pop("GLIBC_TUNABLES", None)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=kept | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="no glibc")
def test_freed_memory_is_used_again_without_page_faults():
    assert faults("keep_freed_memory()") < PAGES / 10


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="no glibc")
def test_what_the_environment_says_prevails():
    fixed = {"MALLOC_MMAP_THRESHOLD_": "131072"}
    assert faults("keep_freed_memory()", **fixed) > PAGES / 2


def test_only_a_process_of_its_own_keeps_memory(monkeypatch):
    kept = []
    monkeypatch.setattr(app, "keep_freed_memory", lambda: kept.append(True))
    monkeypatch.setattr(app, "ALONE", {})
    monkeypatch.setattr(app, "_run", lambda _: 0)
    monkeypatch.setattr(app, "_seal", lambda _: None)
    assert (app.main(["--version"]), kept) == (0, [])
    assert (app.main(), kept) == (0, [True])
