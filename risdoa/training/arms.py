"""What trainings are compared with each other: objectives, and schedules of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from risdoa.losses.grammar import COVARIANCE, Recipe
from risdoa.losses.weight import Weight
from risdoa.training.config import preset

OBJECTIVES = (
    "gt-projection",
    "one-sided-projection",
    "trace-projection",
    "chordal",
    "geodesic",
    "affine-invariant",
    "peak-contrast",
    "legacy-evd",
    "legacy-evd-safe",
    "eigenvector",
)
"""The losses that align R with the steering vectors, the seed's first."""

COMPLETENESS = "completeness"
NONE = "none"
"""The control without an alignment term."""

DETACHED = "detached"
"""The control whose alignment term has no gradient."""


@dataclass(frozen=True)
class Arm:
    """One of several trainings that differ in nothing else.

    Attributes:
        label: What tables call it.
        loss: As ``risdoa train --loss`` takes it.
        detached: Terms whose gradient is cut.
    """

    label: str
    loss: str
    detached: tuple[str, ...] = ()


def objective_arms(
    losses: Sequence[str], alignment: float, completeness: float, covariance: float = 1.0
) -> list[Arm]:
    """Return arms ``nmse=1,NAME=alignment`` with and without completeness, and the controls.

    The controls leave the alignment term out (``none``), or cut the gradient of the first one
    (``detached``): then the network must come out as that of ``none``, to the last bit.

    Args:
        losses: Names of alignment losses.
        alignment: The weight of each.
        completeness: The weight of completeness; 0 leaves these arms out.
        covariance: The weight of nmse beside them; 0 leaves it out, and ``detached`` with it.
    """
    names = [name for name in losses if name not in {COVARIANCE, COMPLETENESS}]
    beside = f"{COVARIANCE}={covariance:g}"
    pairs = [
        (name, f"{beside},{name}={alignment:g}" if covariance else f"{name}={alignment:g}")
        for name in names
    ]
    pairs.append((NONE, beside if covariance else f"{COVARIANCE}=1"))
    arms = []
    for label, text in pairs:
        arms.append(Arm(label, text))
        if completeness:
            arms.append(Arm(f"{label} +c", f"{text},{COMPLETENESS}={completeness:g}"))
    if names and covariance:
        arms.append(Arm(DETACHED, pairs[0][1], (names[0],)))
    return arms


def schedule_arms(loss: str) -> list[Arm]:
    """Return the weights of the presets around a loss: ``hpo``, the last ones of ``final``, both.

    ``final constant`` has the weights that ``final progressive`` ends with from the first step on.
    """
    recipes = {name: _recipe(name) for name in ("hpo", "final")}
    last = recipes["final"]
    constant = Recipe(Weight.of(last.alignment.end), Weight.of(last.contrast.end))
    return [
        Arm("hpo", _text(recipes["hpo"], loss)),
        Arm("final constant", _text(constant, loss)),
        Arm("final progressive", _text(last, loss)),
    ]


def _recipe(name: str) -> Recipe:
    settings = preset(name)
    return Recipe(Weight.read(settings["alignment"]), Weight.read(settings["contrast"]))


def _text(recipe: Recipe, loss: str) -> str:
    return ",".join(f"{name}={weight}" for name, weight in recipe.around(loss).items())
