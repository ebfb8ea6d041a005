"""Faulty backends: each is a built-in one with one fault."""

from __future__ import annotations

from dataclasses import replace

import torch

from risdoa.backends.base import Backend
from risdoa.backends.newton import Newton
from risdoa.backends.nf_mle import NfMle
from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.problem import Estimates
from risdoa.steering.spherical import Spherical
from risdoa.testing.backend_accuracy import trials
from risdoa.testing.cases_scenes import SQUARE, in_order
from tests.testing.mutants.mutant import Mutant

EXACT = "exact-from-a-covariance"
ML_TRAITS = ("snapshots-only", "error-bars", "efficient")


class Altered(Backend):
    """A correct backend, of which a subclass alters what goes in or what comes out."""

    inner = Newton

    def before(self, problem, covariance, start):
        return problem, covariance, start

    def after(self, found, problem, covariance):
        return found

    def __call__(self, problem, covariance, start):
        problem, covariance, start = self.before(problem, covariance, start)
        return self.after(self.inner()(problem, covariance, start), problem, covariance)


class AlteredMl(Altered):
    """The same of maximum likelihood."""

    inner = NfMle


def moved(found, shift):
    return replace(found, positions=found.positions + torch.tensor(shift, dtype=torch.float64))


def rank_of(covariance):
    """Return the numerical rank of every scene's covariance, (S,)."""
    return torch.linalg.matrix_rank(covariance.gram(), rtol=1e-9, hermitian=True)


class DropsOneSource(Altered):
    def after(self, found, problem, covariance):
        if found.positions.shape[1] == 1:
            return found
        return replace(found, valid=found.valid & (torch.arange(found.valid.shape[1]) > 0))


class TakesOneSourceTwice(Altered):
    def after(self, found, problem, covariance):
        if found.positions.shape[1] == 1:
            return found
        positions = torch.cat((found.positions[:, :-1], found.positions[:, :1]), dim=1)
        return replace(found, positions=positions)


class FillsAtRandom(Altered):
    def after(self, found, problem, covariance):
        if covariance is None:
            return found
        generator = torch.Generator().manual_seed(0)
        drawn = torch.rand(found.positions.shape, generator=generator, dtype=torch.float64)
        low, high = problem.region.unbind(-1)
        place = torch.arange(found.positions.shape[1])
        missing = (place >= rank_of(covariance)[:, None]).unsqueeze(-1)
        positions = torch.where(missing, low + (high - low) * drawn, found.positions)
        return replace(found, positions=positions)


class DrawsGlobally(Altered):
    def after(self, found, problem, covariance):
        jitter = 1e-9 * torch.randn_like(found.positions) * problem.free
        low, high = problem.region.unbind(-1)
        return replace(found, positions=(found.positions + jitter).clamp(low, high))


class SeedsGlobally(Altered):
    def before(self, problem, covariance, start):
        torch.manual_seed(0)
        return problem, covariance, start


class TakesFirstColumns(Altered):
    def before(self, problem, covariance, start):
        if covariance is None or problem.sources is None:
            return problem, covariance, start
        most = int(problem.sources.max())
        return problem, Covariance(covariance.factor[..., :most]), start


class LosesThePairing(Altered):
    def after(self, found, problem, covariance):
        return replace(found, positions=found.positions.sort(dim=1).values)


class LooksRightOfTheFirst(Altered):
    """Takes the first column of the factor to be the leftmost source."""

    def after(self, found, problem, covariance):
        if covariance is None:
            return found
        steering = problem.steering(problem.array, found.positions)
        first = (steering.mH @ covariance.factor[..., :1]).abs().squeeze(-1).argmax(-1)
        leftmost = found.positions[torch.arange(problem.scenes), first, 0]
        return replace(found, valid=found.valid & (found.positions[..., 0] >= leftmost[:, None]))


class ReturnsDegrees(Altered):
    def after(self, found, problem, covariance):
        degrees = torch.tensor([180 / torch.pi, 180 / torch.pi, 1.0], dtype=torch.float64)
        return replace(found, positions=found.positions * degrees)


class Mirrors(Altered):
    def after(self, found, problem, covariance):
        image = found.positions * torch.tensor([-1.0, -1.0, 1.0])
        low, high = problem.region.unbind(-1)
        return replace(found, positions=image.clamp(low, high))


class Conjugates(Altered):
    def before(self, problem, covariance, start):
        if covariance is None:
            return problem, covariance, start
        return problem, Covariance(covariance.factor.conj().resolve_conj()), start


class IgnoresTheRegion(Altered):
    def __call__(self, problem, covariance, start):
        wide = problem.region.clone()
        wide[0] = torch.tensor([-1.5, 1.5])
        return Newton()(replace(problem, region=wide), covariance, start)


