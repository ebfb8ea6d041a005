"""Fake distributions: a dist-info folder and a module, found like installed ones."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from risdoa.registry import Registry

Install = Callable[..., str]

LOSS = """
    import risdoa

    class Loss:
        def __init__(self, weight: float = 1.0) -> None:
            self.weight = weight

    @risdoa.hookimpl
    def risdoa_losses():
        yield risdoa.Plugin("{name}", "{module}:Loss", "A loss.")
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on ``sys.path``; what is imported from it is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def install(site: Path) -> Install:
    """Write a distribution with one module behind one entry point."""

    def write(
        distribution: str,
        source: str = LOSS,
        *,
        name: str = "mine",
        version: str = "1.0",
        entry_points: str | None = None,
    ) -> str:
        module = distribution.replace("-", "_")
        code = source.replace("{name}", name).replace("{module}", module)
        (site / f"{module}.py").write_text(dedent(code))
        info = site / f"{module}-{version}.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (info / "METADATA").write_text(metadata)
        points = entry_points or f"[risdoa]\nplugin = {module}\n"
        (info / "entry_points.txt").write_text(points)
        importlib.invalidate_caches()
        return module

    return write


@pytest.fixture
def discover() -> Callable[..., Registry]:
    """Discover plugins under an environment of these switches and nothing else."""

    def find(**environment: str) -> Registry:
        return Registry.discover(environment)

    return find
