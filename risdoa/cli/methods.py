"""Methods of ``--method``, made from plugins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from risdoa.cli.options import Settings, options_of, registry
from risdoa.errors import InputError

if TYPE_CHECKING:
    from risdoa.evaluation.methods import Method, MethodSpec


def names_of(specs: Sequence[MethodSpec]) -> list[str]:
    """Return the plugins that methods use."""
    names = [name for spec in specs for name in (spec.model, *spec.chain, spec.steering)]
    return [name for name in names if name not in {None, "none"}]


def refuse_steering(specs: Sequence[MethodSpec]) -> None:
    """Refuse methods with a steering model of their own, where all are told the scenario's.

    Raises:
        InputError: for the first of them.
    """
    for spec in specs:
        if spec.steering is not None:
            raise InputError(
                f"method {str(spec)!r} cannot be told another steering model here",
                f"leave @{spec.steering} out: methods are told the scenario's own",
            )


def methods_of(specs: Sequence[MethodSpec], settings: Settings, scenario: str) -> list[Method]:
    """Return the methods, ready to run, with the settings of all and their own."""
    from risdoa.evaluation.methods import Method  # noqa: PLC0415 - not for --help
    from risdoa.pipeline import build_chain  # noqa: PLC0415

    methods = []
    for spec in specs:
        chain = build_chain(
            registry(),
            model=spec.model,
            chain=spec.chain,
            settings=spec.settings(settings),
            checkpoint=spec.run,
        )
        steering = None
        if spec.steering is not None:
            own = spec.settings(_steering_settings(settings, scenario))
            options = options_of(own, "steering", spec.steering)
            told = registry().find("steering", spec.steering).name
            steering = (told, registry().create("steering", spec.steering, **options))
        methods.append(Method(spec.label, chain, steering))
    return methods


def _steering_settings(settings: Settings, scenario: str) -> Settings:
    """Return the settings for steering models; a name that the scenario has too means that one."""
    taken = {scenario, scenario.rpartition("/")[2]}
    return {name: options for name, options in settings.items() if name not in taken}
