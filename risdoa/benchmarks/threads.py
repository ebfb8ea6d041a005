"""How many threads work, for as long as something is timed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from risdoa.threads import torch_threads


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch work with ``count`` threads, and what a library of a plugin brings likewise.

    That is Numba, and the BLAS of NumPy where threadpoolctl is there to tell it. All are left as
    they were.
    """
    with _numba(count), _blas(count), torch_threads(count):
        yield


@contextmanager
def _numba(count: int) -> Iterator[None]:
    """Let Numba, if it is in use, work with no more than ``count`` threads."""
    numba: Any = sys.modules.get("numba")
    if numba is None:
        yield
        return
    before = numba.get_num_threads()
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    try:
        yield
    finally:
        numba.set_num_threads(before)


def _blas(count: int) -> Any:
    """Return the scope in which NumPy's BLAS works with ``count`` threads."""
    if find_spec("threadpoolctl") is None:
        return nullcontext()
    return import_module("threadpoolctl").threadpool_limits(count, user_api="blas")
