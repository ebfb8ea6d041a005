"""Faulty steering models: the spherical wave with one fault each."""

from __future__ import annotations

import math

import torch

from risdoa.arrays import Array
from risdoa.conventions import cartesian, invert_range
from risdoa.steering.base import Steering
from risdoa.steering.canonical import Canonical
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical
from tests.testing.mutants.mutant import Mutant

SPHERICAL = ("differentiable", "exact")


class _Faulty(Steering):
    """The spherical wave, with one method overridden."""

    def __call__(self, array, positions):
        return Spherical()(array, positions)


class Conjugated(_Faulty):
    def __call__(self, array, positions):
        return super().__call__(array, positions).conj().resolve_conj()


class Mirrored(_Faulty):
    def __call__(self, array, positions):
        check(positions)
        return super().__call__(array, positions * positions.new_tensor([-1.0, 1.0, 1.0]))


class AnglesExchanged(_Faulty):
    def __call__(self, array, positions):
        check(positions)
        return super().__call__(array, positions[..., [1, 0, 2]])


class AxesExchanged(_Faulty):
    def __call__(self, array, positions):
        return super().__call__(moved(array, array.positions[..., [1, 0, 2]]), positions)


class OtherOrder(_Faulty):
    def __call__(self, array, positions):
        return super().__call__(array, positions).flip(-2)


class HalfElementShift(_Faulty):
    def __call__(self, array, positions):
        step = array.positions.new_tensor([array.wavelength / 4, 0.0, 0.0])
        return super().__call__(moved(array, array.positions + step), positions)


class Recentred(_Faulty):
    def __call__(self, array, positions):
        return super().__call__(
            moved(array, array.positions - array.positions.mean(-2, keepdim=True)), positions
        )


class DoubleAlways(_Faulty):
    def __call__(self, array, positions):
        check(positions)
        return super().__call__(array, positions.to(torch.float64))


class PrecisionOfTheArray(_Faulty):
    def __call__(self, array, positions):
        found = super().__call__(array, positions)
        return found.to(array.positions.dtype.to_complex())


class NaiveDifference(Steering):
    def __call__(self, array, positions):
        check(positions)
        array = array.to(dtype=positions.dtype)
        distance = positions[..., 2].unsqueeze(-2)
        source = cartesian(torch.nan_to_num(positions, posinf=0.0)).unsqueeze(-3)
        rho = torch.linalg.vector_norm(source - array.positions.unsqueeze(-2), dim=-1)
        phase = -array.wavenumber * (rho - distance)
        near = torch.polar(torch.ones_like(phase), phase) * weights(array)
        return torch.where(distance.isinf(), PlaneWave()(array, positions), near)


class NotNormalised(_Faulty):
    def __call__(self, array, positions):
        return super().__call__(array, positions) * math.sqrt(array.count)


class NormalisedOverAll(_Faulty):
    """Over everything in the call: right for one source, wrong for more."""

    def __call__(self, array, positions):
        found = super().__call__(array, positions)
        taper = 1 + array.positions[..., :1].to(positions) * positions[..., None, :, 0]
        return found * taper / torch.linalg.vector_norm(found * taper, dim=(-2, -1), keepdim=True)


class MeanOfTheBatch(_Faulty):
    def __call__(self, array, positions):
        check(positions)
        angles = positions[..., :2]
        mean = angles.reshape(-1, 2).mean(0) if angles.numel() else 0.0
        return super().__call__(array, torch.cat((angles + 1e-6 * mean, positions[..., 2:]), -1))


class InverseRange(_Faulty):
    def __call__(self, array, positions):
        check(positions)
        return super().__call__(array, invert_range(positions))


class HalvedWavelength(_Faulty):
    def __call__(self, array, positions):
        halved = Array(array.positions, array.wavelength / 2, array.gains)
        return super().__call__(halved, positions)


class BuiltInWavelength(_Faulty):
    def __call__(self, array, positions):
        return super().__call__(Array(array.positions, 0.3, array.gains), positions)


class GainsIgnored(_Faulty):
    def __call__(self, array, positions):
        return super().__call__(Array(array.positions, array.wavelength), positions)


