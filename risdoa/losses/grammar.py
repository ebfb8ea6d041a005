"""What ``--loss`` means."""

from __future__ import annotations

from dataclasses import dataclass

from risdoa.errors import InputError
from risdoa.losses.weight import Weight

COVARIANCE = "nmse"
"""The covariance term of the seed's recipe."""

CONTRAST = "peak-contrast"
"""The term of the recipe that sharpens peaks."""

ALIGNMENT_WEIGHT = Weight.of(0.05)
"""The seed's weight of an alignment term beside it, in its first phase."""

NONE = Weight.of(0.0)

_HINT = (
    "write --loss NAME, or --loss NAME=WEIGHT,NAME=WEIGHT as in nmse=1,gt-projection=0.05; "
    "a weight such as 0.1..0.2 grows from the first step to the last"
)


@dataclass(frozen=True)
class Recipe:
    """What the seed puts around an alignment term, ``nmse=1`` beside it.

    Attributes:
        alignment: The weight of the alignment term.
        contrast: The weight of ``peak-contrast``, which 0 leaves out.
    """

    alignment: Weight = ALIGNMENT_WEIGHT
    contrast: Weight = NONE

    def around(self, name: str) -> dict[str, Weight]:
        """Return the weights that a bare name stands for; ``nmse`` is itself."""
        weights = {COVARIANCE: Weight.of(1.0)}
        if name == COVARIANCE:
            return weights
        weights[name] = self.alignment
        if name != CONTRAST and self.contrast != NONE:
            weights[CONTRAST] = self.contrast
        return weights


SEED = Recipe()
"""The weights of the seed's first phase."""


def parse_losses(text: str, recipe: Recipe = SEED) -> dict[str, Weight]:
    """Return weights by loss name.

    A bare name is the seed's recipe around it, ``nmse=1,NAME=0.05`` (``nmse`` alone is itself);
    ``a=w,b=w`` is literal. A weight is a number, or ``0.1..0.2``: a straight line from the first
    step of the training to the last.

    >>> def shown(text):
    ...     return {name: str(weight) for name, weight in parse_losses(text).items()}
    >>> shown("gt-projection")
    {'nmse': '1', 'gt-projection': '0.05'}
    >>> shown("gt-projection=0.1..0.2")
    {'gt-projection': '0.1..0.2'}

    Raises:
        InputError: for another form, a repeated name, or weights that cannot be.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1 and parts[0] and "=" not in parts[0]:
        return recipe.around(parts[0])
    weights: dict[str, Weight] = {}
    for part in parts:
        name, equals, number = (piece.strip() for piece in part.partition("="))
        if not (name and equals and number):
            raise InputError(f"cannot read {part!r} in the loss {text!r}", _HINT)
        if name in weights:
            raise InputError(f"the loss {text!r} names {name} twice", _HINT)
        weights[name] = _weight(name, number)
    if all(weight == NONE for weight in weights.values()):
        raise InputError(f"every weight in the loss {text!r} is 0", "give one a weight above 0")
    return weights


def _weight(name: str, number: str) -> Weight:
    try:
        return Weight.read(number)
    except InputError as error:
        raise InputError(f"the weight of {name} in the loss: {error}", error.hint) from None
