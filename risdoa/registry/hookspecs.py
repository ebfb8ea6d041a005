"""The hooks: the whole contract between risdoa and a plugin.

A plugin is a module with functions of these names, marked ``risdoa.hookimpl``, behind an entry
point of the group ``risdoa``::

    [project.entry-points.risdoa]
    my-losses = "my_losses"

The records name code by string, so that listing a plugin does not import what it needs.
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
}
"""The hook of each kind."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def risdoa_steering() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Yield steering models: how a source at a position appears at the elements of an array.

    The factory makes an object that is called with an array and positions (..., K, 3) as
    azimuth [rad], elevation [rad] and range [m], and returns (..., N, K) complex of unit norm.

    Example::

        import risdoa


        @risdoa.hookimpl
        def risdoa_steering():
            yield risdoa.Plugin(
                name="fresnel",
                factory="my_steering.fresnel:Fresnel",
                summary="Second-order expansion of the spherical wave.",
                traits=("differentiable",),
                example="risdoa estimate scene.npz --steering fresnel --sources 1",
            )
    """


@hookspec
def risdoa_losses() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Yield losses: what an estimated covariance costs, given the truth.

    The factory makes an object that is called with a ``Covariance`` and a ``Truth`` and returns
    one real value a scene, (...).

    Example::

        import risdoa


        @risdoa.hookimpl
        def risdoa_losses():
            yield risdoa.Plugin(
                name="log-det",
                factory="my_losses.log_det:LogDet",
                summary="Log-determinant divergence from the true covariance.",
                example="risdoa train --loss nmse=1,log-det=0.1",
            )
    """


@hookspec
def risdoa_models() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Yield models: how the covariance at the aperture is estimated from snapshots.

    The factory makes an object that is called with a ``Problem`` and returns a ``Covariance``;
    a learned one is a ``torch.nn.Module`` as well.

    Example::

        import risdoa


        @risdoa.hookimpl
        def risdoa_models():
            yield risdoa.Plugin(
                name="ledoit-wolf",
                factory="my_models.shrinkage:LedoitWolf",
                summary="The sample covariance, shrunk towards the identity.",
                example="risdoa estimate scene.npz --model ledoit-wolf --sources 1",
            )
    """


@hookspec
def risdoa_backends() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Yield backends: how positions are found, alone or as a link of a chain.

    The factory makes an object that is called with a ``Problem``, a ``Covariance`` or None and
    the ``Estimates`` of the link before or None, and returns ``Estimates``. The trait
    ``snapshots-only`` says that it reads the measurements alone, so that no covariance is made.

    Example::

        import risdoa


        @risdoa.hookimpl
        def risdoa_backends():
            yield risdoa.Plugin(
                name="esprit",
                factory="my_backends.esprit:Esprit",
                summary="Rotational invariance between two halves of the array.",
                example="risdoa estimate scene.npz --backend esprit,nf-mle --sources 2",
            )
    """


@hookspec
def risdoa_scenarios() -> Iterable[Plugin]:  # type: ignore[empty-body]
    """Yield scenarios: where training and test scenes come from.

    The factory makes an object whose ``sample(count, generator)`` returns a ``Problem`` and its
    ``Truth``, batched in the leading axis.

    Example::

        import risdoa


        @risdoa.hookimpl
        def risdoa_scenarios():
            yield risdoa.Plugin(
                name="corridor",
                factory="my_scenarios.corridor:Corridor",
                summary="One source walking along a corridor.",
                example="risdoa simulate --scenario corridor --scenes 10 --out corridor.npz",
            )
    """
