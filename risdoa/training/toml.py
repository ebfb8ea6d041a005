"""Nested settings as TOML, which Python's library only reads."""

from __future__ import annotations

import json
from collections.abc import Mapping


def to_toml(settings: Mapping[str, object], prefix: str = "") -> str:
    """Return nested settings as TOML; None, which TOML lacks, is left out at the top level."""
    lines, tables = [], []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            name = f"{prefix}{_key(key)}"
            body = to_toml(value, f"{name}.")
            plain = any(not isinstance(one, Mapping) for one in value.values())
            tables.append(f"\n[{name}]\n{body}" if plain else body)
        elif value is not None:
            lines.append(f"{_key(key)} = {_value(value)}\n")
        elif prefix:
            lines.append(f'{_key(key)} = "none"\n')
    return "".join(lines + tables)


def _key(key: str) -> str:
    bare = key.replace("-", "").replace("_", "")
    return key if bare.isascii() and bare.isalnum() else json.dumps(key)


def _value(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
