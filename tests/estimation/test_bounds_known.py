"""Bounds where something is known: against closed forms and Slepian–Bangs without its columns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from risdoa import bounds
from risdoa.arrays import Array
from risdoa.conventions import COORDINATES, cartesian
from risdoa.errors import InputError
from risdoa.steering.canonical import Canonical
from tests import oracles
from tests.estimation.scenes import SHARING, scene
from tests.estimation.test_bounds import DIFFERENCES, STEPS, matrices, steered

KNOWN = [("range",), ("azimuth",), ("azimuth", "elevation"), ("elevation", "range")]


def one_source(size=8, snapshots=16):
    """Return a source off both axes before a centred square read directly, canonical steering."""
    return scene(
        direct=True,
        array=Array.planar(size, size, 0.3),
        steering=Canonical(),
        places=torch.tensor([[0.5, -0.4, 3.0]], dtype=torch.float64),
        snapshots=snapshots,
        snr_db=10.0,
    )


def quality(known):
    """Return 2 L SNR_a k² with the realised power."""
    problem = known.problem
    noise = float(problem.snapshots.noise_power)
    power = float(known.truth.signals.abs().square().mean())
    return 2 * problem.snapshots.count * power / noise * problem.array.wavenumber**2


def test_an_elevation_at_a_known_azimuth_has_the_closed_form():
    """F_θθ = F_u (∂u/∂θ)² + F_v (∂v/∂θ)², F_u = F_v = 2 L SNR_a k² V_x; w is not coupled."""
    known = one_source()
    azimuth, elevation = known.truth.positions[0, 0, :2].tolist()
    each = quality(known) * 0.15**2 * (64 - 1) / 12
    slope = (np.sin(azimuth) * np.sin(elevation)) ** 2 + np.cos(elevation) ** 2
    bound = bounds.deterministic(known.truth, known=("azimuth",))[0, 0]
    assert float(bound[1, 1]) == pytest.approx(1 / (each * slope), rel=1e-9)
    assert float(bound[0].abs().max()) == 0.0


def test_a_range_by_known_signals_has_the_closed_form():
    """The variance of q = x² + y² becomes its mean square: no unknown phase takes its mean."""
    size, step = 8, 0.15
    known = one_source(size)
    second = step**2 * (size**2 - 1) / 12
    fourth = step**4 * (size**2 - 1) * (3 * size**2 - 7) / 240
    square = 2 * fourth + 2 * second**2
    told = bounds.deterministic(known.truth, known=("signals",))[0, 0, 2, 2]
    assert float(told) == pytest.approx(3.0**4 / (quality(known) * square / 4), rel=1e-9)
    spread = 2 * (fourth - second**2)
    free = bounds.deterministic(known.truth)[0, 0, 2, 2]
    assert float(free) == pytest.approx(3.0**4 / (quality(known) * spread / 4), rel=1e-9)


def assert_blocks(found, information, kept):
    """Compare with the inverse of the information over the kept parameters, source by source."""
    part = information[np.ix_(kept, kept)]
    scale = np.sqrt(part.diagonal())
    inverse = np.zeros_like(information)
    inverse[np.ix_(kept, kept)] = np.linalg.inv(part / np.outer(scale, scale)) / np.outer(
        scale, scale
    )
    for k, each in enumerate(found):
        block = inverse[3 * k : 3 * k + 3, 3 * k : 3 * k + 3]
        width = np.sqrt(np.where(block.diagonal() > 0, block.diagonal(), 1.0))
        np.testing.assert_allclose(
            each / np.outer(width, width), block / np.outer(width, width), atol=DIFFERENCES
        )


def coordinates_left(names, sources):
    return [
        3 * k + axis for k in range(sources) for axis in range(3) if COORDINATES[axis] not in names
    ]


@pytest.mark.parametrize("names", [*KNOWN, ("powers",), ("noise", "range"), ("powers", "noise")])
def test_stochastic_is_slepian_bangs_without_what_is_known(names):
    known = scene(2, seed=4, snr_db=10.0)
    g, noise = matrices(known.problem), float(known.problem.snapshots.noise_power)

    def covariances(at):
        a = steered(known.problem, at[:6].reshape(2, 3)).astype(complex)
        return oracles.stochastic_covariances(g @ a, at[6:8], at[8])

    point = np.concatenate((known.truth.positions[0].numpy().ravel(), [1.0, 1.0, noise]))
    steps = np.concatenate((np.tile(STEPS, 2), [1e-4, 1e-4, 1e-4 * noise]))
    information = oracles.slepian_bangs_covariance(covariances, point, steps)
    kept = coordinates_left(names, 2)
    kept += [6, 7] if "powers" not in names else []
    kept += [8] if "noise" not in names else []
    assert_blocks(bounds.stochastic(known.truth, known=names)[0].numpy(), information, kept)


@pytest.mark.parametrize("shared", SHARING, ids=SHARING.keys())
@pytest.mark.parametrize("names", [*KNOWN, ("signals",), ("signals", "range")])
def test_deterministic_is_slepian_bangs_without_what_is_known(names, shared):
    known = scene(2, seed=2, blocks=SHARING[shared], snr_db=10.0)
    g, index = matrices(known.problem), known.problem.snapshots.block_index.numpy()
    first = [int(np.argmax(index == b)) for b in range(index.max() + 1)]
    signals = known.truth.signals[0].numpy()[first]
    count, noise = signals.size, float(known.problem.snapshots.noise_power)

    def mean(at):
        a = steered(known.problem, at[:6].reshape(2, 3)).astype(complex)
        s = (at[6 : 6 + count] + 1j * at[6 + count :]).reshape(signals.shape)
        return (g @ a @ s[index][..., None]).ravel()

    places = known.truth.positions[0].numpy().ravel()
    point = np.concatenate((places, signals.real.ravel(), signals.imag.ravel()))
    steps = np.concatenate((np.tile(STEPS, 2), np.full(2 * count, 1e-4)))
    slopes = [
        (mean(point + step) - mean(point - step)) / (2 * step.max()) for step in np.diag(steps)
    ]
    slopes = np.stack(slopes, axis=1)
    information = 2 / noise * (slopes.conj().T @ slopes).real
    kept = coordinates_left(names, 2)
    kept += [*range(6, len(point))] if "signals" not in names else []
    assert_blocks(bounds.deterministic(known.truth, known=names)[0].numpy(), information, kept)


@pytest.mark.parametrize(
    ("bound", "name"),
    [(bounds.deterministic, "powers"), (bounds.stochastic, "signals"), (bounds.stochastic, "x")],
)
def test_what_a_bound_does_not_have_cannot_be_known(bound, name):
    with pytest.raises(InputError, match=name) as caught:
        bound(scene(1, snr_db=10.0).truth, known=(name,))
    assert "azimuth" in caught.value.hint


def test_the_position_error_bound_is_the_trace_in_cartesian_coordinates():
    positions = torch.tensor([[0.7, -0.4, 3.0], [-0.2, 0.5, 0.8]], dtype=torch.float64)
    root = torch.randn((2, 3, 3), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    covariance = root @ root.mT
    jacobian = torch.stack([torch.func.jacfwd(cartesian)(place) for place in positions])
    moved = jacobian @ covariance @ jacobian.mT
    expected = moved.diagonal(dim1=-2, dim2=-1).sum(-1).sqrt()
    torch.testing.assert_close(bounds.position_error(positions, covariance), expected)


def test_levels_are_the_rms_over_the_sources_that_are_there():
    positions = torch.tensor([[[0.0, 0.0, 2.0], [0.3, 0.1, 4.0], [0.0, 0.0, 1.0]]]).double()
    mask = torch.tensor([[True, True, False]])
    covariance = torch.diag_embed(torch.tensor([[[1.0, 4.0, 9.0], [3.0, 2.0, 1.0], [0, 0, 0]]]))
    covariance = covariance.double()
    covariance[0, 2] = torch.nan
    found = bounds.levels(positions, mask, covariance)[0].tolist()
    degrees = 180 / np.pi
    expected = [degrees * 2**0.5, degrees * 3**0.5, 5**0.5, ((9 / 16 + 1 / 256) / 2) ** 0.5]
    assert found[:4] == pytest.approx(expected)
    each = bounds.position_error(positions[0, :2], covariance[0, :2]).square().mean().sqrt()
    assert found[4] == pytest.approx(float(each))
