"""The processes of one training: alone, or started side by side by ``torchrun``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from risdoa.errors import InputError


@dataclass(frozen=True)
class Team:
    """Which process this is, of how many; the one that leads writes and talks."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the run directory."""
        return self.rank == 0

    def share(self, count: int) -> range:
        """Return which of ``count`` pieces of work are this process's."""
        return range(self.rank, count, self.size)

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of ``values`` over the processes, the same in all of them."""
        if self.size > 1:
            values = values.clone()
            distributed.all_reduce(values)
        return values

    def replica(self, model: nn.Module) -> nn.Module:
        """Return the model as all processes train it: a backward pass averages gradients."""
        if self.size == 1:
            return model
        return DistributedDataParallel(model)


@contextmanager
def joined_team(device: str) -> Iterator[Team]:
    """Join the processes that ``torchrun`` has started beside this one; alone without it.

    Each process takes the accelerator of its local rank.

    Raises:
        InputError: if there are fewer accelerators than processes.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team()
        return
    cuda = torch.device(device).type == "cuda"
    if cuda:
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise InputError(
                f"process {local} has no accelerator of its own: there are "
                f"{torch.cuda.device_count()}",
                "start as many processes as there are accelerators",
            )
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Team(distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()


def is_leader() -> bool:
    """Return whether this process is the one that writes and talks."""
    return os.environ.get("RANK", "0") == "0"


def apart(replica: nn.Module) -> AbstractContextManager[None]:
    """Return a context in which a backward pass adds to the process's own gradients alone."""
    if isinstance(replica, DistributedDataParallel):
        context: AbstractContextManager[None] = replica.no_sync()
        return context
    return nullcontext()
