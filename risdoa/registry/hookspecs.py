"""The hooks: the whole contract between risdoa and a plugin.

A plugin is a module with functions of these names, marked ``risdoa.hookimpl``, behind an entry
point of the group ``risdoa``::

    [project.entry-points.risdoa]
    my-losses = "my_losses"

The records name code by string, so that listing a plugin does not import what it needs. Each
example below is a whole module; one that is to be listed quickly keeps its hook in a module of its
own, away from its classes and their imports.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from risdoa.registry.records import Plugin

PROJECT = "risdoa"

HOOKS = {
    "steering": "risdoa_steering",
    "loss": "risdoa_losses",
    "model": "risdoa_models",
    "backend": "risdoa_backends",
    "scenario": "risdoa_scenarios",
    "reader": "risdoa_readers",
}
"""The hook of each kind."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def risdoa_steering() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Yield steering models: how a source at a position appears at the elements of an array.

    The factory makes a ``risdoa.Steering``. It is called with an array of N elements and positions
    (..., K, 3) as azimuth [rad], elevation [rad] and range [m], inf being a plane wave, and returns
    (..., N, K) complex of unit norm, in the precision of the positions and differentiable in them.
    Element gains of the array, where it has some, come before the normalisation.

    Example::

        import torch

        import risdoa


        class Fresnel(risdoa.Steering):
            def __call__(self, array, positions):
                azimuth, elevation, distance = positions.unbind(-1)
                across = elevation.cos()
                direction = (azimuth.sin() * across, elevation.sin(), azimuth.cos() * across)
                elements = array.positions.to(positions)
                along = elements @ torch.stack(direction, dim=-2)
                beside = elements.square().sum(-1, keepdim=True) - along.square()
                lead = along - beside / (2 * distance.unsqueeze(-2))
                wave = torch.polar(torch.ones_like(lead), array.wavenumber * lead)
                if array.gains is not None:
                    wave = wave * array.gains.unsqueeze(-1).to(wave)
                return wave / torch.linalg.vector_norm(wave, dim=-2, keepdim=True)


        @risdoa.hookimpl
        def risdoa_steering():
            yield risdoa.Plugin(
                name="fresnel",
                factory=f"{__name__}:Fresnel",
                summary="Second-order expansion of the spherical wave.",
                traits=("differentiable",),
                example="risdoa estimate scene.npz --steering fresnel --sources 1",
            )
    """


@hookspec
def risdoa_losses() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Yield losses: what an estimated covariance costs, given the truth.

    The factory makes a ``risdoa.Loss``. It is called with a ``Covariance`` and a ``Truth`` of S
    scenes and returns one real, finite value a scene, (S,), smaller being better. Gradients reach
    the covariance alone.

    Example::

        import risdoa


        class Distance(risdoa.Loss):
            def __call__(self, covariance, truth):
                true = risdoa.Covariance(truth.covariance.factor.detach().to(covariance.factor))
                energy = covariance.squared_norm() * true.squared_norm()
                return 1 - covariance.inner(true) / energy.sqrt()


        @risdoa.hookimpl
        def risdoa_losses():
            yield risdoa.Plugin(
                name="matrix-distance",
                factory=f"{__name__}:Distance",
                summary="Correlation matrix distance from the true covariance.",
                traits=("differentiable", "scale-invariant", "complete"),
                example="risdoa train --loss matrix-distance --preset smoke --out run",
                references=("Herdin et al., VTC 2005",),
            )
    """


@hookspec
def risdoa_models() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Yield models: how the covariance at the aperture is estimated from snapshots.

    The factory makes a ``risdoa.Model``. It is called with a ``Problem`` of S scenes and returns
    their ``Covariance``, R = FFᴴ + δI with F (S, N, J) and δ (S,). ``supports(problem)`` says
    whether there is one. A learned model, trait ``learned``, extends
    ``risdoa.models.learned.LearnedModel``, a ``torch.nn.Module``.

    Example::

        import risdoa


        class Shrunk(risdoa.Model):
            def __init__(self, alpha: float = 0.1) -> None:
                self.alpha = alpha

            def supports(self, problem):
                return isinstance(problem.snapshots.sensing, risdoa.Direct)

            def __call__(self, problem):
                values = problem.snapshots.values
                factor = (1 - self.alpha) ** 0.5 * values.mT / values.shape[-2] ** 0.5
                power = values.abs().square().mean((-2, -1))
                return risdoa.Covariance(factor, self.alpha * power)


        @risdoa.hookimpl
        def risdoa_models():
            yield risdoa.Plugin(
                name="shrunk",
                factory=f"{__name__}:Shrunk",
                summary="The sample covariance, shrunk towards the identity.",
                example="risdoa estimate scene.npz --model shrunk --sources 1",
            )
    """


@hookspec
def risdoa_backends() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Yield backends: how positions are found, alone or as a link of a chain.

    The factory makes a ``risdoa.Backend``. It is called with a ``Problem`` of S scenes, a
    ``Covariance`` or None and the ``Estimates`` of the link before or None, and returns
    ``Estimates`` of positions (S, K, 3) as azimuth [rad], elevation [rad] and range [m].
    ``risdoa.errors.InputError`` says what it lacks.

    Example::

        from dataclasses import replace

        import torch

        import risdoa
        from risdoa.errors import InputError


        class Pursuit(risdoa.Backend):
            def __init__(self, steps: int = 20) -> None:
                self.steps = steps

            def __call__(self, problem, covariance, start):
                if covariance is None or problem.sources is None:
                    raise InputError("pursuit needs a covariance and the number of sources")
                bounds = problem.region.tolist()
                axes = [torch.linspace(low, high, self.steps).double() for low, high in bounds]
                grid = torch.cartesian_prod(*axes)
                left = factor = covariance.factor.to(torch.complex128)
                atoms = problem.steering(problem.array, grid).expand(len(factor), -1, -1)
                chosen = []
                for _ in range(int(problem.sources.max())):
                    chosen.append((atoms.mH @ left).abs().square().sum(-1).argmax(-1))
                    index = torch.stack(chosen, dim=-1)
                    basis = torch.linalg.qr(atoms.take_along_dim(index.unsqueeze(1), -1)).Q
                    left = factor - basis @ (basis.mH @ factor)
                found = risdoa.Estimates.at(grid[index], left.abs().square().sum((-2, -1)))
                counted = torch.arange(index.shape[-1]) < problem.sources.unsqueeze(-1)
                return replace(found, valid=counted)


        @risdoa.hookimpl
        def risdoa_backends():
            yield risdoa.Plugin(
                name="pursuit",
                factory=f"{__name__}:Pursuit",
                summary="Orthogonal matching pursuit over a grid of the region.",
                traits=("needs-covariance", "grid"),
                example="risdoa estimate scene.npz --backend pursuit,nf-mle --sources 2",
            )
    """


