"""What a run was made with, and what has changed since."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from risdoa.evaluation.provenance import versions
from risdoa.registry import Registry
from risdoa.training.config import TrainConfig


def environment(config: TrainConfig, registry: Registry) -> dict[str, Any]:
    """Return versions, machine, threads, digests of configuration and code of what is in use."""
    return {
        **{key: text for key, text in versions(registry).items() if key != "plugins"},
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": config.device,
        "configuration": hashlib.sha256(config.text().encode()).hexdigest()[:16],
        "code": {name: digest(name) for name in sorted(packages(registry))},
    }


def packages(registry: Registry) -> set[str]:
    """Return the top-level packages whose code a training runs: risdoa and those of its plugins."""
    names = {"risdoa"}
    for used in registry.used():
        record = registry.find(str(used["kind"]), str(used["name"])).record
        names.add(record.factory.partition(":")[0].partition(".")[0])
    return names


def digest(package: str) -> str:
    """Return a digest of the Python files of a package or module."""
    state = hashlib.sha256()
    for path in _files(package):
        state.update(path.name.encode() + b"\0" + path.read_bytes())
    return state.hexdigest()[:16]


def _files(package: str) -> Iterator[Path]:
    spec = find_spec(package)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    for folder in folders:
        yield from sorted(Path(folder).rglob("*.py"))
    if not folders and spec is not None and spec.origin is not None:
        yield Path(spec.origin)


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return in words what differs between two environments; ``cpus`` alone changes nothing."""
    keys = sorted({*then, *now} - {"cpus", "code", "plugins", "schema"})
    pairs = [(key, then.get(key), now.get(key)) for key in keys]
    before = _plugins(then)
    pairs += [(name, before.get(name), version) for name, version in _plugins(now).items()]
    texts = [f"{name} was {old}, is {new}" for name, old, new in pairs if old != new]
    codes = then.get("code", {})
    edited = [name for name, code in now.get("code", {}).items() if codes.get(name) != code]
    return texts + [f"the code of {name} has changed" for name in edited]


def _plugins(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the versions of the plugins by kind and name."""
    used = environment.get("plugins", [])
    return {f"{each['kind']} {each['name']}": each["version"] for each in used}