class Noisy(_Faulty):
    def __call__(self, array, positions):
        found = super().__call__(array, positions)
        noise = torch.randn(found.shape, generator=fresh(), dtype=positions.dtype)
        return found * torch.polar(torch.ones_like(noise), 1e-12 * noise)


class GlobalGenerator(_Faulty):
    def __call__(self, array, positions):
        return super().__call__(array, positions) + 0 * torch.rand(())


class Wraps(_Faulty):
    """Brings azimuths into ±π where they stand."""

    def __call__(self, array, positions):
        check(positions)
        with torch.no_grad():
            positions[..., 0] = torch.remainder(positions[..., 0] + 1, 2 * math.pi) - 1
        return super().__call__(array, positions)


class NanAtBroadside(_Faulty):
    """Divides by the angle off broadside: 0/0 there."""

    def __call__(self, array, positions):
        check(positions)
        u = torch.sin(positions[..., 0]) * torch.cos(positions[..., 1])
        off = torch.hypot(u, torch.sin(positions[..., 1])).unsqueeze(-2)
        return super().__call__(array, positions) * off / off


class NanAtInfinity(_Faulty):
    def __call__(self, array, positions):
        check(positions)
        distance = positions[..., None, :, 2]
        return super().__call__(array, positions) * distance / distance


class PoleDerivatives(Spherical):
    """Goes to (φ, θ) through a division by cos θ."""

    def derivatives(self, array, positions):
        vectors, slopes = super().derivatives(array, positions)
        cosine = torch.cos(positions[..., 1]).abs() > 1e-12
        return vectors, slopes * (cosine / cosine)[..., None, :, None]


class Detached(Spherical):
    def __call__(self, array, positions):
        return super().__call__(array, positions.detach())


class PartlyDetached(_Faulty):
    """Loses the gradient through the range."""

    def __call__(self, array, positions):
        check(positions)
        cut = torch.cat((positions[..., :2], positions[..., 2:].detach()), -1)
        return super().__call__(array, cut)

    def derivatives(self, array, positions):
        return Spherical().derivatives(array, positions)


class RangeNotInverse(Spherical):
    """Gives ∂/∂r for ∂/∂w."""

    def derivatives(self, array, positions):
        vectors, slopes = super().derivatives(array, positions)
        chain = -(positions[..., None, :, 2] ** -2)
        return vectors, torch.cat((slopes[..., :2], (slopes[..., 2] * chain)[..., None]), -1)


class SignOfTheRange(Spherical):
    """Gives -∂/∂w."""

    def derivatives(self, array, positions):
        vectors, slopes = super().derivatives(array, positions)
        return vectors, slopes * slopes.real.new_tensor([1.0, 1.0, -1.0])


class CoarseDifferences(Steering):
    """Not differentiable, and its own differences have a step of half a radian."""

    def __call__(self, array, positions):
        return Spherical()(array, positions.detach())

    def derivatives(self, array, positions):
        columns = []
        for axis in range(3):
            step = torch.zeros(3, dtype=positions.dtype)
            step[axis] = 0.5 if axis < 2 else 1e-6
            search = invert_range(positions)
            ahead = self(array, invert_range(search + step))
            columns.append((ahead - self(array, positions)) / step[axis])
        return self(array, positions), torch.stack(columns, -1)


class BlindToElevation(PlaneWave):
    def __call__(self, array, positions):
        check(positions)
        return super().__call__(array, positions * positions.new_tensor([1.0, 0.0, 1.0]))

    def derivatives(self, array, positions):
        return Steering.derivatives(self, array, positions)


class CrossTermDropped(Canonical):
    """The separable model, for arrays out of the plane too."""

    def check(self, array):
        pass


class SharedArrayAlone(_Faulty):
    """Takes the array of the first scene for all."""

    def __call__(self, array, positions):
        if array.positions.ndim == 3:
            gains = array.gains if array.gains is None or array.gains.ndim == 1 else array.gains[0]
            array = Array(array.positions[0], array.wavelength, gains)
        return super().__call__(array, positions)


