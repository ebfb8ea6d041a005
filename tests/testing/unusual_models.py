"""Models that are correct, though not like the built-in ones."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.models.base import Model
from risdoa.models.sample import Sample
from risdoa.sensing import Direct
from risdoa.testing import Subject
from tests.testing.mutants.models import Small


class StartsAtZero(Small):
    """A last layer of zeros: at first no gradient reaches what stands before it."""

    def __init__(self):
        super().__init__()
        nn.init.zeros_(self.second.weight)


class DropsOut(Small):
    """Dropout in training alone."""

    def hidden(self, features):
        return functional.dropout(super().hidden(features), 0.2, self.training)


class HasFrozenWeights(Small):
    """Part of it is trained elsewhere."""

    def __init__(self):
        super().__init__()
        self.first.requires_grad_(requires_grad=False)


class KeepsAMean(Small):
    """Running statistics in a buffer that a checkpoint holds."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))

    def hidden(self, features):
        if self.training:
            with torch.no_grad():
                self.mean += 0.1 * (features.mean((0, 1)) - self.mean)
            return super().hidden(features)
        return super().hidden(features - self.mean)


class OneArray(Small):
    """Made for one number of elements, and says so."""

    def supports(self, problem):
        return problem.array.count == 144

    def predict(self, problem):
        if not self.supports(problem):
            raise InputError(f"this network is for 144 elements, not {problem.array.count}")
        return super().predict(problem)


class IsLoaded(Sample):
    """A covariance with a load."""

    def __call__(self, problem):
        return super().__call__(problem).shrunk(0.1)


class ReadsDirectly(Model):
    """Needs every element, and says so; of rank 1."""

    def supports(self, problem):
        return isinstance(problem.snapshots.sensing, Direct)

    def __call__(self, problem):
        if not self.supports(problem):
            raise InputError("this model needs every element", "use --model sample")
        strongest = torch.linalg.svd(problem.snapshots.values.mT, full_matrices=False)
        return Covariance(strongest[0][..., :1] * strongest[1][:, None, :1])


class SeesThePhase(Small):
    """Reads real parts, and declares it."""

    def features(self, problem, maps):
        values = problem.snapshots.values.real
        scale = problem.snapshots.values.abs().mean((1, 2))
        mean = (values.mean((1, 2)) / scale).to(torch.float32)
        return super().features(problem, maps) + mean[:, None, None]


UNUSUAL = [
    Subject.of("model", StartsAtZero, ("learned",)),
    Subject.of("model", DropsOut, ("learned",)),
    Subject.of("model", HasFrozenWeights, ("learned",)),
    Subject.of("model", KeepsAMean, ("learned",)),
    Subject.of("model", OneArray, ("learned",)),
    Subject.of("model", IsLoaded),
    Subject.of("model", ReadsDirectly),
    Subject.of("model", SeesThePhase, ("learned", "phase-dependent")),
]