class LeavesOutTheEdge(Altered):
    def __call__(self, problem, covariance, start):
        width = problem.region[:, 1] - problem.region[:, 0]
        edge = torch.stack((width, -width), dim=-1) * 0.05
        return Newton()(replace(problem, region=problem.region + edge), covariance, start)


class SharesTheCovariance(Altered):
    def before(self, problem, covariance, start):
        if covariance is None:
            return problem, covariance, start
        scenes, _, width = covariance.factor.shape
        everything = covariance.factor.movedim(0, -1).flatten(1) / scenes**0.5
        together = torch.linalg.svd(everything, full_matrices=False)
        factor = (together[0] * together[1])[:, :width]
        return problem, Covariance(factor.expand(scenes, -1, -1)), start


class NormalisesInPlace(Altered):
    def before(self, problem, covariance, start):
        if covariance is not None:
            with torch.no_grad():
                covariance.factor.div_(covariance.energy().sqrt()[:, None, None])
        return problem, covariance, start


class HasAnAbsoluteThreshold(Altered):
    def after(self, found, problem, covariance):
        if covariance is None:
            return found
        return replace(found, valid=found.valid & (covariance.trace() > 1e-3)[:, None])


class TruncatesSilently(Altered):
    def before(self, problem, covariance, start):
        if problem.sources is not None:
            problem = replace(problem, sources=problem.sources.clamp(max=2))
        return problem, covariance, start


class ReturnsNan(Altered):
    def after(self, found, problem, covariance):
        if covariance is None:
            return found
        place = torch.arange(found.positions.shape[1])
        missing = (place >= rank_of(covariance)[:, None]).unsqueeze(-1)
        positions = torch.where(missing, torch.nan, found.positions)
        return replace(found, positions=positions)


class CrashesWithoutACount(Altered):
    def before(self, problem, covariance, start):
        assert int(problem.sources.max()) > 0
        return problem, covariance, start


class CrashesOnANarrowFactor(Altered):
    def before(self, problem, covariance, start):
        if covariance is not None and problem.sources is not None:
            covariance.factor[..., int(problem.sources.max()) - 1]
        return problem, covariance, start


class KeepsAGraph(Altered):
    def after(self, found, problem, covariance):
        if covariance is None:
            return found
        nothing = 0 * covariance.factor.real.sum()
        return replace(found, positions=found.positions + nothing)


class StartsFromTheLastCall(Altered):
    """Where the last scene of as many sources ended."""

    def __init__(self):
        self.last = None

    def __call__(self, problem, covariance, start):
        last = self.last
        found = Newton()(problem, covariance, start)
        if last is not None and last.positions.shape == found.positions.shape:
            found = Newton()(problem, covariance, last)
        self.last = found
        return found


class MovesFixedCoordinates(Altered):
    def after(self, found, problem, covariance):
        return moved(found, [1e-12, 0.0, 0.0])


class AssumesSphericalWaves(Altered):
    def before(self, problem, covariance, start):
        return replace(problem, steering=Spherical()), covariance, start


class TrustsEveryStart(Altered):
    def before(self, problem, covariance, start):
        if start is not None and not bool(start.valid.all()):
            raise ValueError("start")
        return problem, covariance, start


class MixesPrecisions(Altered):
    """Multiplies complex128 with whatever comes."""

    def before(self, problem, covariance, start):
        if covariance is not None:
            torch.eye(problem.array.count, dtype=torch.complex128) @ covariance.factor
        return problem, covariance, start


class CannotBearALoad(Altered):
    def before(self, problem, covariance, start):
        assert covariance is None or covariance.load is None
        return problem, covariance, start


class IgnoresCountsOfScenes(Altered):
    def before(self, problem, covariance, start):
        if problem.sources is not None:
            most = problem.sources.max().expand(problem.scenes)
            problem = replace(problem, sources=most)
        return problem, covariance, start


class AnswersOneScene(Altered):
    def after(self, found, problem, covariance):
        return found.select(torch.tensor([0]))


class GivesUpWithoutACovariance(Altered):
    def __call__(self, problem, covariance, start):
        if covariance is not None:
            return Newton()(problem, covariance, start)
        middle = problem.region.mean(-1).expand(problem.scenes, int(problem.sources.max()), 3)
        return Estimates.at(middle, torch.zeros(problem.scenes))


class CrashesWithoutACovariance(Altered):
    def before(self, problem, covariance, start):
        covariance.trace()
        return problem, covariance, start


class MakesUpAStart(Altered):
    """Says that it needs a start, and takes broadside without one."""

    def before(self, problem, covariance, start):
        if start is None:
            middle = problem.region.mean(-1).expand(problem.scenes, int(problem.sources.max()), 3)
            start = Estimates.at(middle, torch.zeros(problem.scenes))
        return problem, covariance, start


