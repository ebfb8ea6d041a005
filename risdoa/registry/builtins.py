"""The plugins that come with risdoa, told through the same hooks as anyone else's."""

from __future__ import annotations

from collections.abc import Iterable

from risdoa.registry.hookspecs import hookimpl
from risdoa.registry.records import Plugin

COMMANDS = {
    "simulate": ("risdoa.cli.simulate:command", "Write simulated scenes, with their truth."),
    "train": ("risdoa.cli.train:command", "Train a covariance network."),
    "hpo": ("risdoa.cli.hpo:command", "Search for the best training, on one worker or many."),
    "calibrate": ("risdoa.cli.calibrate:command", "Find the elements of an array from recordings."),
    "estimate": ("risdoa.cli.estimate:command", "Estimate source positions from a recording."),
    "bound": ("risdoa.cli.bound:command", "Print how well positions can be known."),
    "compare": ("risdoa.cli.compare:command", "Compare methods with each other and the bound."),
    "bench": ("risdoa.cli.bench:command", "Measure what methods cost and what they miss."),
    "doctor": ("risdoa.cli.doctor:command", "Check the installation, a model and conventions."),
    "plugins": ("risdoa.cli.plugins:command", "Show and check the plugins that are installed."),
    "demo": ("risdoa.cli.demo:command", "Train, compare and estimate, in a few minutes."),
}
"""The built-in commands: where each is, and what it does."""

_SUBSPACES = "A. Edelman et al., Algorithms with orthogonality constraints, SIAM J. Matrix, 1998"
_LEARNED = "K.-L. Chen and B. D. Rao, Subspace representation learning, 10.1109/TSP.2025.3544170"

_ALIGNED = ("true-steering", "differentiable", "scale-invariant")

_LOSSES: tuple[tuple[str, str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "gt-projection",
        "gt_projection:GtProjection",
        "The energy of the covariance outside the span of the true steering vectors.",
        _ALIGNED,
        (),
    ),
    (
        "one-sided-projection",
        "projection:OneSidedProjection",
        "The projection loss with the projector on one side, quadratic in the angle.",
        _ALIGNED,
        (),
    ),
    (
        "trace-projection",
        "projection:TraceProjection",
        "The share of the power outside the span of the true steering vectors.",
        _ALIGNED,
        (),
    ),
    (
        "completeness",
        "completeness:Completeness",
        "Forbids dropping a source: how evenly R fills the span of the steering vectors.",
        (*_ALIGNED, "complete"),
        (),
    ),
    (
        "peak-contrast",
        "peak_contrast:PeakContrast",
        "The Capon spectrum at the true positions against that half a beam beside them.",
        (*_ALIGNED, "complete"),
        ("J. Capon, High-resolution frequency-wavenumber spectrum analysis, Proc. IEEE, 1969",),
    ),
    (
        "chordal",
        "subspace_distance:Chordal",
        "Squared chordal distance of the signal subspace from the true one.",
        (*_ALIGNED, "complete"),
        (_SUBSPACES,),
    ),
    (
        "geodesic",
        "subspace_distance:Geodesic",
        "Squared principal angles between the signal subspace and the true one.",
        (*_ALIGNED, "complete"),
        (_SUBSPACES, _LEARNED),
    ),
    (
        "affine-invariant",
        "affine_invariant:AffineInvariant",
        "Affine-invariant distance of the loaded covariance from the loaded true one.",
        ("differentiable", "complete"),
        ("X. Pennec et al., A Riemannian framework for tensor computing, IJCV, 2006", _LEARNED),
    ),
    (
        "nmse",
        "nmse:Nmse",
        "Normalised mean square error of the covariance.",
        ("differentiable", "complete"),
        (),
    ),
)
"""Name, factory, summary, traits and references of the losses."""

_TUNED = {"completeness", "peak-contrast", "affine-invariant"}
"""The losses with options that are worth a search."""


@hookimpl
def risdoa_steering() -> Iterable[Plugin]:
    """Yield the built-in steering models."""
    yield Plugin(
        "canonical",
        "risdoa.steering.canonical:Canonical",
        "Second-order wavefront on a planar array, separable in the two axes.",
        traits=("separable", "planar-only", "differentiable"),
        example="risdoa estimate scene.npz --steering canonical --sources 1",
    )
    yield Plugin(
        "spherical",
        "risdoa.steering.spherical:Spherical",
        "The exact spherical wave.",
        traits=("differentiable", "exact"),
        example="risdoa estimate scene.npz --steering spherical --sources 1",
    )
    yield Plugin(
        "plane-wave",
        "risdoa.steering.plane_wave:PlaneWave",
        "The far-field plane wave, blind to range.",
        traits=("separable", "differentiable", "far-field"),
        example="risdoa estimate scene.npz --steering plane-wave --sources 1",
    )


@hookimpl
def risdoa_losses() -> Iterable[Plugin]:
    """Yield the built-in losses."""
    for name, factory, summary, traits, references in _LOSSES:
        yield Plugin(
            name,
            f"risdoa.losses.{factory}",
            summary,
            traits=traits,
            space=f"risdoa.losses.{factory.partition(':')[0]}:space" if name in _TUNED else None,
            example=f"risdoa train --loss {name} --preset smoke --out run",
            references=references,
        )


