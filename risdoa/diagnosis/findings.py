"""What a check found: a status, what was measured, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["ok", "warn", "fail", "not observable"]


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: What was checked, in words-like-this.
        status: *fail* is wrong, *warn* is worth knowing, *not observable* cannot be told from here.
        message: What was measured.
        hint: What to do about it, empty where there is nothing to do.
        values: The measured numbers by name, with their unit in the name.
    """

    check: str
    status: Status
    message: str
    hint: str = ""
    values: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON; a number that is not finite is null."""
        return {
            "check": self.check,
            "status": self.status,
            "message": self.message,
            "hint": self.hint,
            "values": {name: finite(value) for name, value in self.values.items()},
        }


def failed(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that failed."""
    return [each for each in findings if each.status == "fail"]


def finite(value: float) -> float | None:
    """Return a number that JSON can hold, None for NaN and infinity."""
    return value if math.isfinite(value) else None
