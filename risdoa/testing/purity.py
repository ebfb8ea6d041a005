"""What every plugin keeps to: same input, same output, and nothing else touched."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass

import numpy as np
import torch
from torch import Tensor

from risdoa.testing.failures import expect


def tensors_of(value: object, path: str = "") -> dict[str, Tensor]:
    """Return every tensor in a tensor, a dataclass, a module or a sequence of those, by path."""
    if isinstance(value, Tensor):
        return {path or "value": value}
    parts: dict[str, object] = {}
    if isinstance(value, torch.nn.Module):
        parts = dict(value.state_dict())
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, list | tuple):
        parts = {str(index): part for index, part in enumerate(value)}
    found: dict[str, Tensor] = {}
    for name, part in parts.items():
        found |= tensors_of(part, f"{path}.{name}" if path else name)
    return found


def expect_inputs_left_alone(call: Callable[[], object], *inputs: object) -> None:
    """Run ``call`` and fail if a tensor in ``inputs`` is different afterwards."""
    tensors = tensors_of(list(inputs))
    before = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    call()
    for name, tensor in tensors.items():
        same = torch.equal(tensor.detach().nan_to_num(), before[name].nan_to_num())
        expect(same, "inputs left as they are", f"a change of {name.partition('.')[2] or name}")


def expect_repeatable(call: Callable[[], object]) -> None:
    """Run ``call`` twice, the global generators seeded differently, and compare what it returns."""
    with _random_state_kept():
        results = []
        for seed in (1, 2):
            _seed_all(seed)
            results.append(tensors_of(call()))
        first, second = results
        expect(first.keys() == second.keys(), "the same fields from the same input", second.keys())
        for name, value in first.items():
            same = torch.equal(value.detach().nan_to_num(), second[name].detach().nan_to_num())
            expect(same, "the same output from the same input", f"another {name} the second time")


def expect_global_generators_left_alone(call: Callable[[], object]) -> None:
    """Run ``call`` and fail if a global random generator was drawn from or seeded."""
    with _random_state_kept():
        _seed_all(7)
        before = _draws()
        _seed_all(7)
        call()
        drawn = [name for name, value in _draws().items() if value != before[name]]
        expect(
            not drawn,
            "every random draw from an explicit generator",
            f"a use of the global generator of {', '.join(drawn)}",
        )


def _seed_all(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the global generator is what is under check
    torch.manual_seed(seed)


def _draws() -> dict[str, float]:
    """Return the next number of every global generator."""
    return {
        "random": random.random(),
        "numpy.random": float(np.random.random()),  # noqa: NPY002 - see above
        "torch": float(torch.rand(())),
    }


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Put the global generators back to where they were."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - see above
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002 - see above