@hookimpl
def risdoa_models() -> Iterable[Plugin]:
    """Yield the built-in covariance models."""
    yield Plugin(
        "hybrid",
        "risdoa.models.hybrid:Hybrid",
        "CNN and transformer over the snapshots with a covariance-factor head.",
        traits=("learned",),
        space="risdoa.models.hybrid:space",
        example="risdoa train --loss gt-projection --preset smoke --out run",
    )
    yield Plugin(
        "unfolded",
        "risdoa.models.unfolded:Unfolded",
        "Evidence on a grid, judged by a CNN, round after round beside the likeliest sources.",
        traits=("learned",),
        space="risdoa.models.unfolded:space",
        example="risdoa train --model unfolded --preset smoke --out run",
        references=("Monga, Li and Eldar, IEEE Signal Processing Magazine, 2021",),
    )
    yield Plugin(
        "pretrained",
        "risdoa.models.pretrained:Pretrained",
        "The unfolded network with the weights that come with risdoa.",
        example="risdoa estimate scene.npz --model pretrained --sources 1",
        traits=("trained",),
        references=("docs/pretrained.md",),
    )
    yield Plugin(
        "sample",
        "risdoa.models.sample:Sample",
        "The classical covariance estimated from the snapshots alone.",
        example="risdoa estimate scene.npz --model sample --sources 1",
    )


@hookimpl
def risdoa_backends() -> Iterable[Plugin]:
    """Yield the built-in backends."""
    yield Plugin(
        "music",
        "risdoa.backends.music:Music",
        "MUSIC: the peaks of the subspace spectrum.",
        traits=("grid",),
        example="risdoa estimate scene.npz --backend music --sources 1",
    )
    yield Plugin(
        "bartlett",
        "risdoa.backends.bartlett:Bartlett",
        "The peaks of the beamformer spectrum aᴴRa.",
        traits=("biased",),
        example="risdoa estimate scene.npz --backend bartlett --sources 1",
    )
    yield Plugin(
        "mvdr",
        "risdoa.backends.mvdr:Mvdr",
        "The peaks of the minimum-variance (Capon) spectrum 1/(aᴴR⁻¹a).",
        example="risdoa estimate scene.npz --backend mvdr --sources 1",
    )
    yield Plugin(
        "newton",
        "risdoa.backends.newton:Newton",
        "Damped Newton steps on the subspace objective.",
        example="risdoa estimate scene.npz --backend music,newton --sources 1",
    )
    yield Plugin(
        "omp",
        "risdoa.backends.omp:Omp",
        "Orthogonal matching pursuit on the measurements, off the grid.",
        traits=("snapshots-only",),
        example="risdoa estimate scene.npz --backend omp --sources 1",
    )
    yield Plugin(
        "nf-mle",
        "risdoa.backends.nf_mle:NfMle",
        "Near-field maximum likelihood of the measurements.",
        traits=("snapshots-only", "error-bars", "efficient"),
        space="risdoa.backends.nf_mle:space",
        example="risdoa estimate scene.npz --backend nf-mle --sources 1",
    )


@hookimpl
def risdoa_readers() -> Iterable[Plugin]:
    """Yield the built-in readers."""
    yield Plugin(
        "npz",
        "risdoa.recordings.npz:Npz",
        "The layout risdoa-recording/1 in a NumPy archive.",
        traits=(".npz",),
        example="risdoa estimate scene.npz --sources 1",
    )
    yield Plugin(
        "matlab",
        "risdoa.recordings.matlab:Matlab",
        "The layout risdoa-recording/1 in a MATLAB file, up to version 7.",
        traits=(".mat",),
        example="risdoa estimate scene.mat --sources 1",
    )


@hookimpl
def risdoa_scenarios() -> Iterable[Plugin]:
    """Yield the built-in scenarios."""
    for name, factory, summary in (
        ("canonical", "Canonical", "RIS-coded snapshots of near-field sources."),
        ("canonical-sep10", "CanonicalSep10", "The canonical one, sources at least 10° apart."),
        ("path-loss", "PathLoss", "The canonical one, with power falling with distance."),
        ("static", "Static", "The canonical one, one source signal for all snapshots."),
        ("digital", "Digital", "The array is read directly, element by element."),
        ("spherical-data", "SphericalData", "Spherical data, estimated as canonical."),
        ("few-snapshots", "FewSnapshots", "The canonical one, four snapshots."),
        ("unknown-sources", "UnknownSources", "The canonical one, number of sources not told."),
        ("miscalibrated", "Miscalibrated", "Hardware that is not what estimators are told."),
        ("mixture", "Mixture", "Scenes of several scenarios, by weight."),
    ):
        yield Plugin(
            name,
            f"risdoa.scenarios.{name.replace('-', '_')}:{factory}",
            summary,
            traits=("model-error",) if name in {"spherical-data", "miscalibrated"} else (),
            example=f"risdoa simulate --scenario {name} --scenes 4 --seed 0 --out scenes.npz",
        )
