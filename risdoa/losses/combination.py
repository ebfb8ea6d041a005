"""Several losses as one: a weighted sum."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from torch import Tensor

from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.losses.base import Loss
from risdoa.losses.weight import Weight
from risdoa.problem import Truth


@dataclass(frozen=True)
class Term:
    """A loss and its weight in a sum, with the traits that its record declares."""

    name: str
    loss: Loss
    weight: Weight
    traits: tuple[str, ...] = ()


class Combination(Loss):
    """Σ_i w_i L_i, with the weights of the last step where they change over a training.

    Raises:
        InputError: without terms, or for one name twice.
    """

    def __init__(self, terms: Iterable[Term]) -> None:
        self.terms = tuple(terms)
        names = [term.name for term in self.terms]
        if not names:
            raise InputError("a combination of losses needs at least one term")
        if len(set(names)) < len(names):
            raise InputError(f"a combination names every loss once, got {', '.join(names)}")

    def at(self, progress: float) -> Combination:
        """Return the sum with the weights after this share of a training, from 0 to 1."""
        if all(term.weight.constant for term in self.terms):
            return self
        return Combination(
            replace(term, weight=Weight.of(term.weight.at(progress))) for term in self.terms
        )

    def parts(self, covariance: Covariance, truth: Truth) -> dict[str, Tensor]:
        """Return every term by name, (S,) each, before weighting."""
        return {term.name: term.loss(covariance, truth) for term in self.terms}

    def weighted(self, parts: dict[str, Tensor]) -> Tensor:
        """Return Σ_i w_i L_i from the parts, (S,)."""
        first, *others = (term.weight.end * parts[term.name] for term in self.terms)
        return sum(others, start=first)

    def __call__(self, covariance: Covariance, truth: Truth) -> Tensor:
        """Return the weighted sum; see :meth:`Loss.__call__`."""
        return self.weighted(self.parts(covariance, truth))
