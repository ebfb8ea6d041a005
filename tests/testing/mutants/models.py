"""Faulty models: each is a small correct network, or the sample covariance, with one fault."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional

from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.models.learned import LearnedModel
from risdoa.models.maps import Maps
from risdoa.models.sample import Sample
from tests.testing.mutants.mutant import Mutant

WIDTH = 8


class Small(LearnedModel):
    """R = A diag(γ) Aᴴ on a grid, γ the matched power times a learned share; correct as it is."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, WIDTH), nn.Linear(WIDTH, 1)

    def features(self, problem, maps):
        """Return two features of every grid point, (S, G, 2), blind to phase and scale."""
        energy = maps.energy.mean(1)
        energy = energy / energy.mean(-1, keepdim=True)
        power = maps.power / maps.power.mean(-1, keepdim=True)
        return torch.stack((torch.log(energy + 0.01), torch.log(power + 0.01)), dim=-1)

    def hidden(self, features):
        return functional.gelu(self.first(features))

    def share(self, hidden, problem):
        return torch.sigmoid(self.second(hidden).squeeze(-1).float())

    def predict(self, problem):
        maps = Maps.of(problem)
        share = self.share(self.hidden(self.features(problem, maps)), problem)
        positions = maps.grid.positions().to(torch.float32)
        steering = problem.steering(problem.array, positions)
        amplitudes = (maps.power * share).clamp_min(1e-30).sqrt() * maps.scale[:, None]
        return Covariance(steering * amplitudes.unsqueeze(-2))


class HasANegativeLoad(Small):
    def predict(self, problem):
        found = super().predict(problem)
        return Covariance(found.factor, -0.5 * found.trace() / found.elements)


class TransposesTheFactor(Small):
    def predict(self, problem):
        return Covariance(super().predict(problem).factor.mT)


class ReturnsADenseMatrix(Sample):
    def __call__(self, problem):
        return super().__call__(problem).dense()


class NormalisesOverTheBatchInTraining(Small):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(WIDTH)

    def hidden(self, features):
        return self.norm(super().hidden(features).mT).mT


class NormalisesOverTheBatch(Small):
    def hidden(self, features):
        mean, spread = features.mean((0, 1)), features.std((0, 1))
        return super().hidden((features - mean) / spread)


class CountsScenes(Small):
    """Weighs scenes by their place in the batch, as a positional code on the wrong axis does."""

    def hidden(self, features):
        place = torch.arange(len(features)).to(features)[:, None, None]
        return super().hidden(features + place)


class HasADeadParameter(Small):
    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(4, 4)


class DetachesTheGraph(Small):
    def predict(self, problem):
        return super().predict(problem).detach()


class HasNanGradients(Small):
    """√0 of what the other branch of a where would have replaced."""

    def share(self, hidden, problem):
        share = super().share(hidden, problem)
        return torch.where(share < 2, share, (share - share).sqrt())


class HasAFixedLength(Small):
    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.ones(8))

    def features(self, problem, maps):
        weighted = maps.energy * self.weights[:, None]
        return super().features(problem, replace(maps, energy=weighted))


class SupportsOneLengthOnly(Small):
    def supports(self, problem):
        return problem.snapshots.count == 8


class LosesABuffer(Small):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(2), persistent=False)

    def hidden(self, features):
        if self.training:
            self.mean += 0.1 * (features.detach().mean((0, 1)) - self.mean)
        return super().hidden(features - self.mean.detach().clone() * (not self.training))


class KeepsDropout(Small):
    def hidden(self, features):
        return functional.dropout(super().hidden(features), 0.2, training=True)


class SeedsItsDropout(Small):
    def hidden(self, features):
        torch.manual_seed(0)
        return functional.dropout(super().hidden(features), 0.2, training=True)


class ReadsTheRealPart(Small):
    def features(self, problem, maps):
        values = problem.snapshots.values.real
        scale = problem.snapshots.values.abs().mean((1, 2))
        mean = (values.mean((1, 2)) / scale).to(torch.float32)
        return super().features(problem, maps) + 3 * mean[:, None, None]


class HalvesThePrecision(Small):
    """Half precision holds numbers up to 65504 and down to 6e-8."""

    def predict(self, problem):
        found = super().predict(problem)
        rounded = torch.view_as_real(found.factor).to(torch.float16).to(torch.float32)
        return Covariance(torch.view_as_complex(rounded))


class NeedsDoublePrecision(Small):
    def features(self, problem, maps):
        values = problem.snapshots.values
        if torch.linalg.vector_norm(values).dtype != torch.float64:
            raise RuntimeError("expected scalar type Double but found Float")
        return super().features(problem, maps)


class NormalisesInPlace(Small):
    def forward(self, problem):
        values = problem.snapshots.values
        values /= values.abs().square().mean((1, 2), keepdim=True).sqrt()
        return super().forward(problem)