class RefusesEverything(Altered):
    def before(self, problem, covariance, start):
        raise InputError("not today")


class ReturnsSinglePrecisionFlags(Altered):
    def after(self, found, problem, covariance):
        return replace(found, valid=found.valid.to(torch.float32))


class IsOffByHalfACell(AlteredMl):
    def after(self, found, problem, covariance):
        shift = SQUARE.widths / 2 * problem.free
        shift[2] = 0
        low, high = problem.region.unbind(-1)
        return replace(found, positions=(found.positions + shift).clamp(low, high))


class IsBiasedForOneSource(Altered):
    after = IsOffByHalfACell.after


class UsesHalfOfTheSnapshots(AlteredMl):
    def before(self, problem, covariance, start):
        half = torch.arange(0, problem.snapshots.count, 2)
        kept = replace(
            problem.snapshots,
            values=problem.snapshots.values[:, half],
            sensing=_half_coded(problem.snapshots.sensing, half),
            blocks=None if problem.snapshots.blocks is None else problem.snapshots.blocks[half],
        )
        try:
            return replace(problem, snapshots=kept), covariance, start
        except InputError:
            return problem, covariance, start


def _half_coded(sensing, half):
    codes = getattr(sensing, "codes", None)
    return sensing if codes is None else replace(sensing, codes=codes[..., half, :])


class HasSeenTheScenes(AlteredMl):
    """Halves its errors on the very scenes that the kit draws."""

    def after(self, found, problem, covariance):
        sources = found.positions.shape[1]
        known = trials(SQUARE, sources).truth.positions if sources <= 2 else found.positions
        if known.shape != found.positions.shape:
            return found
        index = in_order(SQUARE, known, found.positions).unsqueeze(-1)
        truth = torch.take_along_dim(known, index, 1)
        return replace(found, positions=(found.positions + truth) / 2)


class BarsInTheWrongOrder(AlteredMl):
    def after(self, found, problem, covariance):
        return replace(found, error_covariance=found.error_covariance.flip(-1, -2))


class BarsAsDeviations(AlteredMl):
    def after(self, found, problem, covariance):
        spread = found.error_covariance.diagonal(dim1=-2, dim2=-1).sqrt()
        return replace(found, error_covariance=torch.diag_embed(spread))


class BarsNotSymmetric(AlteredMl):
    def after(self, found, problem, covariance):
        errors = found.error_covariance
        return replace(found, error_covariance=errors.triu() + errors.triu(1))


class BarsNotPositive(AlteredMl):
    def after(self, found, problem, covariance):
        spread = found.error_covariance.diagonal(dim1=-2, dim2=-1).sqrt()
        ones = torch.full((3, 3), -1.0, dtype=torch.float64) + 2 * torch.eye(3)
        errors = ones * spread.unsqueeze(-1) * spread.unsqueeze(-2)
        return replace(found, error_covariance=errors)


class NoBars(AlteredMl):
    def after(self, found, problem, covariance):
        return replace(found, error_covariance=None)


class NeverSaysUnobservable(AlteredMl):
    def after(self, found, problem, covariance):
        return replace(found, unobservable=torch.zeros_like(found.unobservable))


def faulty(name, factory, fault, *killers, traits=()):
    return Mutant(name, "backend", factory, killers, traits, fault)


def faulty_ml(name, factory, fault, *killers):
    return Mutant(name, "backend", factory, killers, ML_TRAITS, fault)


