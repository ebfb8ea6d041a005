"""Independent batches side by side on the threads of the processor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

_SPREADING = threading.Lock()
"""Held while the batches of one call run: torch's number of threads is one for the process."""


def side_by_side(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return ``[function(item) for item in items]``, as many at once as torch may use threads.

    Each item then has one thread: many small operations gain nothing from sharing their loops, and
    all from running beside other batches. Results do not depend on the number of threads. Nothing
    is recorded for gradients. A scope of autocast around the call does not reach the other threads,
    and threads of others that first use torch meanwhile begin with one thread.
    """
    quiet = torch.no_grad()(function)
    workers = min(torch.get_num_threads(), len(items))
    if workers < 2 or not _SPREADING.acquire(blocking=False):
        return [quiet(item) for item in items]
    try:
        with torch_threads(1), ThreadPoolExecutor(workers) as pool:
            return list(pool.map(quiet, items))
    finally:
        _SPREADING.release()


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Give each operation of torch so many threads, and put back what was."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
