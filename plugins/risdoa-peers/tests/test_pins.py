"""Everything that the distribution brings with it has an exact version, in one of two files."""

from __future__ import annotations

from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent.parent


def pins(path):
    lines = path.read_text("utf-8").splitlines()
    return {canonicalize_name(line.split("==")[0]) for line in lines if line and line[0] != "#"}


def closure(name, extras):
    """Return the names of all that a distribution needs with some extras, itself included."""
    found, waiting = {name}, [(name, ("", *extras))]
    while waiting:
        at, chosen = waiting.pop()
        for need in map(Requirement, requires(at) or []):
            wanted = not need.marker or any(need.marker.evaluate({"extra": x}) for x in chosen)
            if wanted and canonicalize_name(need.name) not in found:
                found.add(canonicalize_name(need.name))
                waiting.append((canonicalize_name(need.name), ("", *need.extras)))
    return found


def test_every_need_is_pinned():
    own, project = pins(HERE / "constraints.txt"), pins(HERE.parent.parent / "constraints.txt")
    needed = closure("risdoa-peers", ("acoular", "pyroomacoustics")) - {"risdoa-peers", "risdoa"}
    heavy = {name for name in needed if name.startswith(("nvidia-", "cuda-"))} | {"triton"}
    assert needed - heavy <= own | project
    assert own <= needed