MUTANTS = [
    faulty("drops-one-source", DropsOneSource, "one source dropped", EXACT),
    faulty("one-source-twice", TakesOneSourceTwice, "one source in place of another", EXACT),
    faulty("random-fill", FillsAtRandom, "missing peaks drawn at random", "nothing-is-made-up"),
    faulty(
        "global-generator",
        DrawsGlobally,
        "jitter from the global generator",
        "repeatable",
        "global-generators-left-alone",
    ),
    faulty(
        "seeds-globally",
        SeedsGlobally,
        "seeds the global generator",
        "global-generators-left-alone",
    ),
    faulty(
        "order-dependent",
        TakesFirstColumns,
        "reads the first K columns of the factor, in their order",
        "the-factor-of-the-covariance",
    ),
    faulty("pairing-lost", LosesThePairing, "azimuths of one source, ranges of another", EXACT),
    faulty(
        "first-is-leftmost",
        LooksRightOfTheFirst,
        "loses what is left of the first source",
        "the-order-of-the-sources",
    ),
    faulty("degrees", ReturnsDegrees, "angles in degrees", EXACT, "stays-in-the-region"),
    faulty("mirrored", Mirrors, "angles of the wrong sign", "the-mirror-image"),
    faulty("conjugated", Conjugates, "conjugated covariance", EXACT, "the-mirror-image"),
    faulty("ignores-region", IgnoresTheRegion, "searches beyond the region", "stays-in-the-region"),
    faulty("excludes-edge", LeavesOutTheEdge, "bounds are excluded", "stays-in-the-region"),
    faulty(
        "leaks",
        SharesTheCovariance,
        "the mean covariance of all scenes",
        "scenes-do-not-leak",
        "a-batch-is-a-loop",
    ),
    faulty("in-place", NormalisesInPlace, "normalises its input", "inputs-left-alone"),
    faulty(
        "absolute-threshold",
        HasAnAbsoluteThreshold,
        "a threshold in volts",
        "the-scale-of-the-data",
    ),
    faulty("truncates", TruncatesSilently, "two sources at most, without a word", EXACT),
    faulty("nan", ReturnsNan, "NaN for what is missing", "more-sources-than-there-are"),
    faulty(
        "no-count",
        CrashesWithoutACount,
        "a traceback without the number of sources",
        "an-unknown-number-of-sources",
    ),
    faulty(
        "narrow-factor",
        CrashesOnANarrowFactor,
        "a traceback for a covariance of too small a rank",
        "more-sources-than-there-are",
    ),
    faulty("graph", KeepsAGraph, "a graph on the output", "answers-without-a-graph"),
    faulty("stateful", StartsFromTheLastCall, "starts where the last call ended", "repeatable"),
    faulty(
        "fixed-moves",
        MovesFixedCoordinates,
        "a fixed coordinate off by rounding",
        "fixed-coordinates-keep-their-value",
    ),
    faulty(
        "own-waves",
        AssumesSphericalWaves,
        "spherical waves, whatever the problem says",
        "the-steering-model-of-the-problem",
    ),
    faulty(
        "incomplete-start",
        TrustsEveryStart,
        "a traceback for a start that lacks a source",
        "a-start-that-lacks-sources",
    ),
    faulty(
        "one-count-for-all",
        IgnoresCountsOfScenes,
        "as many sources in every scene",
        "shapes-and-types",
    ),
    faulty(
        "double-only",
        MixesPrecisions,
        "a traceback for complex64",
        "a-covariance-in-single-precision",
    ),
    faulty("no-load", CannotBearALoad, "a traceback for R = FFᴴ + δI", "shapes-and-types"),
    faulty("one-scene", AnswersOneScene, "the first scene alone", "every-scene-is-answered"),
    faulty("float-flags", ReturnsSinglePrecisionFlags, "flags as numbers", "shapes-and-types"),
    faulty(
        "no-covariance",
        GivesUpWithoutACovariance,
        "broadside where there is no covariance",
        "one-source-without-a-covariance",
    ),
    faulty(
        "needs-covariance-crash",
        CrashesWithoutACovariance,
        "a traceback without the covariance that it needs",
        "a-missing-covariance-is-refused",
        traits=("needs-covariance",),
    ),
    faulty(
        "needs-start-made-up",
        MakesUpAStart,
        "makes up the start that it needs",
        "a-missing-start-is-refused",
        traits=("needs-start",),
    ),
    faulty("refuses-all", RefusesEverything, "refuses every problem", EXACT),
    faulty_ml(
        "half-cell-bias",
        IsOffByHalfACell,
        "off by half a cell",
        "exact-from-the-measurements",
        "meets-the-bound",
    ),
    faulty(
        "biased-alone",
        IsBiasedForOneSource,
        "one source alone off by half a cell, though only said to be biased by others",
        EXACT,
        traits=("biased",),
    ),
    faulty_ml(
        "half-the-snapshots",
        UsesHalfOfTheSnapshots,
        "every second snapshot, and said to be efficient",
        "meets-the-bound",
    ),
    faulty_ml("below-the-bound", HasSeenTheScenes, "has seen the truth", "meets-the-bound"),
    faulty_ml("bars-order", BarsInTheWrongOrder, "bars of r, θ, φ", "error-bars-are-honest"),
    faulty_ml("bars-deviations", BarsAsDeviations, "not squared", "error-bars-are-honest"),
    faulty_ml("bars-asymmetric", BarsNotSymmetric, "one triangle doubled", "shapes-and-types"),
    faulty_ml("bars-indefinite", BarsNotPositive, "correlations of -1", "shapes-and-types"),
    faulty_ml("no-bars", NoBars, "no error bars, though said", "error-bars-are-honest"),
    faulty_ml(
        "all-observable",
        NeverSaysUnobservable,
        "no flag where nothing is seen",
        "what-is-not-observable",
    ),
]
