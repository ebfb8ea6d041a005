"""The weight of a term in a sum of losses: a number, or a straight line over the training."""

from __future__ import annotations

import math
from dataclasses import dataclass

from risdoa.errors import InputError

HINT = "a weight is a number such as 0.1, or two such as 0.1..0.2: from the first step to the last"


@dataclass(frozen=True)
class Weight:
    """w(p) = start + (end - start) p, with p from 0 at the first step to 1 at the last.

    >>> Weight(0.1, 0.3).at(0.5), str(Weight(0.1, 0.2)), str(Weight.of(0.05))
    (0.2, '0.1..0.2', '0.05')

    Args:
        start: At the first step.
        end: At the last step.

    Raises:
        InputError: for a weight that is negative or not finite.
    """

    start: float
    end: float

    def __post_init__(self) -> None:
        """Check both ends."""
        for value in (self.start, self.end):
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"a weight must be finite and >= 0, got {value:g}", HINT)

    @classmethod
    def of(cls, value: float) -> Weight:
        """Return a weight that stays as it is."""
        return cls(value, value)

    @classmethod
    def read(cls, text: str) -> Weight:
        """Return what ``0.1`` or ``0.1..0.2`` says.

        Raises:
            InputError: for another form, or a weight that cannot be.
        """
        first, dots, last = text.partition("..")
        start = _number(first, text)
        return cls(start, _number(last, text) if dots else start)

    def at(self, progress: float) -> float:
        """Return the weight after this share of the training."""
        return self.start + (self.end - self.start) * progress

    @property
    def constant(self) -> bool:
        """Whether it stays as it is."""
        return self.start == self.end

    def __str__(self) -> str:
        """Return it as :meth:`read` takes it."""
        return f"{self.start:g}" if self.constant else f"{self.start:g}..{self.end:g}"


def _number(part: str, text: str) -> float:
    try:
        return float(part)
    except ValueError:
        raise InputError(f"cannot read the weight {text!r}", HINT) from None
