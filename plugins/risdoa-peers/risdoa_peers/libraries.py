"""Import of the libraries behind the backends, when they are used and not before."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

from risdoa.errors import PluginLoadError


def library(name: str) -> Any:
    """Return a library.

    Raises:
        PluginLoadError: if it is not installed, or fails to load.
    """
    try:
        with warnings.catch_warnings():
            # acoular says that it keeps to one thread because NumPy was there first
            warnings.simplefilter("ignore", UserWarning)
            return import_module(name)
    except ImportError as error:
        raise PluginLoadError(
            f"{name} cannot be imported: {error}", f"pip install 'risdoa-peers[{name}]'"
        ) from error
