"""Faulty losses: a correct one with one fault each."""

from __future__ import annotations

from dataclasses import replace

import torch

from risdoa.covariance import Covariance
from risdoa.losses.base import Loss
from risdoa.losses.gt_projection import GtProjection
from risdoa.losses.nmse import Nmse
from risdoa.losses.peak_contrast import PeakContrast, stencil
from risdoa.problem import Truth
from risdoa.steering.canonical import Canonical
from risdoa.subspace import masked_columns, orthonormal_basis
from tests.testing.mutants.mutant import Mutant

PROJECTION = ("true-steering", "differentiable", "scale-invariant")
COMPLETE = ("differentiable", "complete")


class _Trace(Loss):
    """tr(P⊥R)/tr R, with the parts that mutants change."""

    def __call__(self, covariance, truth):
        return self.outside(covariance, self.basis(covariance, truth))

    def steering(self, truth):
        return truth.steering_matrix()

    def basis(self, covariance, truth):
        return orthonormal_basis(self.steering(truth).to(covariance.factor), truth.mask)

    def outside(self, covariance, basis):
        inside = (basis.conj() * covariance.apply(basis)).real.sum((-2, -1))
        return 1 - inside / covariance.trace()


class Detached(_Trace):
    def __call__(self, covariance, truth):
        return super().__call__(covariance.detach(), truth)


class HalfDetached(_Trace):
    """The trace is a constant to the graph, which a first-degree loss does not bear."""

    def outside(self, covariance, basis):
        inside = (basis.conj() * covariance.apply(basis)).real.sum((-2, -1))
        return 1 - inside / covariance.trace().detach()


class LoadDetached(_Trace):
    def __call__(self, covariance, truth):
        load = None if covariance.load is None else covariance.load.detach()
        return super().__call__(Covariance(covariance.factor, load), truth)


class SummedOverScenes(_Trace):
    def __call__(self, covariance, truth):
        return super().__call__(covariance, truth).sum()


class BatchNormalised(_Trace):
    """Takes the mean trace of the batch for that of the scene."""

    def outside(self, covariance, basis):
        inside = (basis.conj() * covariance.apply(basis)).real.sum((-2, -1))
        return (covariance.trace() - inside) / covariance.trace().mean()


class ComplexOutput(_Trace):
    def __call__(self, covariance, truth):
        return super().__call__(covariance, truth) + 0j


class MaskedIncluded(_Trace):
    """The mean over all entries of what each steering vector misses, masked ones too."""

    def __call__(self, covariance, truth):
        each = misses(covariance, self.steering(truth).to(covariance.factor))
        return torch.where(truth.mask, each, 0.0).mean(-1)


class MaskedByMultiplication(Loss):
    """1 - tr((AᴴA + εI)⁻¹AᴴRA)/tr R, where 0 times what is not a number is not 0."""

    def __call__(self, covariance, truth):
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            columns = truth.problem.steering(truth.problem.array, truth.positions)
        steering = (columns * truth.mask.unsqueeze(-2)).to(covariance.factor)
        gram = steering.mH @ steering + 1e-9 * torch.eye(steering.shape[-1])
        inside = torch.linalg.solve(gram, steering.mH @ covariance.apply(steering))
        return 1 - inside.diagonal(dim1=-2, dim2=-1).real.sum(-1) / covariance.trace()


class LastSourceIgnored(_Trace):
    def basis(self, covariance, truth):
        steering, mask = self.steering(truth).to(covariance.factor), truth.mask.clone()
        last = mask.sum(-1, keepdim=True) - 1
        mask.scatter_(-1, last, last == 0)
        return orthonormal_basis(masked_columns(steering, mask), mask)


class WeakestIgnored(_Trace):
    def basis(self, covariance, truth):
        powers = torch.where(truth.mask, truth.powers, torch.inf)
        weakest = torch.zeros_like(truth.mask).scatter(-1, powers.argmin(-1, keepdim=True), True)
        mask = truth.mask & ~(weakest & (truth.mask.sum(-1, keepdim=True) > 1))
        return orthonormal_basis(masked_columns(self.steering(truth), mask), mask).to(
            covariance.factor
        )


class OrderMatters(_Trace):
    """Weighs the sources by their place in the list."""

    def __call__(self, covariance, truth):
        each = misses(covariance, self.steering(truth).to(covariance.factor))
        places = torch.arange(1, each.shape[-1] + 1).to(each)
        weights = torch.where(truth.mask, places, 0.0)
        return (weights * each).sum(-1) / weights.sum(-1)


class RootAtZero(Nmse):
    """The root of the error, whose slope at 0 has no end."""

    def __call__(self, covariance, truth):
        error = covariance.dense() - truth.covariance.dense().to(covariance.factor)
        return torch.view_as_real(error).square().sum((-3, -2, -1)).sqrt()


class NotScaleInvariant(_Trace):
    def outside(self, covariance, basis):
        inside = (basis.conj() * covariance.apply(basis)).real.sum((-2, -1))
        return covariance.trace() - inside


