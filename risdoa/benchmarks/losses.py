"""What the seed's loss costs, against its formula as written and against NMSE on the dense R."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.benchmarks.threads import threads as threads_of
from risdoa.covariance import Covariance
from risdoa.errors import CheckFailedError
from risdoa.losses.gt_projection import GtProjection
from risdoa.problem import Truth
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.draws import complex_normal
from risdoa.subspace import EPSILON

AGREE = 1e-4
"""How near value and gradient of the loop must be, relative to the largest, in single precision."""

Value = Callable[[Covariance, Truth], Tensor]


@dataclass(frozen=True)
class LossSpeed:
    """Seconds of forward and backward from F to the gradient in F, the fastest of all turns.

    Attributes:
        threads: How many threads torch works with.
        factored: ``gt-projection`` as it is.
        literal: The seed's formula scene by scene, with dense matrices.
        dense_nmse: ‖R - R_true‖²/‖R_true‖² of dense matrices, all scenes at once.
        difference: The largest difference of the loop's gradient from that of ``gt-projection``,
            relative to the largest entry.
    """

    threads: int
    factored: float
    literal: float
    dense_nmse: float
    difference: float

    @property
    def over_literal(self) -> float:
        """How many times as fast as the loop."""
        return self.literal / self.factored

    @property
    def over_dense_nmse(self) -> float:
        """How many times as fast as NMSE on the dense R."""
        return self.dense_nmse / self.factored


def loss_speed(
    *, side: int, scenes: int, sources: int, width: int, repeats: int, seed: int, threads: int
) -> LossSpeed:
    """Time the three in turn, so that a busy machine slows them alike, in single precision.

    Raises:
        CheckFailedError: if the loop and ``gt-projection`` do not agree.
    """
    generator = torch.Generator().manual_seed(seed)
    _, truth = Canonical(side, side).sample(scenes, generator, sources=sources)
    truth = truth.to(dtype=torch.complex64)
    factor = complex_normal((scenes, side * side, width), generator).to(torch.complex64)
    true = truth.covariance.dense()
    losses: dict[str, Value] = {
        "factored": GtProjection(),
        "literal": literal_projection,
        "dense_nmse": lambda covariance, _: _dense_nmse(covariance, true),
    }
    with threads_of(threads):
        difference = _difference(losses["factored"], losses["literal"], factor, truth)
        fastest = dict.fromkeys(losses, float("inf"))
        for _ in range(repeats):
            for name, loss in losses.items():
                begun = time.perf_counter()
                _slope(loss, factor, truth)
                fastest[name] = min(fastest[name], time.perf_counter() - begun)
    return LossSpeed(threads, **fastest, difference=difference)


def literal_projection(covariance: Covariance, truth: Truth) -> Tensor:
    """Return ‖P⊥RP⊥‖²/‖R‖² as the seed writes it: a loop over scenes, with dense N × N matrices."""
    dense, problem, values = covariance.dense(), truth.problem, []
    eye = torch.eye(dense.shape[-1], dtype=dense.dtype)
    for scene in range(len(dense)):
        matrix = dense[scene]
        with torch.no_grad():
            columns = problem.steering(problem.array, truth.positions[scene])
            gram = columns.mH @ columns + EPSILON * torch.eye(columns.shape[1])
            outside = eye - columns @ torch.linalg.inv(gram) @ columns.mH
        energy = torch.linalg.matrix_norm(outside @ matrix @ outside) ** 2
        values.append(energy / torch.linalg.matrix_norm(matrix) ** 2)
    return torch.stack(values)


def _dense_nmse(covariance: Covariance, true: Tensor) -> Tensor:
    error, size = (torch.linalg.matrix_norm(each) for each in (covariance.dense() - true, true))
    share: Tensor = (error / size) ** 2
    return share


def _slope(loss: Value, factor: Tensor, truth: Truth) -> Tensor:
    """Return the gradient in F of the sum over scenes."""
    leaf = factor.detach().requires_grad_()
    return torch.autograd.grad(loss(Covariance(leaf), truth).sum(), leaf)[0]


def _difference(one: Value, other: Value, factor: Tensor, truth: Truth) -> float:
    mine, theirs = (_slope(loss, factor, truth) for loss in (one, other))
    slopes = float((mine - theirs).abs().max() / theirs.abs().max())
    values = float((one(Covariance(factor), truth) - other(Covariance(factor), truth)).abs().max())
    if not max(slopes, values) <= AGREE:
        raise CheckFailedError(
            f"gt-projection is off its own formula by {values:.1e}, its gradient by {slopes:.1e}",
            f"they should agree to {AGREE:g}; try other sources with --seed",
        )
    return slopes