class IsComplexUnderAutocast(Small):
    """Complex numbers have no bfloat16."""

    def hidden(self, features):
        one, other = self.first(features).chunk(2, dim=-1)
        return torch.cat([torch.complex(one, other).abs()] * 2, dim=-1)


class NeedsTheCount(Small):
    def predict(self, problem):
        assert int(problem.sources.max()) > 0
        return super().predict(problem)


class IsNoModule(Sample):
    """Said to be learned."""


class PromisesTooMuch(Sample):
    def supports(self, problem):
        return True


class CrashesWhereNotSupported(Sample):
    def __call__(self, problem):
        if not self.supports(problem):
            raise RuntimeError("blocks")
        return super().__call__(problem)


class RefusesEverything(Sample):
    def supports(self, problem):
        return False


class StartsFromTheLastCall(Sample):
    """Blends in what it saw before."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def __call__(self, problem):
        self.seen += 1
        return super().__call__(problem).shrunk(0.1 / self.seen)


class NeedsSeveralSnapshots(Sample):
    def __call__(self, problem):
        if problem.snapshots.count == 1:
            raise InputError("a covariance needs several snapshots")
        return super().__call__(problem)


def faulty(name, factory, fault, *killers, traits=("learned",)):
    return Mutant(name, "model", factory, killers, traits, fault)


def faulty_sample(name, factory, fault, *killers):
    return faulty(name, factory, fault, *killers, traits=())


FORM = "shapes-and-semidefinite"

MUTANTS = [
    faulty("negative-load", HasANegativeLoad, "R is indefinite", FORM),
    faulty("transposed", TransposesTheFactor, "a factor (S, J, N)", FORM),
    faulty_sample("dense", ReturnsADenseMatrix, "a matrix in place of a covariance", FORM),
    faulty(
        "batch-norm",
        NormalisesOverTheBatchInTraining,
        "batch normalisation mixes scenes in training",
        "scenes-do-not-leak-in-training",
    ),
    faulty(
        "batch-statistics",
        NormalisesOverTheBatch,
        "features normalised over all scenes",
        "scenes-do-not-leak",
    ),
    faulty(
        "place-in-batch",
        CountsScenes,
        "the place in the batch matters",
        "a-batch-is-a-loop",
    ),
    faulty(
        "dead-parameter",
        HasADeadParameter,
        "a layer that nothing goes through",
        "every-parameter-gets-a-gradient",
    ),
    faulty(
        "detached",
        DetachesTheGraph,
        "no gradient reaches the weights",
        "every-parameter-gets-a-gradient",
    ),
    faulty(
        "nan-gradient",
        HasNanGradients,
        "the slope of a root at 0",
        "every-parameter-gets-a-gradient",
    ),
    faulty(
        "fixed-length",
        HasAFixedLength,
        "one weight for each of 8 snapshots",
        "any-number-of-snapshots",
    ),
    faulty(
        "one-length",
        SupportsOneLengthOnly,
        "supports 8 snapshots alone",
        "learns-from-any-number-of-snapshots",
    ),
    faulty(
        "lost-buffer",
        LosesABuffer,
        "running statistics that no checkpoint holds",
        "a-checkpoint-round-trip",
    ),
    faulty(
        "dropout",
        KeepsDropout,
        "dropout in eval mode",
        "repeatable",
        "global-generators-left-alone",
    ),
    faulty(
        "seeded-dropout",
        SeedsItsDropout,
        "seeds the global generator for its dropout",
        "global-generators-left-alone",
    ),
    faulty("phase", ReadsTheRealPart, "sees the global phase", "a-global-phase"),
    faulty("half", HalvesThePrecision, "half precision inside", "the-scale-of-the-measurements"),
    faulty("double-only", NeedsDoublePrecision, "complex128 alone", "both-precisions"),
    faulty("in-place", NormalisesInPlace, "normalises its input", "inputs-left-alone"),
    faulty(
        "autocast",
        IsComplexUnderAutocast,
        "complex numbers inside autocast",
        "finite-under-autocast",
    ),
    faulty(
        "needs-count",
        NeedsTheCount,
        "a traceback without the number of sources",
        "an-unknown-number-of-sources",
    ),
    faulty("no-module", IsNoModule, "no network, though said to be learned", "a-network"),
    faulty_sample(
        "promises",
        PromisesTooMuch,
        "supports what it then refuses",
        "supported-or-refused",
    ),
    faulty_sample(
        "crash",
        CrashesWhereNotSupported,
        "a traceback where it supports nothing",
        "supported-or-refused",
    ),
    faulty_sample("refuses-all", RefusesEverything, "supports nothing", FORM),
    faulty_sample("stateful", StartsFromTheLastCall, "remembers the last call", "repeatable"),
    faulty_sample(
        "several-snapshots",
        NeedsSeveralSnapshots,
        "refuses one snapshot, though it says that it supports it",
        "any-number-of-snapshots",
    ),
]
