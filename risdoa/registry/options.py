"""The options of a plugin: a pydantic model, its own or read off its factory's signature."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.fields import FieldInfo

from risdoa.errors import InputError, UnknownNameError

_CONFIG = ConfigDict(
    extra="forbid",
    allow_inf_nan=False,
    arbitrary_types_allowed=True,
    protected_namespaces=(),
)


def signature_model(name: str, factory: Callable[..., object]) -> type[BaseModel]:
    """Return the model of the options that ``factory`` takes by keyword."""
    target = factory.__init__ if inspect.isclass(factory) else factory
    hints = get_type_hints(target, include_extras=True)
    options: dict[str, Any] = {}
    for parameter in inspect.signature(factory).parameters.values():
        if parameter.kind in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            missing = parameter.default is parameter.empty
            default = ... if missing else parameter.default
            options[parameter.name] = (hints.get(parameter.name, Any), default)
    return create_model(name, __config__=_CONFIG, **options)


def validated(name: str, model: type[BaseModel], given: Mapping[str, object]) -> dict[str, Any]:
    """Return every option of the plugin ``name``, the given ones converted and checked.

    Strings are converted, as they come from the command line: ``"20"`` to a number, ``"1,2"`` to
    a tuple, ``"none"`` to None where the type allows it.

    Raises:
        InputError: An option is missing or has a wrong value.
        UnknownNameError: There is no such option.
    """
    fields = model.model_fields
    given = {option.replace("-", "_"): value for option, value in given.items()}
    for option in given:
        if option not in fields:
            raise UnknownNameError(f"{name} has no option {option!r}", _hint(name, fields, option))
    values = {option: _prepared(fields[option], value) for option, value in given.items()}
    try:
        options = model.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        option = ".".join(str(part) for part in problem["loc"][:1])
        text = f"{name}.{option}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
        came = f", got {given[option]!r}" if option in given else ""
        raise InputError(text + came, _hint(name, fields)) from error
    return {option: getattr(options, option) for option in fields}


def described(fields: Mapping[str, FieldInfo]) -> str:
    """Describe options as ``name: type = default``, separated by commas."""
    return ", ".join(_described(option, field) for option, field in fields.items())


def _described(option: str, field: FieldInfo) -> str:
    """Describe one option."""
    kind = inspect.formatannotation(field.annotation).replace("typing.", "")
    default = "" if field.is_required() else f" = {field.get_default(call_default_factory=True)!r}"
    return f"{option}: {kind}{default}"


def _hint(name: str, fields: Mapping[str, FieldInfo], wrong: str = "") -> str:
    """Say what the plugin takes, and what a misspelt option may have meant."""
    near = difflib.get_close_matches(wrong, fields, n=1)
    question = f"did you mean {near[0]!r}? " if near else ""
    return f"{question}{name} takes {described(fields) or 'no options'}"


def _prepared(field: FieldInfo, value: object) -> object:
    """Return ``value`` with a string split or made None where the option's type asks for it."""
    if not isinstance(value, str):
        return value
    kinds = _alternatives(field.annotation)
    if NoneType in kinds and value.lower() in {"none", "null"}:
        return None
    origins = {get_origin(kind) or kind for kind in kinds}
    if origins & {tuple, list} and not origins & {str, Literal}:
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _alternatives(annotation: object) -> tuple[object, ...]:
    """Return the members of a union, or the one type there is."""
    union = get_origin(annotation) in {Union, UnionType}
    return get_args(annotation) if union else (annotation,)
