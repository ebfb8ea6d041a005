"""From a template to a distribution of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from tempfile import TemporaryDirectory

from risdoa.errors import InputError, UnknownNameError
from risdoa.scaffold.names import Names, checked

KINDS = ("loss", "steering", "backend", "model")
"""The kinds that have a template."""


def write(name: str, kind: str, folder: str | os.PathLike[str] = ".") -> list[Path]:
    """Write a distribution called ``name`` with a plugin of a kind, and return its files.

    The distribution is the folder ``name`` in ``folder``, and works as it is: it can be installed
    and passes the checks of its kind. It is written whole or not at all.

    Raises:
        InputError: The name cannot be, the folder exists already or cannot be written.
        UnknownNameError: The kind has no template.
    """
    if kind not in KINDS:
        raise UnknownNameError(f"there is no template for a {kind!r}", f"use {', '.join(KINDS)}")
    names = checked(name, kind)
    target = Path(folder) / name
    if target.exists():
        raise InputError(f"cannot write {target}: it exists already", "choose another name")
    texts = {_renamed(path, kind, names): text for path, text in _template(kind).items()}
    try:
        _write_all(target, {path: _renamed(text, kind, names) for path, text in texts.items()})
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "choose a folder that you may write to"
        raise InputError(f"cannot write {target}: {reason}", hint) from error
    return sorted(target / path for path in texts)


def _template(kind: str) -> dict[str, str]:
    """Return the files of a template by path."""
    root = resources.files("risdoa.scaffold") / "templates" / kind
    return {path: file.read_text("utf-8") for path, file in _files(root)}


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    """Yield every file below a folder with its path, without what Python compiles."""
    for entry in folder.iterdir():
        if entry.is_file():
            yield prefix + entry.name, entry
        elif entry.name != "__pycache__":
            yield from _files(entry, f"{prefix}{entry.name}/")


def _renamed(text: str, kind: str, names: Names) -> str:
    """Return a text with the names of the template replaced."""
    text = text.replace(f"my-{kind}", names.plugin).replace(f"my_{kind}", names.package)
    return text.replace(f"My{kind.capitalize()}", names.cls)


def _write_all(target: Path, texts: dict[str, str]) -> None:
    """Write files beside ``target``, then give their folder its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=".risdoa-") as temporary:
        folder = Path(temporary) / target.name
        for path, text in texts.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        folder.rename(target)
