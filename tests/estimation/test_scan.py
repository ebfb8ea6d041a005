"""The matched subspace spectrum of the measurements, against dense projections."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from risdoa.conventions import invert_range
from risdoa.grid import Grid
from risdoa.scan import Matched
from risdoa.scan import matched as scan
from risdoa.sensing import Direct
from tests import oracles
from tests.estimation.scenes import SHARING, scene

sharing = pytest.mark.parametrize("labels", SHARING.values(), ids=SHARING.keys())
reading = pytest.mark.parametrize("direct", [False, True], ids=["coded", "direct"])

SMALL = Grid(
    torch.linspace(-0.8, 0.8, 5, dtype=torch.float64),
    torch.linspace(-0.4, 0.4, 3, dtype=torch.float64),
    torch.tensor([0.1, 0.5, 1.5], dtype=torch.float64),
)
SINGLE = 1e-4
"""Relative: vectors of 36 and sums of 64 products in complex64, 1e-7 each, with some to spare."""


def dense_spectrum(problem, points, found):
    """Return Σ_b ‖Q(p)ᴴy⊥‖² with everything beside ``found`` sources, by dense projections."""
    index = problem.snapshots.block_index.numpy()
    values = problem.snapshots.values[0].numpy()
    sensing, array = problem.snapshots.sensing, problem.array

    def observed(search):
        steering = problem.steering(array, invert_range(search))
        if isinstance(sensing, Direct):
            return np.stack([steering.numpy()] * len(values))
        return (sensing.matrix()[0] @ steering).numpy()

    candidates, energy = observed(points), np.zeros(len(points))
    for label in np.unique(index):
        y = np.concatenate(list(values[index == label]))
        b = np.concatenate(list(candidates[index == label]))
        if found is not None:
            spent = np.concatenate(list(observed(found)[index == label]))
            complement = np.eye(len(y)) - oracles.projector(spent)
            y, b = complement @ y, complement @ b
        energy += np.abs(b.conj().T @ y) ** 2 / np.linalg.norm(b, axis=0) ** 2
    return energy


@sharing
@reading
@pytest.mark.parametrize("sources", [0, 1, 2])
def test_the_spectrum_is_what_a_further_source_explains(labels, direct, sources):
    known = scene(3, blocks=labels, direct=direct, snr_db=10.0)
    found = invert_range(known.truth.positions)[:, :sources] if sources else None
    spectrum = Matched.prepare(known.problem, SMALL).spectrum(found)[0].numpy()
    expected = dense_spectrum(known.problem, SMALL.points(), None if found is None else found[0])
    # the floor on what is left beside a source may only lower the value, next to that source
    np.testing.assert_allclose(spectrum, expected, rtol=0, atol=SINGLE * expected.max())


@sharing
def test_explained_is_the_energy_in_the_span(labels):
    known = scene(2, blocks=labels, snr_db=10.0)
    search = invert_range(known.truth.positions)
    explained = float(Matched.prepare(known.problem, SMALL).explained(search))
    alone = dense_spectrum(known.problem, search[0, :1], None)[0]
    rest = dense_spectrum(known.problem, search[0, 1:], search[0, :1])[0]
    assert explained == pytest.approx(alone + rest, rel=1e-7)  # a load of 1e-9 on the Gram matrix


@sharing
@reading
def test_noiseless_sources_explain_everything(labels, direct):
    known = scene(3, blocks=labels, direct=direct)
    search = invert_range(known.truth.positions)
    energy = float((known.problem.snapshots.values.abs() ** 2).sum())
    explained = float(Matched.prepare(known.problem, SMALL).explained(search))
    assert explained == pytest.approx(energy, rel=1e-7)


@sharing
def test_the_best_point_is_that_of_the_source(labels):
    known = scene(1, blocks=labels, scenes=3, seed=2)
    at = invert_range(known.truth.positions)[0, 0]
    grid = Grid(
        torch.stack((at[0] - 0.3, at[0], at[0] + 0.2)),
        torch.stack((at[1] - 0.2, at[1], at[1] + 0.3)),
        torch.stack((at[2] - 0.3, at[2], at[2] + 0.5)),
    )
    matched = Matched.prepare(known.problem, grid)
    torch.testing.assert_close(matched.best(None), at.expand(3, 3), rtol=0, atol=1e-12)


def test_next_to_a_found_source_nothing_is_found_again():
    """There b⊥ is only rounding; without the floor it could win by dividing 0 by 0."""
    known = scene(2, snr_db=30.0)
    at = invert_range(known.truth.positions)
    grid = Grid(*(torch.unique(at[0, :, axis]) for axis in range(3)))
    matched = Matched.prepare(known.problem, grid)
    best = matched.best(at[:, :1])
    torch.testing.assert_close(best, at[:, 1], rtol=0, atol=1e-12)
    again = (matched.points == at[0, 0]).all(-1)
    spectrum = matched.spectrum(at[:, :1])[0]
    assert float(spectrum[again]) < 1e-3 * float(spectrum.max())


@sharing
def test_a_batch_is_a_loop_and_chunks_do_not_matter(labels, monkeypatch):
    known = scene(2, blocks=labels, scenes=3, snr_db=10.0)
    found = invert_range(known.truth.positions)[:, :1]
    whole = Matched.prepare(known.problem, SMALL).spectrum(found)
    tolerance = {"rtol": SINGLE, "atol": SINGLE * float(whole.max())}
    for s in range(3):
        index = torch.tensor([s])
        alone = Matched.prepare(known.problem.select(index), SMALL).spectrum(found[index])
        torch.testing.assert_close(whole[index], alone, **tolerance)
    monkeypatch.setattr(scan, "MEMORY", 1)
    torch.testing.assert_close(
        Matched.prepare(known.problem, SMALL).spectrum(found), whole, **tolerance
    )


def test_a_surface_shared_by_all_scenes_serves_each():
    known = scene(1, scenes=3, snr_db=10.0)
    sensing = known.problem.snapshots.sensing
    shared = type(sensing)(sensing.channel[0], sensing.codes[0])
    snapshots = type(known.problem.snapshots)(known.problem.snapshots.values, shared)
    problem = type(known.problem)(
        snapshots, known.problem.array, known.problem.steering, known.problem.region
    )
    whole = Matched.prepare(problem, SMALL).spectrum(None)
    for s in range(3):
        alone = Matched.prepare(problem.select(torch.tensor([s])), SMALL).spectrum(None)
        torch.testing.assert_close(
            whole[s : s + 1], alone, rtol=SINGLE, atol=SINGLE * float(whole.max())
        )
