"""The network that comes with the package, trained."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import torch
from safetensors.torch import load_file

from risdoa.covariance import Covariance
from risdoa.models.base import Model
from risdoa.models.unfolded import Unfolded
from risdoa.problem import Problem

FILE = "pretrained.safetensors"
PREFIX = "model/"
"""What a checkpoint puts before the names of the weights."""


class Pretrained(Model):
    """:class:`Unfolded` at its default sizes, with the weights of the preset ``pretrained``.

    ``docs/pretrained.md`` says what it was trained on, what it reaches, and where it does not help.

    Args:
        beta: see :class:`risdoa.models.learned.LearnedModel`.
        shrinkage: see :class:`risdoa.models.learned.LearnedModel`.

    Raises:
        InputError: for β or α that cannot be.
    """

    def __init__(self, beta: float = 1.0, shrinkage: float = 0.0) -> None:
        self.network = Unfolded(beta=beta, shrinkage=shrinkage).eval()
        stored = load_file(weights_path()).items()
        self.network.load_state_dict({name.removeprefix(PREFIX): each for name, each in stored})

    @torch.no_grad()
    def __call__(self, problem: Problem) -> Covariance:
        """Return R of every scene, in single precision; see :meth:`Model.__call__`."""
        network = self.network.to(problem.snapshots.values.device)
        covariance: Covariance = network(problem)
        return covariance


def weights_path() -> Path:
    """Return the path of the weights that come with the package."""
    return Path(str(files("risdoa") / "data" / FILE))