class ThroughTheSteering(_Trace):
    """Builds A with a graph of its own."""

    def steering(self, truth):
        with torch.autocast("cpu", enabled=False):
            columns = truth.problem.steering(truth.problem.array, truth.positions)
        return masked_columns(columns, truth.mask)


class OwnSteering(_Trace):
    """Builds A by one formula, whatever the problem says."""

    def steering(self, truth):
        problem = replace(truth.problem, steering=Canonical())
        return Truth.of(
            truth.positions, truth.mask, truth.powers, problem, truth.signals
        ).steering_matrix()


class GlobalNoise(_Trace):
    def __call__(self, covariance, truth):
        value = super().__call__(covariance, truth)
        return value + 1e-9 * torch.rand_like(value)


class Unrepeatable(_Trace):
    def __call__(self, covariance, truth):
        value = super().__call__(covariance, truth)
        generator = torch.Generator()
        generator.seed()
        return value + 1e-9 * torch.rand(value.shape, generator=generator)


class NormalisesInPlace(_Trace):
    def __call__(self, covariance, truth):
        with torch.no_grad():
            covariance.factor.div_(covariance.energy().sqrt()[:, None, None])
        return super().__call__(covariance, truth)


class WrongSign(_Trace):
    def outside(self, covariance, basis):
        return -super().outside(covariance, basis)


class AutocastLeak(_Trace):
    """Does complex products by real ones, which autocast rounds to bfloat16."""

    def outside(self, covariance, basis):
        real, imaginary = covariance.factor.real, covariance.factor.imag
        left, right = basis.real.mT, basis.imag.mT
        product = (left @ real + right @ imaginary, left @ imaginary - right @ real)
        inside = sum(
            (part.float() if part.dtype == torch.bfloat16 else part).square().sum((-2, -1))
            for part in product
        )
        inside = inside + covariance.load_or_zero() * basis.abs().square().sum((-2, -1))
        return 1 - inside / covariance.trace()


class DoubleOutput(_Trace):
    def __call__(self, covariance, truth):
        return super().__call__(covariance, truth).to(torch.float64)


class SingleInside(_Trace):
    """Computes in single precision and says it is double."""

    def __call__(self, covariance, truth):
        load = covariance.load if covariance.load is None else covariance.load.to(torch.float32)
        narrow = Covariance(covariance.factor.to(torch.complex64), load)
        return super().__call__(narrow, truth).to(covariance.factor.real.dtype)


class ConjugatedBasis(_Trace):
    def steering(self, truth):
        return super().steering(truth).conj().resolve_conj()


class LoadIgnored(_Trace):
    def __call__(self, covariance, truth):
        return super().__call__(Covariance(covariance.factor), truth)


class FactorNotMatrix(_Trace):
    """Adds a term in F, which is not R's."""

    def __call__(self, covariance, truth):
        first = covariance.factor[..., :1].abs().square().sum((-2, -1))
        return super().__call__(covariance, truth) + 0.1 * first / covariance.trace()


class Constant(_Trace):
    def outside(self, covariance, basis):
        return 0 * super().outside(covariance, basis)


class AsIfOrthogonal(_Trace):
    """As if the steering vectors were orthogonal: AAᴴ for the projector."""

    def basis(self, covariance, truth):
        return self.steering(truth).to(covariance.factor)


def misses(covariance, steering):
    """Return 1 - aᴴRa/tr R of every steering vector, (S, K)."""
    seen = (steering.conj() * covariance.apply(steering)).real.sum(-2)
    return 1 - seen / covariance.trace().unsqueeze(-1)


class ContrastOfTheCovariance(Loss):
    """Takes 1/(aᴴRa) for the spectrum, which is *low* where there is power."""

    def __call__(self, covariance, truth):
        steering, counts = stencil(truth, 1.0)
        flat = steering.flatten(-2)
        power = (flat.conj() * covariance.to(torch.complex128).unit_trace().apply(flat)).real.sum(1)
        heights = -power.clamp_min(1e-9).log().unflatten(-1, steering.shape[-2:])
        over = torch.where(counts, heights[..., 1:] - heights[..., :1], -torch.inf)
        each = torch.cat((torch.zeros_like(heights[..., :1]), over), -1).logsumexp(-1)
        total = torch.where(truth.mask, each, 0.0).sum(-1) / truth.mask.sum(-1)
        return total.to(covariance.factor.real.dtype)


class ContrastAtOneRange(PeakContrast):
    """Looks for all peaks 3 m away, wherever the sources are."""

    def __call__(self, covariance, truth):
        positions = truth.positions.clone()
        positions[..., 2] = 3.0
        return super().__call__(covariance, replace(truth, positions=positions))


