"""What a further source does to the likelihood, at every grid point, against dense covariances."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from risdoa.conventions import invert_range
from risdoa.grid import Grid
from risdoa.scan import Gain, Matched, likelihood_gain
from risdoa.sensing import Direct
from tests import oracles
from tests.estimation.scenes import scene

SMALL = Grid(
    torch.linspace(-0.8, 0.8, 5, dtype=torch.float64),
    torch.linspace(-0.4, 0.4, 3, dtype=torch.float64),
    torch.tensor([0.1, 0.5, 1.5], dtype=torch.float64),
)
reading = pytest.mark.parametrize("direct", [False, True], ids=["coded", "direct"])


def observed(problem, search):
    """Return G_l A of the first scene, (L, M, K)."""
    steering = problem.steering(problem.array, invert_range(search)).numpy()
    if isinstance(problem.snapshots.sensing, Direct):
        return np.stack([steering] * problem.snapshots.count)
    return problem.snapshots.sensing.matrix()[0].numpy() @ steering


def state(known, sources):
    """Return the first sources at their places, with powers and noise near the true ones."""
    search = invert_range(known.truth.positions)[:, :sources]
    scenes = len(search)
    powers = known.truth.powers[:, :sources] * 0.8
    return search, powers, torch.full((scenes,), 0.3, dtype=torch.float64)


@reading
@pytest.mark.parametrize("sources", [0, 1, 2])
def test_the_gain_is_the_rise_of_the_dense_likelihood(direct, sources):
    known = scene(3, direct=direct, snr_db=5.0)
    problem, (search, powers, noise) = known.problem, state(known, sources)
    found = likelihood_gain(Matched.prepare(problem, SMALL), search, powers, noise)
    values = problem.snapshots.values[0].numpy()
    held = observed(problem, search[0])
    before = oracles.stochastic_cost(values, held, powers[0].numpy(), 0.3)
    for point in range(0, len(SMALL.points()), 4):
        column = observed(problem, SMALL.points()[point : point + 1])
        power = float(found.powers[0, point])
        both = np.concatenate((held, column), axis=-1)
        after = oracles.stochastic_cost(values, both, np.append(powers[0], power), 0.3)
        # single precision: |m|² and g of 64 outputs are good to 1e-5 of their size
        assert float(found.value[0, point]) == pytest.approx(before - after, rel=1e-3, abs=1e-3)


def test_the_power_all_but_maximises_the_gain():
    known = scene(3, snr_db=5.0)
    problem, (search, powers, noise) = known.problem, state(known, 2)
    matched = Matched.prepare(problem, SMALL)
    found = likelihood_gain(matched, search, powers, noise)
    values, held = problem.snapshots.values[0].numpy(), observed(problem, search[0])
    before = oracles.stochastic_cost(values, held, powers[0].numpy(), 0.3)
    point = int(found.value[0].argmax())
    both = np.concatenate((held, observed(problem, SMALL.points()[point : point + 1])), axis=-1)
    best = max(
        before - oracles.stochastic_cost(values, both, np.append(powers[0], power), 0.3)
        for power in np.geomspace(1e-3, 1e3, 200)
    )
    assert best > 10
    assert float(found.value[0, point]) > 0.9 * best


def test_the_power_is_found_where_few_snapshots_see_the_source():
    """From a power of 0, the snapshots in which ‖G_l a‖² is large would decide alone."""
    draws = torch.Generator().manual_seed(0)
    exponential = torch.empty(2000, 16, 2).exponential_(generator=draws)
    room = 3 * exponential[..., 0] ** 3
    fit = room * (1 + 0.5 * room) * exponential[..., 1]
    levels = torch.logspace(-3, 2, 300)

    def value(power):
        load = 1 + power[:, None] * room
        return (power[:, None] * fit / load - load.log()).sum(1)

    best = torch.stack([value(level.expand(2000)) for level in levels]).amax(0)
    found = Gain.of(*(each.T[None, None].clone() for each in (fit, room)))
    missing = (best - value(found.powers.flatten())).clamp_min(0)
    assert float(missing.mean()) < 0.03


@reading
def test_sources_at_one_place_leave_the_gain_finite(direct):
    known = scene(1, scenes=64, snr_db=5.0, direct=direct)
    search, powers, noise = state(known, 1)
    matched = Matched.prepare(known.problem, SMALL)
    for apart in (0, 1e-6, 1e-4):
        twice = torch.cat((search, search + apart), dim=1)
        found = likelihood_gain(matched, twice, 1e6 * powers.expand(-1, 2), 1e-3 * noise)
        assert bool(found.value.isfinite().all())


def test_nothing_is_gained_where_nothing_is_left():
    known = scene(2, snr_db=40.0)
    problem, (search, powers, _) = known.problem, state(known, 2)
    noise = torch.full((1,), 100.0, dtype=torch.float64)
    found = likelihood_gain(Matched.prepare(problem, SMALL), search, powers, noise)
    assert float(found.value.min()) >= 0
    assert float(found.powers.min()) == 0


@reading
def test_sets_of_sources_and_chunks_of_scenes_do_not_matter(direct, monkeypatch):
    known = scene(2, scenes=3, direct=direct, snr_db=5.0)
    search, powers, noise = state(known, 1)
    both = torch.stack((search, search + 0.1), dim=1).flatten(0, 1)
    levels = torch.stack((powers, 2 * powers), dim=1).flatten(0, 1)
    noises = torch.stack((noise, noise / 2), dim=1).flatten()
    matched = Matched.prepare(known.problem, SMALL)
    together = likelihood_gain(matched, both, levels, noises)
    # the fields are those of other batches: products in single precision may round differently
    near = {"rtol": 1e-4, "atol": 1e-3}
    first = likelihood_gain(matched, both[0::2], levels[0::2], noises[0::2])
    second = likelihood_gain(matched, both[1::2], levels[1::2], noises[1::2])
    torch.testing.assert_close(together.value[0::2], first.value, **near)
    torch.testing.assert_close(together.value[1::2], second.value, **near)
    monkeypatch.setattr("risdoa.scan.matched.MEMORY", 1)
    again = likelihood_gain(matched, both, levels, noises)
    torch.testing.assert_close(again.value, together.value, **near)
