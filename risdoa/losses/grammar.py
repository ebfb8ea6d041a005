"""What ``--loss`` means."""

from __future__ import annotations

import math

from risdoa.errors import InputError

COVARIANCE = "nmse"
"""The covariance term of the seed's recipe."""

ALIGNMENT_WEIGHT = 0.05
"""The seed's weight of an alignment term beside it."""

_HINT = "write --loss NAME, or --loss NAME=WEIGHT,NAME=WEIGHT as in nmse=1,gt-projection=0.05"


def parse_losses(text: str) -> dict[str, float]:
    """Return weights by loss name.

    A bare name is the seed's recipe around it, ``nmse=1,NAME=0.05`` (``nmse`` alone is itself);
    ``a=w,b=w`` is literal.

    >>> parse_losses("gt-projection")
    {'nmse': 1.0, 'gt-projection': 0.05}
    >>> parse_losses("gt-projection=0.1")
    {'gt-projection': 0.1}

    Raises:
        InputError: for another form, a repeated name, or weights that cannot be.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1 and parts[0] and "=" not in parts[0]:
        return _recipe(parts[0])
    weights: dict[str, float] = {}
    for part in parts:
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if not (name and equals and number):
            raise InputError(f"cannot read {part!r} in the loss {text!r}", _HINT)
        if name in weights:
            raise InputError(f"the loss {text!r} names {name} twice", _HINT)
        weights[name] = _weight(name, number)
    if not any(weights.values()):
        raise InputError(f"every weight in the loss {text!r} is 0", "give one a weight above 0")
    return weights


def _recipe(name: str) -> dict[str, float]:
    if name == COVARIANCE:
        return {COVARIANCE: 1.0}
    return {COVARIANCE: 1.0, name: ALIGNMENT_WEIGHT}


def _weight(name: str, number: str) -> float:
    try:
        weight = float(number)
    except ValueError:
        raise InputError(f"the weight of {name} must be a number, got {number!r}", _HINT) from None
    if not (math.isfinite(weight) and weight >= 0):
        raise InputError(f"the weight of {name} must be finite and >= 0, got {number}", _HINT)
    return weight
