"""Cramér–Rao bounds against Slepian–Bangs by finite differences, dense formulas, closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from risdoa import bounds
from risdoa.arrays import Array
from risdoa.conventions import RAD_PER_DEG
from risdoa.errors import InputError
from risdoa.problem import Truth
from risdoa.scenarios.canonical_sep10 import CanonicalSep10
from risdoa.sensing import Direct
from risdoa.steering.canonical import Canonical
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical
from tests import oracles
from tests.draws import generator
from tests.estimation.scenes import SHARING, scene

sharing = pytest.mark.parametrize("labels", SHARING.values(), ids=SHARING.keys())
reading = pytest.mark.parametrize("direct", [False, True], ids=["coded", "direct"])

STEPS = np.array([1e-5, 1e-5, 1e-4])
"""In rad, rad and m: truncation below 1e-8 of the slope, rounding 1e-16/1e-5."""
DIFFERENCES = 1e-5
"""Relative: what is left of central differences, through an inversion of condition up to 1e3."""


def matrices(problem):
    """Return G_l of the first scene, (L, M, N)."""
    sensing = problem.snapshots.sensing
    if isinstance(sensing, Direct):
        eye = np.eye(problem.array.count, dtype=complex)
        return np.stack([eye] * problem.snapshots.count)
    return oracles.coded_matrices(sensing.channel[0].numpy(), sensing.codes[0].numpy())


def steered(problem, places):
    """Return A for rows (φ, θ, r), column by column from the formula in extended precision."""
    elements, wavelength = problem.array.positions.numpy(), problem.array.wavelength
    if isinstance(problem.steering, Spherical):
        rows = [oracles.spherical_steering(*at, elements, wavelength) for at in places]
    else:
        rows = [oracles.seed_steering(*at, elements, wavelength) for at in places]
    return np.stack(rows, axis=1)


def position_blocks(information, sources):
    """Return the (K, 3, 3) position blocks of the inverse of an information matrix."""
    scale = np.sqrt(information.diagonal())
    inverse = np.linalg.inv(information / np.outer(scale, scale)) / np.outer(scale, scale)
    return np.stack([inverse[3 * k : 3 * k + 3, 3 * k : 3 * k + 3] for k in range(sources)])


def assert_same(found, expected, tolerance):
    """Compare error covariances relative to the variances on their diagonal."""
    scale = np.sqrt(np.einsum("kii->ki", expected))
    scale = scale[:, :, None] * scale[:, None, :]
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=tolerance)


@sharing
@reading
def test_deterministic_is_slepian_bangs_over_positions_and_signals(labels, direct):
    """All 3K positions and the real and imaginary parts of every signal as parameters of a mean."""
    known = scene(2, seed=2, direct=direct, blocks=labels, snr_db=10.0)
    g, index = matrices(known.problem), known.problem.snapshots.block_index.numpy()
    first = [int(np.argmax(index == b)) for b in range(index.max() + 1)]
    signals = known.truth.signals[0].numpy()[first]
    noise = float(known.problem.snapshots.noise_power)

    def mean(at):
        a = steered(known.problem, at[:6].reshape(2, 3)).astype(complex)
        count = signals.size
        s = (at[6 : 6 + count] + 1j * at[6 + count :]).reshape(signals.shape)
        return np.einsum("lmn,nk,lk->lm", g, a, s[index]).ravel()

    places = known.truth.positions[0].numpy().ravel()
    point = np.concatenate((places, signals.real.ravel(), signals.imag.ravel()))
    steps = np.concatenate((np.tile(STEPS, 2), np.full(2 * signals.size, 1e-4)))
    information = oracles.slepian_bangs_mean(mean, noise, point, steps)
    expected = position_blocks(information, 2)
    found = bounds.deterministic(known.truth)[0].numpy()
    assert_same(found, expected, DIFFERENCES)


@sharing
@reading
def test_deterministic_is_the_dense_projection_formula(labels, direct):
    """F = (2/σ²) Σ_b Re(JᴴJ), J = (I - BB⁺) G D diag(s ⊗ 1₃), stacked within blocks."""
    known = scene(3, seed=3, direct=direct, blocks=labels, snr_db=10.0)
    problem, index = known.problem, known.problem.snapshots.block_index.numpy()
    g, signals = matrices(problem), known.truth.signals[0].numpy()
    noise = float(problem.snapshots.noise_power)
    places = known.truth.positions[0].numpy()
    a = steered(problem, places).astype(complex)
    slopes = np.stack(
        [
            oracles.central_differences(
                lambda at, k=k: steered(problem, [at])[:, 0], places[k], STEPS
            )
            for k in range(3)
        ]
    ).astype(complex)  # (K, 3, N)
    information = np.zeros((9, 9))
    for label in np.unique(index):
        stack = np.concatenate(list(g[index == label]))
        s = signals[index == label][0]
        b = stack @ a
        derivative = np.concatenate([(stack @ slopes[k].T) * s[k] for k in range(3)], axis=1)
        jacobian = derivative - b @ np.linalg.lstsq(b, derivative, rcond=None)[0]
        information += 2 / noise * (jacobian.conj().T @ jacobian).real
    found = bounds.deterministic(known.truth)[0].numpy()
    assert_same(found, position_blocks(information, 3), DIFFERENCES)


@reading
def test_stochastic_is_slepian_bangs_over_positions_powers_and_noise(direct):
    powers = torch.tensor([1.0, 0.3], dtype=torch.float64)
    known = scene(2, seed=4, direct=direct, snr_db=10.0, powers=powers)
    g, noise = matrices(known.problem), float(known.problem.snapshots.noise_power)

    def covariances(at):
        a = steered(known.problem, at[:6].reshape(2, 3)).astype(complex)
        return oracles.stochastic_covariances(g @ a, at[6:8], at[8])

    point = np.concatenate((known.truth.positions[0].numpy().ravel(), powers.numpy(), [noise]))
    steps = np.concatenate((np.tile(STEPS, 2), [1e-4, 1e-4, 1e-4 * noise]))
    information = oracles.slepian_bangs_covariance(covariances, point, steps)
    found = bounds.stochastic(known.truth)[0].numpy()
    assert_same(found, position_blocks(information, 2), DIFFERENCES)


def broadside(nx=8, snapshots=16, snr_db=10.0):
    """Return one source before a centred symmetric square read directly, canonical steering."""
    places = torch.tensor([[0.3, -0.2, 3.0]], dtype=torch.float64)
    return scene(
        1,
        direct=True,
        array=Array.planar(nx, nx, 0.3),
        steering=Canonical(),
        places=places,
        snapshots=snapshots,
        snr_db=snr_db,
    )


def direction_variances(known, bound):
    """Return var(u), var(v), var(w) from a bound in (φ, θ, r)."""
    azimuth, elevation, distance = known.truth.positions[0, 0].tolist()
    jacobian = np.array(
        [
            [np.cos(azimuth) * np.cos(elevation), -np.sin(azimuth) * np.sin(elevation), 0],
            [0, np.cos(elevation), 0],
            [0, 0, -1 / distance**2],
        ]
    )
    return (jacobian @ bound[0, 0].numpy() @ jacobian.T).diagonal()


@pytest.mark.parametrize("size", [2, 3, 8])
def test_one_source_before_a_square_has_the_closed_form(size):
    """var(u) = var(v) = 1/(2 L SNR_a k² V_x), var(w) = 1/(2 L SNR_a k² V_q), var(r) = r⁴ var(w).

    V_x = d²(n²-1)/12, V_q = 2 d⁴(n²-1)(n²-4)/720; the deterministic bound with the realised power.
    """
    known = broadside(size)
    step, k, count = 0.15, 2 * np.pi / 0.3, 16
    noise = float(known.problem.snapshots.noise_power)
    power = float(known.truth.signals.abs().square().mean())
    quality = 2 * count * power / noise * k**2
    v_x = step**2 * (size**2 - 1) / 12
    v_q = 2 * step**4 * (size**2 - 1) * (size**2 - 4) / 720
    bound = bounds.deterministic(known.truth)
    u, v, w = direction_variances(known, bound)
    exact = 1e-9  # closed against closed: rounding of a 3 x 3 inverse alone
    assert u == pytest.approx(1 / (quality * v_x), rel=exact)
    assert v == pytest.approx(1 / (quality * v_x), rel=exact)
    if size > 2:
        assert w == pytest.approx(1 / (quality * v_q), rel=exact)
        assert float(bound[0, 0, 2, 2]) == pytest.approx(3.0**4 * w, rel=exact)
    else:  # all corners are as far from the centre: the range is not seen at all
        assert w > 1e9 / quality


def test_one_source_of_known_power_law_stochastic_closed_form():
    """With P AᴴR⁻¹A P in place of the power: p·(p/σ²)/(1 + p/σ²), p/σ² the array SNR."""
    known = broadside()
    noise = float(known.problem.snapshots.noise_power)
    ratio = 1 / noise
    effective = ratio * ratio / (1 + ratio)
    u = direction_variances(known, bounds.stochastic(known.truth))[0]
    v_x = 0.15**2 * (64 - 1) / 12
    expected = 1 / (2 * 16 * effective * (2 * np.pi / 0.3) ** 2 * v_x)
    assert u == pytest.approx(expected, rel=1e-9)


@sharing
def test_more_snapshots_of_a_known_kind_never_hurt(labels):
    """Sharing a signal between snapshots leaves fewer unknowns: the bound cannot rise."""
    free = scene(2, seed=5, blocks=SHARING["static"], snr_db=10.0)
    shared = torch.tensor(labels) if labels is not None else None
    snapshots = replace(free.problem.snapshots, blocks=shared)
    looser = replace(free.truth, problem=replace(free.problem, snapshots=snapshots))
    tight, loose = bounds.deterministic(free.truth), bounds.deterministic(looser)
    difference = torch.linalg.eigvalsh(loose - tight)
    assert float(difference.min()) > -1e-9 * float(loose.abs().max())


def test_fixed_coordinates_have_no_variance_and_help_the_others():
    known = scene(2, seed=6, snr_db=10.0)
    region = known.problem.region.clone()
    region[1] = 0.1
    fixed = replace(known.truth, problem=replace(known.problem, region=region))
    for bound in (bounds.deterministic, bounds.stochastic):
        free, held = bound(known.truth), bound(fixed)
        assert float(held[..., 1, :].abs().max()) == 0.0
        for axis in (0, 2):
            assert bool((held[..., axis, axis] <= free[..., axis, axis] * (1 + 1e-9)).all())


def test_masked_sources_have_no_bound_and_a_batch_is_a_loop():
    places = torch.tensor(
        [[[-0.5, 0.1, 2.0], [0.45, -0.2, 4.0]], [[0.2, 0.0, 3.0], [0.0, 0.0, 1.0]]],
        dtype=torch.float64,
    )
    known = scene(scenes=2, places=places, seed=7, snr_db=10.0)
    mask = torch.tensor([[True, True], [True, False]])
    truth = Truth.of(places, mask, known.truth.powers, known.problem, known.truth.signals)
    for bound in (bounds.deterministic, bounds.stochastic):
        both = bound(truth)
        assert bool(both[1, 1].isnan().all())
        assert bool(both[truth.mask].isfinite().all())
        first = bound(truth.select(torch.tensor([0])))
        torch.testing.assert_close(both[:1], first, rtol=1e-10, atol=0)
        second = Truth.of(
            places[1:, :1],
            mask[1:, :1],
            known.truth.powers[1:, :1],
            known.problem.select(torch.tensor([1])),
            known.truth.signals[1:, :, :1],
        )
        torch.testing.assert_close(both[1:, :1], bound(second), rtol=1e-10, atol=0)


def test_what_the_model_does_not_see_has_a_huge_finite_variance():
    known = scene(1, steering=PlaneWave(), direct=True, snr_db=10.0)
    for bound in (bounds.deterministic, bounds.stochastic):
        variance = bound(known.truth)[0, 0].diagonal()
        assert bool(variance.isfinite().all())
        assert float(variance[2]) > 1e6
        assert float(variance[:2].max()) < 1.0


def test_missing_pieces_are_named():
    known = scene(2, blocks=SHARING["blocks"])
    with pytest.raises(InputError, match="fresh source signal") as caught:
        bounds.stochastic(known.truth)
    assert "deterministic" in caught.value.hint
    with pytest.raises(InputError, match="realised source signals"):
        bounds.deterministic(replace(known.truth, signals=None))
    silent = replace(known.problem.snapshots, noise_power=None)
    problem = replace(known.problem, snapshots=silent)
    with pytest.raises(InputError, match="noise power"):
        bounds.deterministic(replace(known.truth, problem=problem))


def test_position_covariance_marginalises_and_changes_to_range():
    information = torch.tensor([[4.0, 0, 0, 2], [0, 9, 0, 0], [0, 0, 16, 0], [2, 0, 0, 4]])
    search = torch.tensor([[[0.0, 0.0, 0.5]]], dtype=torch.float64)
    free = torch.ones(3, dtype=torch.bool)
    found = bounds.position_covariance(information[None].double(), search, free)[0, 0]
    # var = 1/(4 - 2·2/4) by the Schur complement; var(r) = var(w)/w⁴
    assert found.diagonal().tolist() == pytest.approx([1 / 3, 1 / 9, 16 / 16])


class Rich(CanonicalSep10):
    """κ = 3 and r 2–10 m, as a row of the table in the physics was made."""

    region_deg_m = ((-60, 60), (-30, 30), (2, 10))
    rician_range = (3, 3)


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("sources", "expected"),
    [(1, (0.143, 0.107, 0.23)), (2, (0.236, 0.189, 0.42)), (3, (0.332, 0.264, 0.64))],
)
def test_the_table_of_the_canonical_scenario_is_reproduced(sources, expected):
    """Medians over scenes of the scene's RMS over sources, at 10 dB."""
    _, truth = Rich().sample(600, generator(8), sources=sources, snr_db=10.0)
    variance = bounds.deterministic(truth).diagonal(dim1=-2, dim2=-1)
    spread = variance.mean(1).sqrt().median(0).values
    found = (spread / torch.tensor([RAD_PER_DEG, RAD_PER_DEG, 1.0])).tolist()
    # the table's medians are over 60 scenes that spread by a factor of 2: ± 15 % at two sigma
    assert found == pytest.approx(expected, rel=0.15)


