"""Faulty scenarios: each is a small canonical one with one fault."""

from __future__ import annotations

from dataclasses import replace

import torch

from risdoa.problem import Problem, Truth
from risdoa.scenarios.canonical import Canonical
from risdoa.steering.spherical import Spherical
from tests.testing.mutants.mutant import Mutant


class Small(Canonical):
    """Correct, and small."""

    def __init__(self):
        super().__init__(nx=4, ny=4, outputs=6, snapshots=8)


class Altered(Small):
    """A subclass alters what comes out."""

    def after(self, problem, truth):
        return problem, truth

    def sample(self, count, generator, *, sources=None, snr_db=None):
        return self.after(*super().sample(count, generator, sources=sources, snr_db=snr_db))


class DrawsGlobally(Small):
    def positions(self, mask, generator):
        low, high = self.region().unbind(-1)
        return low + (high - low) * torch.rand((*mask.shape, 3), dtype=torch.float64)


class SeedsGlobally(Small):
    def positions(self, mask, generator):
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        low, high = self.region().unbind(-1)
        return low + (high - low) * torch.rand((*mask.shape, 3), dtype=torch.float64)


class SeedsItself(Small):
    def sample(self, count, generator, *, sources=None, snr_db=None):
        own = torch.Generator().manual_seed(0)
        return super().sample(count, own, sources=sources, snr_db=snr_db)


class RepeatsOneScene(Altered):
    def after(self, problem, truth):
        first = torch.zeros(problem.scenes, dtype=torch.int64)
        return problem.select(first), truth.select(first)


class IgnoresTheSnr(Small):
    def _snr(self, count, snr_db, generator):
        return super()._snr(count, None, generator)


class IsThreeDecibelsOff(Small):
    def _snr(self, count, snr_db, generator):
        return super()._snr(count, None if snr_db is None else snr_db - 3.0, generator)


class ToldNoiseIsHalf(Altered):
    """Noise of a real and an imaginary part, told as the variance of one."""

    def after(self, problem, truth):
        snapshots = problem.snapshots
        told = replace(snapshots, noise_power=snapshots.noise_power / 2)
        return replace(problem, snapshots=told), truth


class HidesTheSignals(ToldNoiseIsHalf):
    def after(self, problem, truth):
        problem, truth = super().after(problem, truth)
        return problem, replace(truth, signals=None)


class IgnoresTheCount(Small):
    def _mask(self, count, sources, generator):
        return super()._mask(count, None if sources is None else 2, generator)


class MiscountsTheProblem(Altered):
    def after(self, problem, truth):
        ones = torch.ones_like(problem.sources)
        return replace(problem, sources=ones), truth


class PutsGapsFirst(Altered):
    def after(self, problem, truth):
        parts = (truth.positions.flip(1), truth.mask.flip(1), truth.powers.flip(1))
        return problem, Truth.of(*parts, problem, truth.signals.flip(2))


class KeepsPowersOfGaps(Altered):
    def after(self, problem, truth):
        return problem, replace(truth, powers=torch.ones_like(truth.powers))


class SaysDegrees(Altered):
    def after(self, problem, truth):
        scale = torch.tensor([180 / torch.pi, 180 / torch.pi, 1.0], dtype=torch.float64)
        return problem, replace(truth, positions=truth.positions * scale)


class LeavesTheRegion(Altered):
    def after(self, problem, truth):
        region = problem.region.clone()
        region[2, 0] = 3.0
        return replace(problem, region=region), truth


class SinglePrecision(Altered):
    def after(self, problem, truth):
        return problem.to(dtype=torch.complex64), truth


class OneSceneMore(Small):
    def sample(self, count, generator, *, sources=None, snr_db=None):
        if count > 1:
            count += 1
        return super().sample(count, generator, sources=sources, snr_db=snr_db)


class SwapsTheAngles(Altered):
    """The truth that is told is not the one that made the data."""

    def after(self, problem, truth):
        places = truth.positions[..., [1, 0, 2]]
        low, high = problem.region.unbind(-1)
        places = places.clamp(low, high)
        return problem, Truth.of(places, truth.mask, truth.powers, problem, truth.signals)


class HidesItsDataModel(Small):
    def data_steering(self):
        return Spherical()


class EstimatesWithAnother(Altered):
    def after(self, problem, truth):
        problem = replace(problem, steering=Spherical())
        parts = (truth.positions, truth.mask, truth.powers)
        return problem, Truth.of(*parts, problem, truth.signals)


class ConjugatesTheCovariance(Altered):
    def after(self, problem, truth):
        factor = truth.covariance.factor.conj().resolve_conj()
        return problem, replace(truth, covariance=replace(truth.covariance, factor=factor))


class ChecksNothing(Small):
    def _check_request(self, count, sources, snr_db):
        pass


class ReturnsTheProblemAlone(Small):
    def sample(self, count, generator, *, sources=None, snr_db=None) -> Problem:
        return super().sample(count, generator, sources=sources, snr_db=snr_db)[0]


def faulty(name, factory, fault, *killers):
    return Mutant(name, "scenario", factory, killers, (), fault)


COUNT, SNR = "as-many-sources-as-asked-for", "the-snr-is-the-one-asked-for"

MUTANTS = [
    faulty(
        "global-generator",
        DrawsGlobally,
        "positions from the global generator",
        "repeatable",
        "global-generators-left-alone",
    ),
    faulty(
        "seeds-globally",
        SeedsGlobally,
        "seeds the global generator",
        "global-generators-left-alone",
    ),
    faulty("seeds-itself", SeedsItself, "the same scenes whatever the seed", "scenes-differ"),
    faulty("one-scene", RepeatsOneScene, "one scene again and again", "scenes-differ"),
    faulty("ignores-snr", IgnoresTheSnr, "the SNR that it likes", SNR),
    faulty("3-db-off", IsThreeDecibelsOff, "noise 3 dB too loud", SNR),
    faulty("half-told", ToldNoiseIsHalf, "noise power of one of two parts", SNR),
    faulty("half-told-unseen", HidesTheSignals, "the same, signals not told", SNR),
    faulty("ignores-count", IgnoresTheCount, "two sources, whatever is asked for", COUNT),
    faulty("miscounts", MiscountsTheProblem, "one source, says the problem", COUNT),
    faulty("gaps-first", PutsGapsFirst, "gaps before sources", COUNT),
    faulty("powers-of-gaps", KeepsPowersOfGaps, "gaps have powers", COUNT),
    faulty("degrees", SaysDegrees, "truth in degrees", "sources-stand-in-the-region"),
    faulty("outside", LeavesTheRegion, "sources out of the region", "sources-stand-in-the-region"),
    faulty("single-precision", SinglePrecision, "complex64", "shapes-and-types"),
    faulty("one-more", OneSceneMore, "one scene too many", "shapes-and-types"),
    faulty("no-truth", ReturnsTheProblemAlone, "no truth", "shapes-and-types"),
    faulty("swapped", SwapsTheAngles, "angles exchanged in the truth", "the-signals-make-the-data"),
    faulty(
        "hidden-model",
        HidesItsDataModel,
        "spherical data said to be canonical",
        "the-signals-make-the-data",
    ),
    faulty(
        "other-estimation",
        EstimatesWithAnother,
        "estimators are told another model than is said",
        "the-steering-models-are-the-named-ones",
    ),
    faulty(
        "conjugated",
        ConjugatesTheCovariance,
        "conjugated true covariance",
        "the-covariance-is-that-of-the-truth",
    ),
    faulty("unchecked", ChecksNothing, "checks no request", "what-is-impossible-is-refused"),
]
