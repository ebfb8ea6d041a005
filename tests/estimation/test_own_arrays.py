"""Circles, element gains, and scenes with arrays of their own, from data to estimates."""

from __future__ import annotations

import pytest
import torch

from risdoa.arrays import Array
from risdoa.backends.music import Music
from risdoa.backends.mvdr import Mvdr
from risdoa.backends.newton import Newton
from risdoa.backends.nf_mle import NfMle
from risdoa.bounds import deterministic, stochastic
from risdoa.conventions import great_circle
from risdoa.models.sample import Sample
from risdoa.steering.canonical import Canonical
from risdoa.steering.spherical import Spherical
from tests.draws import normal
from tests.estimation.scenes import PLACES, scene

SCENES = 3
SQUARE = Array.planar(6, 6, 0.3).positions
MOVED = SQUARE + 0.02 * normal((SCENES, 36, 3), 1).real
"""Elements a fifteenth of a wavelength off their places, in each scene others."""
GAINS = 1 + 0.4 * normal((SCENES, 36), 2)

ARRAYS = {
    "a circle": Array.circular(36, 0.3),
    "gains": Array(SQUARE, 0.3, GAINS[0]),
    "own places": Array(MOVED, 0.3),
    "own gains": Array(SQUARE, 0.3, GAINS),
    "own places and gains": Array(MOVED, 0.3, GAINS),
    "own places, shared gains": Array(MOVED, 0.3, GAINS[0]),
}

every_array = pytest.mark.parametrize("name", ARRAYS)
either_way = pytest.mark.parametrize("direct", [True, False], ids=["direct", "coded"])


def drawn(name, direct, sources=2):
    """Return noisy scenes of an array, every one with its own signals and noise."""
    options = {"array": ARRAYS[name], "steering": Spherical(), "direct": direct, "snr_db": 25.0}
    return scene(sources, scenes=SCENES, snapshots=16, outputs=12, seed=3, **options)


def chained(problem):
    """Return the estimates of the default chain."""
    covariance = Sample()(problem)
    found = Music()(problem, covariance, None)
    found = Newton()(problem, covariance, found)
    return NfMle()(problem, covariance, found)


def in_order(found, truth):
    """Return found positions in the order of the true ones."""
    angles = great_circle(found.unsqueeze(2), truth.unsqueeze(1))
    return torch.take_along_dim(found, angles.argmin(1).unsqueeze(-1), 1)


@either_way
@every_array
def test_the_chain_ends_at_the_sources(name, direct):
    """Within five √CRB in direction and 1/r: three scenes, two sources and three coordinates."""
    made = drawn(name, direct)
    found = in_order(chained(made.problem).positions, made.truth.positions)
    bound = deterministic(made.truth).diagonal(dim1=-2, dim2=-1).sqrt()
    assert bool((bound[..., :2] < 0.02).all())  # or the test would say nothing
    off = (found - made.truth.positions).abs()
    off[..., 2] *= made.truth.positions[..., 2] / found[..., 2]  # linear in 1/r
    assert bool((off <= 5 * bound).all())


@either_way
@every_array
def test_scenes_do_not_see_each_other(name, direct):
    """A start near the truth, so that the grid, which scenes share, plays no part."""
    made = drawn(name, direct)
    backend, start = NfMle(search=False), chained(made.problem)
    together = backend(made.problem, None, start).positions
    for number in range(SCENES):
        one = torch.tensor([number])
        alone = backend(made.problem.select(one), None, start.select(one)).positions
        torch.testing.assert_close(together[one], alone, rtol=0, atol=1e-5)


@either_way
@every_array
def test_bounds_are_those_of_every_scene_alone(name, direct):
    truth = drawn(name, direct).truth
    for bound in (deterministic, stochastic):
        together = bound(truth)
        assert bool(together.isfinite().all())
        alone = [bound(truth.select(torch.tensor([number]))) for number in range(SCENES)]
        torch.testing.assert_close(together, torch.cat(alone), rtol=1e-6, atol=1e-12)


@either_way
def test_other_gains_are_missed(direct):
    """Estimates go wrong where the gains that made the data are not told: they do enter."""
    made = drawn("own gains", direct)
    bare = Array(SQUARE, 0.3)
    told = type(made.problem)(
        made.problem.snapshots, bare, Spherical(), made.problem.region, made.problem.sources
    )
    right, wrong = (NfMle()(each, None, None).objective for each in (made.problem, told))
    assert bool((wrong > right).all())


def test_on_a_circle_the_canonical_model_does_not_see_the_range():
    """All elements are as far from the centre: x² + y² is the same, and so is its phase."""
    made = scene(1, scenes=2, direct=True, array=ARRAYS["a circle"], steering=Canonical())
    found = NfMle()(made.problem, None, None)
    assert bool(found.unobservable[..., 2].all())
    assert not bool(found.unobservable[..., :2].any())
    assert float((found.positions - PLACES[:1])[..., :2].abs().max()) < 1e-6


SPHERE = torch.tensor(
    [[-torch.pi, torch.pi], [-torch.pi / 2, torch.pi / 2], [0.8, 10.0]], dtype=torch.float64
)
BALL = Array(0.25 * normal((32, 3), 5).real, 0.3)


@pytest.mark.parametrize("azimuth_deg", [179.9, -179.9, 180.0])
@pytest.mark.parametrize("backend", [Music(), Mvdr(), NfMle()], ids=["music", "mvdr", "nf-mle"])
def test_a_source_beside_the_seam_of_a_full_circle_is_found(backend, azimuth_deg):
    place = torch.tensor([[[azimuth_deg, 5.0, 2.0], [20.0, -30.0, 1.5]]]).double()
    place[..., :2] = place[..., :2].deg2rad()
    made = scene(2, direct=True, array=BALL, places=place, region=SPHERE, snr_db=30.0)
    found = backend(made.problem, Sample()(made.problem), None).positions
    off = great_circle(found.unsqueeze(2), place.unsqueeze(1)).rad2deg().amin(1)
    assert float(off.max()) < 1.0  # on a grid of 11°
    assert float(found[..., 0].abs().max()) <= torch.pi
