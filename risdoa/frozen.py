"""Copies of frozen dataclasses whose parts have been checked already."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

T = TypeVar("T")


def changed(instance: T, **parts: Any) -> T:
    """Return a shallow copy with some fields replaced, without checking it again.

    For selections and conversions of what a constructor has checked; new values go through the
    constructor.
    """
    made = copy.copy(instance)
    for name, value in parts.items():
        object.__setattr__(made, name, value)
    return made