@hookspec
def risdoa_scenarios() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Yield scenarios: where training and test scenes come from.

    The factory makes a ``risdoa.Scenario``. Its ``sample(count, generator, *, sources, snr_db)``
    returns a ``Problem`` of ``count`` scenes and its ``Truth``, in double precision, with every
    random number from ``generator``. ``sources`` and ``snr_db`` fix what None leaves to it.

    Example::

        import torch

        import risdoa
        from risdoa.errors import InputError


        class Corridor(risdoa.Scenario):
            data_model = estimation_model = "spherical"

            def __init__(self, width: float = 2.0, snapshots: int = 16) -> None:
                self.width, self.snapshots = width, snapshots

            def sample(self, count, generator, *, sources=None, snr_db=None):
                if count < 1 or sources not in {None, 1}:
                    raise InputError("a corridor has one source in each of at least one scene")

                def normal(*shape):
                    return torch.randn(shape, dtype=torch.complex128, generator=generator)

                walked = 6 * torch.rand(count, 1, dtype=torch.float64, generator=generator) - 3
                away = torch.full_like(walked, self.width)
                places = (walked.atan2(away), 0 * away, walked.hypot(away))
                positions = torch.stack(places, dim=-1)
                array = risdoa.Array.planar(6, 6, wavelength=0.3)
                steering = risdoa.Registry.discover().create("steering", "spherical")
                signals = normal(count, self.snapshots, 1)
                field = signals @ steering(array, positions).mT
                snr = 10 ** ((20.0 if snr_db is None else snr_db) / 10)
                noise = field.abs().square().mean((-2, -1)) / snr
                values = field + noise.sqrt()[:, None, None] * normal(*field.shape)
                snapshots = risdoa.Snapshots(values, risdoa.Direct(), noise_power=noise)
                region = torch.tensor([[-1.0, 1], [0, 0], [1, 4]], dtype=torch.float64)
                ones = torch.ones(count, 1)
                problem = risdoa.Problem(snapshots, array, steering, region, ones[:, 0].long())
                return problem, risdoa.Truth.of(
                    positions, ones.bool(), ones.double(), problem, signals
                )


        @risdoa.hookimpl
        def risdoa_scenarios():
            yield risdoa.Plugin(
                name="corridor",
                factory=f"{__name__}:Corridor",
                summary="One source walking along a corridor.",
                example="risdoa simulate --scenario corridor --scenes 10 --out corridor.npz",
            )
    """


@hookspec
def risdoa_readers() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Yield readers: how a recording is read from a file.

    The factory makes a ``risdoa.Reader``. It is called with the path of a file that is there and
    not empty, and returns a ``risdoa.Recording``. The traits that begin with a dot are the suffixes
    of its files, in lower case. ``risdoa.errors.InputError`` says what is wrong with a file.

    Example::

        import numpy as np

        import risdoa
        from risdoa.errors import InputError


        class Csv(risdoa.Reader):
            def __init__(self, wavelength_m: float = 0.3) -> None:
                self.wavelength_m = wavelength_m

            def __call__(self, path):
                try:
                    table = np.loadtxt(path, delimiter=",", ndmin=2)
                    values = table[:, 3:].reshape(len(table), -1, 2)
                except ValueError as error:
                    hint = "a line an element: x, y, z, then real and imaginary parts"
                    raise InputError(f"{path} is not such a table ({error})", hint) from error
                return risdoa.Recording(
                    positions_m=table[:, :3],
                    wavelength_m=self.wavelength_m,
                    snapshots=(values[..., 0] + 1j * values[..., 1]).T[None],
                )


        @risdoa.hookimpl
        def risdoa_readers():
            yield risdoa.Plugin(
                name="csv",
                factory=f"{__name__}:Csv",
                summary="A table with a line an element.",
                traits=(".csv",),
                example="risdoa estimate scene.csv --set csv.wavelength_m=0.1 --sources 1",
            )
    """
