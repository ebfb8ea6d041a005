"""Which losses have gradients that are not finite, on which covariances, in which precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import product

import torch
from torch import Tensor

from risdoa.covariance import Covariance
from risdoa.evaluation.gradient_draws import KINDS, draw_factor, draw_truth
from risdoa.evaluation.journal import Budget, Journal
from risdoa.losses.base import Loss
from risdoa.problem import Truth

START_SCALE = 65536.0
"""What a gradient scaler multiplies the loss by at first."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Plan:
    """What is drawn: at least ``batches`` batches, shared evenly among the cells.

    Attributes:
        batches: All cells together.
        scenes: Scenes a batch.
        side: Elements along each side of the square array.
        widths: Columns J of the factor of R = FFᴴ + δI.
        loads: δ over tr FFᴴ/N.
        snr_db: Per element, all sources together.
        precisions: Of F as the network hands it over: ``float32``, or ``bfloat16`` or ``float16``
            from inside autocast. The loss itself computes in float32 always.
    """

    batches: int
    scenes: int
    side: int
    widths: tuple[int, ...]
    loads: tuple[float, ...]
    snr_db: tuple[float, ...]
    precisions: tuple[str, ...]
    seed: int
    device: str = "cpu"

    @property
    def cells(self) -> list[tuple[int, float, float]]:
        """Every width, load and SNR."""
        return list(product(self.widths, self.loads, self.snr_db))

    @property
    def batches_of_a_kind(self) -> int:
        """Batches of one kind of covariance in a cell."""
        return math.ceil(self.batches / (len(self.cells) * len(KINDS)))

    @property
    def batches_in_all(self) -> int:
        """Batches that are drawn: those asked for, rounded up to full cells."""
        return self.batches_of_a_kind * len(KINDS) * len(self.cells)

    def counted(self, losses: int) -> int:
        """Return how often a batch is counted once all is done."""
        return self.batches_in_all * losses * len(self.precisions)


@dataclass(frozen=True)
class Count:
    """What a loss did on the batches of one kind in one cell, in one precision.

    Attributes:
        nonfinite: Batches without a finite unscaled gradient in F: an entry is NaN or infinite, or
            a decomposition did not converge or refused to be differentiated.
        overflow: Batches that are finite unscaled and not at the first scale of a gradient scaler,
            which lowers it and skips the step.
        largest: The largest norm of a finite unscaled gradient of a batch.
    """

    width: int
    load: float
    snr_db: float
    kind: str
    loss: str
    precision: str
    batches: int
    nonfinite: int
    overflow: int
    largest: float


def count_gradients(
    plan: Plan,
    losses: Mapping[str, Loss],
    journal: Journal,
    budget: Budget,
    progress: Progress | None = None,
) -> list[Count]:
    """Return the counts of the cells that fit into the budget, those of the journal included."""
    for number, cell in enumerate(plan.cells):
        key = f"J={cell[0]} load={cell[1]:g} snr_db={cell[2]:g}"
        if key not in journal:
            if not budget.allows_another():
                break
            journal.add(key, [asdict(each) for each in _cell(plan, number, losses)])
        if progress is not None:
            progress(number + 1, len(plan.cells))
    return [Count(**each) for record in journal.records.values() for each in record]


def share(counts: list[Count], figure: str) -> float:
    """Return ``nonfinite`` or ``overflow`` as a share of the batches, in percent."""
    batches = sum(each.batches for each in counts)
    return 100 * sum(int(getattr(each, figure)) for each in counts) / batches


def _cell(plan: Plan, number: int, losses: Mapping[str, Loss]) -> list[Count]:
    width, load, snr_db = plan.cells[number]
    generator = torch.Generator().manual_seed(plan.seed * 100_000 + number)
    batches, counts = plan.batches_of_a_kind, []
    for kind in KINDS:
        truth = draw_truth(plan.side, batches * plan.scenes, generator)
        factor = draw_factor(kind, truth, width, snr_db, generator).to(plan.device)
        truth = truth.to(plan.device, torch.complex64)
        for name, precision in product(losses, plan.precisions):
            found = _gradients(losses[name], factor, load, truth, precision, plan.scenes)
            counts.append(
                Count(width, load, snr_db, kind, name, precision, batches, *_tally(*found))
            )
    return counts


def _tally(plain: Tensor, scaled: Tensor) -> tuple[int, int, float]:
    """Return how many norms are not finite, how many are so only scaled, and the largest."""
    good = plain.isfinite()
    largest = float(plain[good].max()) if bool(good.any()) else 0.0
    return int((~good).sum()), int((good & ~scaled.isfinite()).sum()), largest


def _gradients(
    loss: Loss, factor: Tensor, load: float, truth: Truth, precision: str, scenes: int
) -> tuple[Tensor, Tensor]:
    """Return the norm of the gradient of every batch, unscaled and at the first scale, (B,) each.

    Batches are taken at once; where that fails, by halves to find out in which it does.
    """
    try:
        return _at_once(loss, factor, load, truth, precision, scenes)
    except RuntimeError:  # a decomposition did not converge, or refused to be differentiated
        if len(factor) == scenes:
            broken = torch.full((1,), torch.nan)
            return broken, broken
    half = scenes * (len(factor) // scenes // 2)
    parts = [
        _gradients(loss, factor[places], load, truth.select(places), precision, scenes)
        for places in torch.arange(len(factor), device=factor.device).tensor_split([half])
    ]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def _at_once(
    loss: Loss, factor: Tensor, load: float, truth: Truth, precision: str, scenes: int
) -> tuple[Tensor, Tensor]:
    leaf = torch.view_as_real(factor).clone().requires_grad_()
    kind: torch.dtype = getattr(torch, precision)
    covariance = Covariance(torch.view_as_complex(leaf.to(kind).float()))
    if load:
        level = load * covariance.energy() / covariance.elements
        covariance = Covariance(covariance.factor, level)
    amp = kind != torch.float32
    with torch.autocast(factor.device.type, kind if amp else None, enabled=amp):
        value = loss(covariance, truth).sum() / scenes
    plain = _norms(torch.autograd.grad(value, leaf, retain_graph=amp)[0], scenes)
    if not amp:
        return plain, plain
    return plain, _norms(torch.autograd.grad(START_SCALE * value, leaf)[0], scenes)


def _norms(slope: Tensor, scenes: int) -> Tensor:
    """Return the norm over every batch, in double precision, (B,)."""
    batches = slope.double().reshape(len(slope) // scenes, -1)
    norms: Tensor = torch.linalg.vector_norm(batches, dim=-1)
    return norms.cpu()