MUTANTS = [
    Mutant(name, "loss", factory, killers, traits, fault)
    for name, factory, killers, traits, fault in (
        (
            "detached",
            Detached,
            ("gradient-reaches-the-covariance", "gradient-is-right"),
            PROJECTION,
            "cut from the graph",
        ),
        ("half-detached", HalfDetached, ("gradient-is-right",), PROJECTION, "detached trace"),
        (
            "load-detached",
            LoadDetached,
            ("gradient-is-right",),
            PROJECTION,
            "load cut from the graph",
        ),
        (
            "summed-over-scenes",
            SummedOverScenes,
            ("one-real-number-a-scene",),
            PROJECTION,
            "one number for all scenes",
        ),
        (
            "batch-normalised",
            BatchNormalised,
            ("batch-is-a-loop",),
            ("true-steering", "differentiable"),
            "batch-normalised leak",
        ),
        (
            "complex-output",
            ComplexOutput,
            ("one-real-number-a-scene",),
            PROJECTION,
            "complex numbers",
        ),
        (
            "masked-included",
            MaskedIncluded,
            ("masked-sources-play-no-part", "batch-is-a-loop"),
            PROJECTION,
            "mean over masked sources too",
        ),
        (
            "masked-by-multiplication",
            MaskedByMultiplication,
            ("masked-sources-play-no-part",),
            PROJECTION,
            "masked by multiplication: NaN · 0",
        ),
        (
            "last-source-ignored",
            LastSourceIgnored,
            ("order-of-the-sources-plays-no-part", "no-better-beside-the-truth"),
            PROJECTION,
            "last source dropped",
        ),
        (
            "weakest-ignored",
            WeakestIgnored,
            ("no-better-beside-the-truth",),
            PROJECTION,
            "weakest source dropped",
        ),
        (
            "order-matters",
            OrderMatters,
            ("order-of-the-sources-plays-no-part",),
            PROJECTION,
            "sources weighed by their place",
        ),
        (
            "root-at-zero",
            RootAtZero,
            ("gradient-at-the-optimum",),
            COMPLETE,
            "NaN gradient at the optimum",
        ),
        (
            "not-scale-invariant",
            NotScaleInvariant,
            ("scale-plays-no-part",),
            PROJECTION,
            "depends on scale, though it says it does not",
        ),
        (
            "not-complete",
            GtProjection,
            ("a-dropped-source-costs",),
            (*PROJECTION, "complete"),
            "a dropped source is free, though it says it costs",
        ),
        (
            "through-the-steering",
            ThroughTheSteering,
            ("gradient-reaches-nothing-else",),
            PROJECTION,
            "gradient into the steering model",
        ),
        (
            "own-steering",
            OwnSteering,
            ("judges-by-the-problems-steering",),
            PROJECTION,
            "a steering formula of its own",
        ),
        (
            "global-noise",
            GlobalNoise,
            ("global-generators-left-alone", "repeatable"),
            PROJECTION,
            "draws from the global generator",
        ),
        ("unrepeatable", Unrepeatable, ("repeatable",), PROJECTION, "not deterministic"),
        (
            "normalises-in-place",
            NormalisesInPlace,
            ("inputs-left-alone",),
            PROJECTION,
            "factor changed in place",
        ),
        (
            "wrong-sign",
            WrongSign,
            ("smaller-at-the-truth", "no-better-beside-the-truth"),
            PROJECTION,
            "larger is better",
        ),
        (
            "contrast-of-the-covariance",
            ContrastOfTheCovariance,
            ("smaller-at-the-truth",),
            PROJECTION,
            "1/(aᴴRa) for the spectrum: peaks turned into dips",
        ),
        (
            "contrast-at-one-range",
            ContrastAtOneRange,
            ("no-better-beside-the-truth", "judges-by-the-problems-steering"),
            PROJECTION,
            "one range for all sources",
        ),
        (
            "autocast-leak",
            AutocastLeak,
            ("autocast-changes-nothing",),
            PROJECTION,
            "real products, in bfloat16 under autocast",
        ),
        ("double-output", DoubleOutput, ("single-precision",), PROJECTION, "float64 only"),
        (
            "single-inside",
            SingleInside,
            ("gradient-is-right",),
            PROJECTION,
            "float32 under a float64 name",
        ),
        (
            "conjugated-basis",
            ConjugatedBasis,
            ("smaller-at-the-truth",),
            PROJECTION,
            "A* for A",
        ),
        (
            "load-ignored",
            LoadIgnored,
            ("depends-on-the-matrix-alone",),
            PROJECTION,
            "load left out of R",
        ),
        (
            "factor-not-matrix",
            FactorNotMatrix,
            ("depends-on-the-matrix-alone",),
            PROJECTION,
            "depends on the factor of R",
        ),
        (
            "constant",
            Constant,
            ("smaller-at-the-truth", "gradient-reaches-the-covariance"),
            PROJECTION,
            "0 everywhere",
        ),
        (
            "as-if-orthogonal",
            AsIfOrthogonal,
            ("no-better-beside-the-truth",),
            PROJECTION,
            "AAᴴ for the projector",
        ),
    )
]