class OneBatchAxis(_Faulty):
    def __call__(self, array, positions):
        found = super().__call__(array, positions)
        return found.flatten(0, -3) if found.ndim > 3 else found


class AnyPositions(Steering):
    """Takes what is there of a position, and 0 for the rest."""

    def __call__(self, array, positions):
        real = positions if positions.is_floating_point() else positions.to(torch.float64)
        real = real if real.ndim > 1 else real.unsqueeze(0)
        return Spherical()(array, torch.nn.functional.pad(real, (0, 3 - real.shape[-1]), value=1.0))


class NoFarLimit(_Faulty):
    """Holds the curvature at what it is at 1000 wavelengths."""

    def __call__(self, array, positions):
        check(positions)
        nearest = positions[..., 2:].clamp_max(1000 * array.wavelength)
        return super().__call__(array, torch.cat((positions[..., :2], nearest), -1))


class CosinePatterns(Steering):
    """Elements that hear best in front; at infinity it falls back to isotropic ones."""

    def __call__(self, array, positions):
        wave = Spherical()(array, positions)
        hears = 1.5 + torch.tanh(array.positions[..., :1].to(positions) / array.wavelength)
        wave = torch.where(positions[..., None, :, 2].isinf(), wave, wave * hears)
        return wave / torch.linalg.vector_norm(wave, dim=-2, keepdim=True)


def check(positions):
    """Refuse what every steering model refuses."""
    Spherical()(Array.linear(2, 1.0), positions)


def moved(array, points):
    """Return the array with its elements elsewhere."""
    return Array(points, array.wavelength, array.gains)


def weights(array):
    """Return g/‖g‖ as (…, N, 1)."""
    gains = torch.ones_like(array.positions[..., 0]) if array.gains is None else array.gains
    return (gains / torch.linalg.vector_norm(gains, dim=-1, keepdim=True)).unsqueeze(-1)


def fresh():
    """Return a generator that nobody can repeat."""
    generator = torch.Generator()
    generator.seed()
    return generator


