"""What a search changes about sets of sources."""

from __future__ import annotations

import pytest
import torch

from risdoa.backends.ml_moves import joined, split
from risdoa.backends.ml_places import steps
from risdoa.backends.ml_trial import Trial
from risdoa.grid import search_grid
from risdoa.scan import Matched
from tests.draws import generator
from tests.estimation.scenes import REGION, region_with, scene


def scanned(region=REGION):
    """Return a scan of one scene."""
    problem = scene(1, region=region).problem
    return Matched.prepare(problem, search_grid(problem.array, problem.region))


def drawn(sets, sources):
    """Return sets of sources with random places and powers."""

    def numbers(*shape):
        return torch.rand(shape, dtype=torch.float64, generator=generator(5))

    return Trial(numbers(sets, sources, 3), numbers(sets, sources), numbers(sets), numbers(sets))


@pytest.mark.parametrize("sources", [1, 2])
def test_a_split_source_becomes_two_about_its_place_with_its_power(sources):
    matched, trial = scanned(), drawn(4, sources)
    halves = split(matched, trial)
    ways = 3 * sources
    assert halves.search.shape == (4 * ways, sources + 1, 3)
    for row in range(4 * ways):
        whole, source, axis = row // ways, row % ways // 3, row % 3
        one, other = halves.search[row, source], halves.search[row, -1]
        torch.testing.assert_close((one + other) / 2, trial.search[whole, source])
        apart = torch.zeros(3, dtype=torch.float64)
        apart[axis] = steps(matched)[axis]
        torch.testing.assert_close(one - other, apart)
        assert halves.powers[row, source] == halves.powers[row, -1]
        torch.testing.assert_close(halves.powers[row].sum(), trial.powers[whole].sum())
        rest = [each for each in range(sources) if each != source]
        assert torch.equal(halves.search[row, rest], trial.search[whole, rest])
        assert halves.noise[row] == trial.noise[whole]


def test_no_source_is_split_along_a_fixed_coordinate():
    fixed = region_with(elevation=(0.1, 0.1), range=(3.0, 3.0))
    halves = split(scanned(fixed), drawn(4, 1))
    assert halves.search.shape == (4, 2, 3)
    assert bool((halves.search[:, 0, 1:] == halves.search[:, 1, 1:]).all())
    everything = region_with(azimuth=(0.2, 0.2), elevation=(0.1, 0.1), range=(3.0, 3.0))
    assert split(scanned(everything), drawn(4, 2)).search.shape == (0, 3, 3)


def test_the_sets_of_two_trials_stand_together_in_their_groups():
    one, other = drawn(4, 2), drawn(6, 2)
    both = joined(one, other, 2)
    parts = (one.cost[:2], other.cost[:3], one.cost[2:], other.cost[3:])
    assert torch.equal(both.cost, torch.cat(parts))
    none = joined(one, other.rows(torch.arange(0)), 2)
    assert torch.equal(none.search, one.search)
