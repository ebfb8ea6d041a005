"""Gradients that are not finite are counted, and told from those that only overflow."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from risdoa.evaluation.gradient_draws import KINDS, draw_factor, draw_truth
from risdoa.evaluation.gradients import Plan, count_gradients, share
from risdoa.evaluation.journal import Budget, Journal
from risdoa.losses.base import Loss
from risdoa.losses.gt_projection import GtProjection

PLAN = Plan(
    batches=12,
    scenes=2,
    side=4,
    widths=(3, 20),
    loads=(0.0, 0.01),
    snr_db=(5.0,),
    precisions=("float32", "float16"),
    seed=1,
)


class Scaled(Loss):
    """A loss whose gradient is of this size times F."""

    def __init__(self, size):
        self.size = size

    def __call__(self, covariance, truth):
        return self.size * covariance.energy()


class Refused(Loss):
    """What torch does where eigenvectors are not defined; in the first scene of three alone."""

    def __call__(self, covariance, truth):
        if bool((truth.mask.sum(-1) == 1).any()):
            raise RuntimeError("linalg_eigh_backward: ill-defined")
        return covariance.energy()


def counted(loss, plan=PLAN):
    return count_gradients(plan, {"loss": loss}, Journal(None, {}), Budget(60.0))


def test_every_cell_kind_and_precision_is_counted():
    counts = counted(GtProjection())
    assert PLAN.batches_in_all == 12
    assert sum(each.batches for each in counts) == PLAN.counted(1) == 24
    places = {(e.width, e.load, e.snr_db, e.kind, e.precision) for e in counts}
    assert len(places) == len(counts) == 2 * 2 * 1 * 3 * 2
    assert all(each.nonfinite == each.overflow == 0 < each.largest for each in counts)


def test_nan_is_not_finite_and_overflow_is_counted_apart():
    broken = counted(Scaled(math.nan))
    assert all(each.nonfinite == each.batches and not each.largest for each in broken)
    assert share(broken, "nonfinite") == 100
    large = {e.precision: e for e in counted(Scaled(10.0)) if e.kind == "noisy" and e.width == 3}
    assert (large["float32"].nonfinite, large["float32"].overflow) == (0, 0)
    assert (large["float16"].nonfinite, large["float16"].overflow) == (0, 1)


def test_a_gradient_that_torch_refuses_is_none_and_costs_no_other_batch_its_own():
    plan = replace(PLAN, batches=120, precisions=("float32",))
    counts = counted(Refused(), plan)
    bad, total = (sum(getattr(e, name) for e in counts) for name in ("nonfinite", "batches"))
    assert 0.2 * total < bad < 0.6 * total  # 1 - 0.8²


def test_a_budget_leaves_cells_that_the_next_call_does(tmp_path):
    path, losses = tmp_path / "journal.jsonl", {"loss": GtProjection()}
    part = count_gradients(PLAN, losses, Journal(path, {}), Budget(0.0))
    assert part == []
    journal = Journal(path, {})
    whole = count_gradients(PLAN, losses, journal, Budget(60.0))
    kept = count_gradients(PLAN, losses, Journal(path, {}), Budget(0.0))
    assert kept == whole == counted(GtProjection())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [4, 20])
def test_covariances_are_of_the_kind_that_they_are_called(kind, width):
    generator = torch.Generator().manual_seed(0)
    truth = draw_truth(4, 50, generator)
    factor = draw_factor(kind, truth, width, 10.0, generator)
    assert factor.shape == (50, 16, width)
    sources = truth.mask.sum(-1)
    assert set(sources.tolist()) == {1, 2, 3, 4, 5}
    values = torch.linalg.eigvalsh((factor @ factor.mH).to(torch.complex128))
    assert float((values.sum(-1) / sources).mean()) == pytest.approx(1.1, rel=0.3)
    rank = (values > 1e-5 * values[:, -1:]).sum(-1)
    if kind == "low-rank":
        assert bool((rank <= (sources - 1).clamp_min(1)).all())
    else:
        assert bool((rank == min(width, 16)).all())
    if kind == "near-equal":
        assert bool((values[:, -1] / values[:, -min(width, 16)] < 1.002).all())