MUTANTS = [
    Mutant(name, "steering", factory, killers, traits, fault)
    for name, factory, killers, traits, fault in (
        ("conjugated", Conjugated, ("sign-and-axes",), SPHERICAL, "exp(+jkρ) for exp(-jkρ)"),
        ("mirrored", Mirrored, ("sign-and-axes",), SPHERICAL, "azimuth with the other sign"),
        ("angles-exchanged", AnglesExchanged, ("sign-and-axes",), SPHERICAL, "(θ, φ) for (φ, θ)"),
        ("axes-exchanged", AxesExchanged, ("sign-and-axes",), SPHERICAL, "x and y exchanged"),
        ("other-order", OtherOrder, ("sign-and-axes",), SPHERICAL, "elements in reverse order"),
        (
            "far-field-only",
            PlaneWave,
            ("near-field", "second-order", "fisher-rank"),
            ("differentiable",),
            "a plane wave that does not say so",
        ),
        (
            "half-element-shift",
            HalfElementShift,
            ("near-field", "second-order"),
            ("differentiable",),
            "half-element shift of the origin",
        ),
        (
            "recentred",
            Recentred,
            ("second-order",),
            ("differentiable",),
            "origin moved to the centroid of the elements",
        ),
        ("double-always", DoubleAlways, ("precision-of-the-positions",), SPHERICAL, "float64 only"),
        (
            "precision-of-the-array",
            PrecisionOfTheArray,
            ("precision-of-the-positions",),
            SPHERICAL,
            "the precision of the array instead of the positions'",
        ),
        (
            "naive-difference",
            NaiveDifference,
            ("single-precision",),
            ("differentiable",),
            "ρ - r by subtraction in float32",
        ),
        ("not-normalised", NotNormalised, ("unit-norm",), SPHERICAL, "no 1/√N"),
        (
            "normalised-over-all",
            NormalisedOverAll,
            ("batch-is-a-loop",),
            ("differentiable", "element-response"),
            "norm over all sources of a scene",
        ),
        (
            "mean-of-the-batch",
            MeanOfTheBatch,
            ("batch-is-a-loop",),
            SPHERICAL,
            "a source moved by the mean of the batch",
        ),
        ("inverse-range", InverseRange, ("near-field",), SPHERICAL, "w in place of r"),
        (
            "halved-wavelength",
            HalvedWavelength,
            ("far-field-limit",),
            SPHERICAL,
            "λ/2 for λ: twice the phase",
        ),
        (
            "built-in-wavelength",
            BuiltInWavelength,
            ("far-field-limit", "free-of-units"),
            SPHERICAL,
            "wavelength of 0.3 m for every array",
        ),
        (
            "gains-ignored",
            GainsIgnored,
            ("gains-weight-the-elements",),
            SPHERICAL,
            "element gains ignored",
        ),
        ("noisy", Noisy, ("repeatable",), SPHERICAL, "not deterministic"),
        (
            "global-generator",
            GlobalGenerator,
            ("global-generators-left-alone",),
            SPHERICAL,
            "draws from the global generator",
        ),
        ("wraps", Wraps, ("inputs-left-alone",), SPHERICAL, "positions changed in place"),
        ("nan-at-broadside", NanAtBroadside, ("finite-everywhere",), SPHERICAL, "0/0 at broadside"),
        ("nan-at-infinity", NanAtInfinity, ("finite-everywhere",), SPHERICAL, "∞/∞ at r = ∞"),
        (
            "pole-derivatives",
            PoleDerivatives,
            ("finite-derivatives",),
            SPHERICAL,
            "derivatives 0/0 at the poles",
        ),
        ("detached", Detached, ("gradients-are-right",), SPHERICAL, "cut from the graph"),
        (
            "partly-detached",
            PartlyDetached,
            ("gradients-are-right",),
            SPHERICAL,
            "range cut from the graph",
        ),
        (
            "range-not-inverse",
            RangeNotInverse,
            ("derivatives-are-those-of-autograd",),
            SPHERICAL,
            "∂/∂r for ∂/∂w",
        ),
        (
            "sign-of-the-range",
            SignOfTheRange,
            ("derivatives-are-those-of-autograd",),
            SPHERICAL,
            "∂/∂w with the other sign",
        ),
        (
            "coarse-differences",
            CoarseDifferences,
            ("derivatives-are-finite-differences",),
            ("exact",),
            "derivatives over half a radian",
        ),
        (
            "blind-to-elevation",
            BlindToElevation,
            ("fisher-rank", "sign-and-axes"),
            ("differentiable", "far-field"),
            "elevation plays no part",
        ),
        (
            "not-exact",
            CrossTermDropped,
            ("exact-is-spherical",),
            SPHERICAL,
            "second order that says it is exact",
        ),
        (
            "not-separable",
            Spherical,
            ("separable-factors",),
            ("differentiable", "separable"),
            "does not factor, though it says so",
        ),
        (
            "not-blind",
            Spherical,
            ("blind-to-range",),
            ("differentiable", "far-field"),
            "tells the range, though it says it does not",
        ),
        (
            "not-planar",
            Spherical,
            ("planar-only-refuses-depth",),
            ("differentiable", "planar-only"),
            "takes arrays that it says it cannot",
        ),
        (
            "refuses-depth",
            Canonical,
            ("holds-in-three-dimensions",),
            ("differentiable", "separable"),
            "planar-only that does not say so",
        ),
        (
            "first-array-for-all",
            SharedArrayAlone,
            ("arrays-of-their-own",),
            SPHERICAL,
            "the array of the first scene for all",
        ),
        ("one-batch-axis", OneBatchAxis, ("shapes",), SPHERICAL, "batch axes run together"),
        (
            "any-positions",
            AnyPositions,
            ("wrong-positions-are-refused",),
            ("differentiable",),
            "makes up coordinates that are not there",
        ),
        (
            "no-far-limit",
            NoFarLimit,
            ("far-field-limit",),
            ("differentiable",),
            "curved wavefronts from infinity",
        ),
        (
            "response-lost-at-infinity",
            CosinePatterns,
            ("settles-at-infinity",),
            ("differentiable", "element-response"),
            "element patterns dropped at r = ∞",
        ),
    )
]