def test_the_hessian_of_the_data_bends_the_covariance():
    """H⁻¹FH⁻¹, with a nuisance parameter marginalised; a saddle has a large, finite variance."""
    rng = np.random.default_rng(3)
    factor = rng.normal(size=(4, 4))
    information = torch.from_numpy(factor @ factor.T + np.eye(4))[None]
    turn = rng.normal(size=(4, 4))
    hessian = information + 0.1 * torch.from_numpy(turn + turn.T)[None]
    at, free = torch.ones(1, 1, 3).double(), torch.tensor([True] * 3)
    flip = torch.tensor([1.0, 1.0, -1.0]).double()  # var(r) at r = 1 m: ∂r/∂w = -1

    def covariance(bent):
        return bounds.position_covariance(information, at, free, bent)[0, 0]

    inverse = torch.linalg.inv(hessian[0])
    expected = (inverse @ information[0] @ inverse)[:3, :3] * flip * flip[:, None]
    torch.testing.assert_close(covariance(hessian), expected)
    torch.testing.assert_close(covariance(information), covariance(None))
    torch.testing.assert_close(covariance(2 * information), covariance(None) / 4)
    saddle = covariance(-information)
    assert bool(saddle.isfinite().all())
    torch.testing.assert_close(saddle, 16 * covariance(None))
