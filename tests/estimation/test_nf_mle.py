"""Maximum likelihood: exact without noise, honest with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from risdoa import bounds
from risdoa.arrays import Array
from risdoa.backends.ml_fits import ConditionalFit, StochasticFit
from risdoa.backends.ml_trial import trial_at
from risdoa.backends.music import Music
from risdoa.backends.newton import Newton
from risdoa.backends.nf_mle import NfMle
from risdoa.conventions import RAD_PER_DEG, great_circle, invert_range
from risdoa.errors import InputError
from risdoa.evaluation.assignment import assign, half_widths
from risdoa.evaluation.comparison import CHUNK, point_seed
from risdoa.evaluation.metrics import Reference, Scores, summarise
from risdoa.models.sample import Sample
from risdoa.pipeline import Chain
from risdoa.problem import Estimates
from risdoa.scenarios.canonical import Canonical as CanonicalScenario
from risdoa.scenarios.static import Static
from risdoa.steering.base import Steering
from risdoa.steering.canonical import Canonical
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical
from tests.draws import generator
from tests.estimation.matching import errors
from tests.estimation.scenes import REGION, SHARING, region_with, scene

sharing = pytest.mark.parametrize("labels", SHARING.values(), ids=SHARING.keys())
reading = pytest.mark.parametrize("direct", [False, True], ids=["coded", "direct"])
counts = pytest.mark.parametrize("sources", [1, 2, 3])

EXACT = 1e-5
"""Rad and 1/m: a promise of 1e-9 of a cost leaves 3e-5 of a standard deviation, here below 0.1."""

SPREAD = torch.randn((16, 3), dtype=torch.float64, generator=generator(3)) * 0.15
"""Sixteen elements in space."""


def around(distance=2.0):
    """Return an array in space and a region all around it at one range."""
    array = Array(SPREAD, 0.3)
    region = array.default_region()
    region[2] = distance
    return array, region


def placed(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def from_the_truth(problem, truth):
    """Return the objective at the optimum behind the true positions."""
    start = Estimates.at(truth.positions, torch.zeros(problem.scenes))
    return NfMle(search=False)(problem, None, start).objective


@sharing
@reading
@counts
def test_without_noise_the_sources_are_recovered_exactly(labels, direct, sources):
    known = scene(sources, scenes=2, blocks=labels, direct=direct)
    found = NfMle()(known.problem, None, None)
    assert float(errors(found.positions, known.truth.positions).max()) < EXACT
    assert bool(found.converged.all())
    assert not bool(found.unobservable.any())


@pytest.mark.parametrize("model", [Canonical(), Spherical()], ids=["canonical", "spherical"])
@pytest.mark.parametrize("likelihood", ["stochastic", "conditional"])
def test_either_likelihood_and_model_recovers_fresh_sources(model, likelihood):
    known = scene(2, steering=model, scenes=2)
    found = NfMle(likelihood=likelihood)(known.problem, None, None)
    assert float(errors(found.positions, known.truth.positions).max()) < EXACT


def test_the_likelihood_follows_from_who_shares_a_signal():
    fresh, static = scene(2, snr_db=10.0), scene(2, blocks=SHARING["static"], snr_db=10.0)
    for known, own in ((fresh, "stochastic"), (static, "conditional")):
        auto = NfMle()(known.problem, None, None)
        chosen = NfMle(likelihood=own)(known.problem, None, None)
        assert torch.equal(auto.positions, chosen.positions)
    other = NfMle(likelihood="conditional")(fresh.problem, None, None)
    assert not torch.allclose(NfMle()(fresh.problem, None, None).objective, other.objective)


def test_the_chain_recovers_sources_from_data_without_any_noise():
    """Zero noise and not just little: single precision on the way must not break."""
    known = scene(2, scenes=2, steering=Canonical())
    clean = known.truth.signals @ known.truth.steering_matrix().mT
    values = known.problem.snapshots.sensing.forward(clean)
    problem = replace(
        known.problem, snapshots=replace(known.problem.snapshots, values=values, noise_power=None)
    )
    found = Chain(Sample(), [Music(), Newton(), NfMle()])(problem)
    assert float(errors(found.positions, known.truth.positions).max()) < EXACT


@pytest.mark.parametrize("sources", [2, 3])
def test_error_bars_without_noise_are_tiny_and_proper(sources):
    """The information of a noise power of 0 would be lost to cancellation."""
    scenario = CanonicalScenario(8, 8, 8, 12)
    problem, _ = scenario.sample(16, generator(sources), sources=sources, snr_db=200.0)
    found = NfMle()(problem, None, None)
    spread = found.error_covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    assert float(spread.max()) < 0.01  # the floor is 100 dB below the signal
    scaled = found.error_covariance / (spread.unsqueeze(-1) * spread.unsqueeze(-2))
    assert float(torch.linalg.eigvalsh(scaled).min()) > 0
    assert float(found.converged.double().mean()) > 0.9


def test_what_was_inserted_first_is_inserted_anew_beside_the_others():
    """Of three sources greedy peaks alone go wrong often, against a start at the truth."""
    problem, truth = CanonicalScenario().sample(24, generator(7), sources=3, snr_db=15.0)
    best = from_the_truth(problem, truth)

    def misses(sweeps):
        found = NfMle(sweeps=sweeps)(problem, None, None).objective
        return int((found > best + 0.01).sum())

    assert misses(sweeps=1) <= 1
    assert misses(sweeps=0) >= 3


@pytest.mark.parametrize(
    ("snr_db", "seed", "chunk", "row"),
    [(0.0, 71, 1, 36), (5.0, 71, 0, 17), (5.0, 72, 12, 18)],
    ids=["weak source elsewhere", "two to be moved", "one stands for two"],
)
def test_what_passes_for_settled_too_easily_is_searched_again(snr_db, seed, chunk, row):
    """Scenes in which the truth gains 5 to 18 where weak sources stay unless much is at stake.

    Or, in the last of them, where no source is split.
    """
    drawn = torch.Generator().manual_seed(point_seed(seed, snr_db, 3, chunk))
    problem, truth = CanonicalScenario().sample(CHUNK, drawn, sources=3, snr_db=snr_db)
    some = torch.tensor([row])
    problem, truth = problem.select(some), truth.select(some)
    best = float(from_the_truth(problem, truth))
    assert float(NfMle()(problem, None, None).objective) < best + 0.1


@pytest.mark.parametrize(("seed", "chunk", "row"), [(71, 2, 8), (91, 4, 36)])
def test_a_source_beside_a_peak_is_not_taken_for_the_peak(seed, chunk, row):
    """Scenes in which the truth gains 150 where more than a step off a peak still counts as on it.

    Or, in the first of them, where nothing but a grid of one point a half-width is scanned.
    """
    drawn = torch.Generator().manual_seed(point_seed(seed, 10.0, 2, chunk))
    problem, truth = CanonicalScenario().sample(CHUNK, drawn, sources=2, snr_db=10.0)
    some = torch.tensor([row])
    problem, truth = problem.select(some), truth.select(some)
    best = float(from_the_truth(problem, truth))
    assert float(NfMle()(problem, None, None).objective) < best + 0.1


@pytest.mark.parametrize("sources", [2, 3])
def test_the_search_finds_static_sources_that_greedy_peaks_miss(sources):
    """With one signal for all, peaks hide each other: alternating on the grid fails in a third."""
    problem, truth = Static(8, 8, 12, 12).sample(12, generator(7), sources=sources, snr_db=200.0)
    found = NfMle()(problem, None, None)
    angles = torch.stack(
        [
            torch.minimum(
                great_circle(found.positions[:, k : k + 1], truth.positions).amin(-1),
                torch.tensor(10.0),
            )
            for k in range(sources)
        ]
    )
    missed = int((angles.amax(0) > 1e-3).sum())
    assert missed <= 1


@sharing
def test_the_order_of_the_start_does_not_matter(labels):
    known = scene(3, blocks=labels, snr_db=15.0)
    base = NfMle()(known.problem, None, None)
    for order in ([0, 1, 2], [2, 0, 1]):
        places = known.truth.positions[:, order] + 0.01
        start = Estimates.at(places, torch.zeros(1))
        found = NfMle(search=False)(known.problem, None, start)
        assert float(errors(found.positions, base.positions)) < 1e-3  # well below the noise


@sharing
@pytest.mark.parametrize("scale", [1e-7, 1e7])
def test_the_scale_of_the_measurements_does_not_matter(labels, scale):
    known = scene(2, blocks=labels, snr_db=15.0)
    values = known.problem.snapshots.values * scale
    louder = replace(
        known.problem, snapshots=replace(known.problem.snapshots, values=values, noise_power=None)
    )
    first, second = NfMle()(known.problem, None, None), NfMle()(louder, None, None)
    torch.testing.assert_close(first.positions, second.positions, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        first.error_covariance, second.error_covariance, rtol=1e-2, atol=1e-9
    )


class Turned(Steering):
    """Spherical steering times a phase."""

    def __call__(self, array, positions):
        return Spherical()(array, positions) * complex(0.6, 0.8)


@sharing
def test_a_global_phase_of_model_or_data_does_not_matter(labels):
    known = scene(2, blocks=labels, snr_db=15.0)
    base = NfMle()(known.problem, None, None)
    turned = replace(known.problem, steering=Turned())
    values = known.problem.snapshots.values * complex(0.6, 0.8)
    rotated = replace(known.problem, snapshots=replace(known.problem.snapshots, values=values))
    for problem in (turned, rotated):
        found = NfMle()(problem, None, None)
        assert float(errors(found.positions, base.positions)) < 1e-4


def test_a_half_element_shift_of_the_origin_is_seen():
    """Elements at -6 … 5 instead of -5.5 … 5.5: every angle is off, though the fit is perfect."""
    place = placed([0.0, 0.0, 2.0])
    known = scene(1, array=Array.planar(12, 12, 0.3), places=place, direct=True)
    shift = torch.tensor([0.075, 0.075, 0.0], dtype=torch.float64)
    moved = replace(known.problem, array=Array(known.problem.array.positions - shift, 0.3))
    right, wrong = NfMle()(known.problem, None, None), NfMle()(moved, None, None)
    assert float(right.positions[0, 0, :2].abs().max()) < EXACT
    # half an element over 2 m: 0.0375 rad = 2.1°, and the fit says nothing
    assert wrong.positions[0, 0, :2].tolist() == pytest.approx([-0.0375, -0.0375], abs=1e-3)
    energy = known.problem.snapshots.values.abs().square().sum()
    refit = NfMle(likelihood="conditional")(moved, None, None)
    assert float(refit.objective) < 1e-6 * float(energy)


@sharing
def test_estimates_stay_in_the_region(labels):
    region = region_with(azimuth=(-0.3, 0.2), range=(2.5, 3.0))  # the sources stand outside
    known = scene(2, blocks=labels, region=region, scenes=2, snr_db=20.0)
    found = NfMle()(known.problem, None, None)
    low, high = region[:, 0] * (1 - 1e-12) - 1e-12, region[:, 1] * (1 + 1e-12) + 1e-12
    assert bool(((found.positions >= low) & (found.positions <= high)).all())
    assert bool(found.error_covariance.isfinite().all())


def test_fixed_coordinates_stay_at_exactly_their_value():
    region = region_with(elevation=(0.1, 0.1), range=(3.8, 3.8))
    known = scene(1, places=placed([0.4, 0.1, 3.8]), region=region, snr_db=20.0)
    found = NfMle()(known.problem, None, None)
    assert found.positions[0, 0, 1:].tolist() == [0.1, 3.8]
    variance = found.error_covariance[0, 0].diagonal()
    assert variance[1:].tolist() == [0.0, 0.0]
    assert float(variance[0]) > 0
    assert not bool(found.unobservable.any())


def test_scenes_of_different_numbers_of_sources_are_as_one_by_one():
    known = scene(3, scenes=4, snr_db=15.0)
    numbers = [2, 1, 3, 1]
    problem = replace(known.problem, sources=torch.tensor(numbers))
    together = NfMle()(problem, None, None)
    assert together.positions.shape == (4, 3, 3)
    assert together.valid.sum(-1).tolist() == numbers
    assert bool(together.positions.isfinite().all())
    assert bool(together.error_covariance.isfinite().all())
    for s, sources in enumerate(numbers):
        alone = NfMle()(problem.select(torch.tensor([s])), None, None)
        part = together.select(torch.tensor([s]))
        assert alone.positions.shape == (1, sources, 3)
        # sums in another order; the end of a minimisation multiplies that by its tolerance
        torch.testing.assert_close(part.positions[:, :sources], alone.positions, rtol=0, atol=1e-6)
        torch.testing.assert_close(part.objective, alone.objective, rtol=1e-8, atol=1e-8)


def test_the_best_of_the_given_start_and_the_search_wins():
    known = scene(2, scenes=2, snr_db=15.0)
    best = NfMle()(known.problem, None, None)
    astray = Estimates.at(
        placed([[0.9, 0.4, 0.6], [0.8, 0.45, 0.6]]).expand(2, 2, 3).clone(), torch.zeros(2)
    )
    found = NfMle()(known.problem, None, astray)
    torch.testing.assert_close(found.objective, best.objective, rtol=1e-6, atol=1e-6)
    held = NfMle(search=False)(known.problem, None, astray)
    assert bool((held.objective >= best.objective - 1e-6).all())
    assert float((held.objective - best.objective).max()) > 1.0


def test_a_start_that_is_not_complete_is_filled_by_the_search():
    known = scene(2, scenes=2)
    start = Estimates.at(known.truth.positions.clone(), torch.zeros(2))
    start = replace(start, valid=torch.tensor([[True, False], [True, True]]))
    found = NfMle(search=False)(known.problem, None, start)
    assert float(errors(found.positions, known.truth.positions).max()) < EXACT
    assert bool(found.valid.all())


@pytest.mark.parametrize("azimuth", [-179.6, -176.0, 175.0, 179.6])
@pytest.mark.parametrize("elevation", [0.0, 88.5])
def test_a_full_circle_has_no_edge_and_a_sphere_no_pole(azimuth, elevation):
    array, region = around()
    place = placed([azimuth * RAD_PER_DEG, elevation * RAD_PER_DEG, 2.0])
    known = scene(1, array=array, region=region, places=place, direct=True, snr_db=40.0)
    found = Chain(Sample(), [Music(), Newton(), NfMle()])(known.problem)
    angle = float(great_circle(found.positions, known.truth.positions)) / RAD_PER_DEG
    assert angle < 0.5  # 40 dB: some hundredths of a degree; stuck at the edge it was 0.4 to 6°
    assert bool((found.positions[0, 0, :2].abs() <= region[:2, 1] + 1e-12).all())


def test_error_bars_over_a_pole_are_those_before_it():
    """One minimum, reached from both sides: a start beyond the pole may not change the errors."""
    array, region = around()
    known = scene(
        1, array=array, region=region, places=placed([0.3, 1.53, 2.0]), direct=True, snr_db=30.0
    )
    ends = []
    for azimuth, elevation in ((0.3, 1.53), (0.3 - torch.pi, 1.54)):
        start = Estimates.at(placed([[azimuth, elevation, 2.0]]), torch.zeros(1))
        ends.append(NfMle(search=False)(known.problem, None, start))
    torch.testing.assert_close(ends[0].positions, ends[1].positions, rtol=0, atol=1e-4)
    scale = ends[0].error_covariance.abs().max()
    torch.testing.assert_close(
        ends[0].error_covariance / scale, ends[1].error_covariance / scale, rtol=0, atol=1e-3
    )


def test_the_range_of_a_far_source_before_a_small_array_is_not_observable():
    known = scene(
        1,
        array=Array.planar(3, 3, 0.3),
        places=placed([0.3, 0.1, 9.0]),
        region=region_with(range=(5.0, 10.0)),
        direct=True,
        snr_db=10.0,
    )
    found = NfMle()(known.problem, None, None)
    assert found.unobservable[0, 0].tolist() == [False, False, True]
    assert 5.0 <= float(found.positions[0, 0, 2]) <= 10.0
    assert bool(found.error_covariance.isfinite().all())


@reading
def test_a_line_does_not_observe_the_elevation(direct):
    known = scene(
        1, array=Array.linear(24, 0.3), places=placed([0.3, 0.0, 3.0]), direct=direct, snr_db=30.0
    )
    found = NfMle()(known.problem, None, None)
    assert found.unobservable[0, 0].tolist() == [False, True, False]
    spread = found.error_covariance[0, 0].diagonal().sqrt()
    assert float(spread[0]) < 0.01  # the elevation is near 0, where it hardly moves the azimuth
    assert float(spread[1]) == pytest.approx(1 / 12**0.5, rel=0.01)  # ± 0.5 rad, as before the data


def test_a_model_without_range_does_not_observe_it_and_errors_stay_finite():
    known = scene(2, steering=PlaneWave(), snr_db=20.0)
    found = NfMle()(known.problem, None, None)
    assert found.unobservable[..., 2].all()
    assert not found.unobservable[..., :2].any()
    assert bool(found.error_covariance.isfinite().all())
    assert bool(found.positions.isfinite().all())


@pytest.mark.parametrize(("sources", "outputs"), [(1, 1), (2, 1), (2, 2), (3, 2)])
def test_fewer_outputs_than_sources_leave_the_powers_to_tell(sources, outputs):
    """With fresh signals and M <= K only the stochastic likelihood says anything at all."""
    known = scene(sources, outputs=outputs, snapshots=32, snr_db=20.0)
    found = NfMle()(known.problem, None, None)
    low, high = REGION[:, 0] - 1e-12, REGION[:, 1] + 1e-12
    assert bool(((found.positions >= low) & (found.positions <= high)).all())
    assert bool(found.error_covariance.isfinite().all())


def test_one_output_and_static_sources_recover_one_source():
    """As the measured surface does it: eleven codes, one output."""
    labels = [0] * 24
    known = scene(1, outputs=1, snapshots=24, blocks=labels, snr_db=200.0)
    found = NfMle()(known.problem, None, None)
    assert float(errors(found.positions, known.truth.positions)) < EXACT


def test_likelihoods_that_do_not_fit_the_data_are_refused():
    for labels in (SHARING["blocks"], SHARING["static"]):
        known = scene(1, blocks=labels)
        with pytest.raises(InputError, match="fresh source signal") as caught:
            NfMle(likelihood="stochastic")(known.problem, None, None)
        assert "conditional" in caught.value.hint
    crowded = scene(2, outputs=2, snapshots=24)
    with pytest.raises(InputError, match="more than 2 outputs") as caught:
        NfMle(likelihood="conditional")(crowded.problem, None, None)
    assert "stochastic" in caught.value.hint


def test_the_number_of_sources_is_needed():
    known = scene(1)
    with pytest.raises(InputError, match="number of sources"):
        NfMle()(replace(known.problem, sources=None), None, None)


@pytest.mark.parametrize("options", [{"iterations": 0}, {"sweeps": -1}, {"density": 0.0}])
def test_impossible_options_are_refused(options):
    with pytest.raises(InputError, match="nf-mle needs"):
        NfMle(**options)


def test_single_precision_measurements_are_solved_in_double():
    known = scene(1, snr_db=200.0)
    found = NfMle()(known.problem.to(dtype=torch.complex64), None, None)
    assert found.positions.dtype == torch.float64
    assert float(errors(found.positions, known.truth.positions)) < 1e-4  # 1e-7 in, times the range


@pytest.mark.parametrize("labels", [None, [0] * 8], ids=["stochastic", "conditional"])
def test_a_start_at_the_truth_ends_no_higher_than_the_noise_allows(labels):
    """The optimum is below the truth, by about half a χ² of as many parameters as there are."""
    known = scene(2, scenes=20, blocks=labels, snr_db=10.0)
    fit = ConditionalFit() if labels else StochasticFit()
    start = trial_at(known.problem, invert_range(known.truth.positions))
    end, held = fit.minimum(known.problem, start, 50), fit.minimum(known.problem, start, 1)
    assert bool((end.cost <= held.cost + 1e-9).all())
    assert bool(end.converged.all())


# Monte Carlo -------------------------------------------------------------------------------------


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("labels", "direct"),
    [(None, False), (None, True), ([0, 0, 1, 1, 2, 2, 3, 3], False), ([0] * 8, False)],
    ids=["fresh", "direct", "blocks", "static"],
)
def test_errors_meet_the_bound_and_are_as_large_as_told(labels, direct):
    known = scene(2, scenes=300, blocks=labels, direct=direct, snr_db=20.0)
    found = NfMle()(known.problem, None, None)
    bound = bounds.deterministic(known.truth)
    scores = Scores.of(known.truth, found)
    summary = summarise(scores, Reference.of(known.truth, bound))
    # a static signal may be weak for all snapshots: |s|² < 1 % in one of a hundred sources
    assert summary.outlier_rate <= 0.01
    # an RMS of 600 normal errors is good to 3 %, of bounds that differ as s does to 10 %
    assert all(0.85 < each.efficiency <= 1.2 for each in summary.deviations)
    index = assign(
        known.truth.positions,
        known.truth.mask,
        found.positions,
        found.valid,
        half_widths(known.problem.array),
    )
    told = torch.take_along_dim(found.error_covariance, index[..., None, None], 1)
    scale = told.diagonal(dim1=-2, dim2=-1)[scores.inlier].sqrt()
    off = torch.take_along_dim(found.positions, index[..., None], 1) - known.truth.positions
    pulls = off[scores.inlier] / scale
    # 68 % of normal errors are within one standard deviation; of 600, ± 6 % at three sigma, and
    # bars at the maximum of a likelihood of 8 snapshots are up to 10 % short (3 % of the share)
    inside = (pulls.abs() < 1).double().mean(0)
    assert bool(((inside - 0.683).abs() < 0.09).all()), inside


@pytest.mark.statistical
@pytest.mark.parametrize(("sources", "failures"), [(1, 0), (2, 2), (3, 6)])
def test_the_search_rarely_ends_above_a_start_at_the_truth(sources, failures):
    """At 10 dB and without a separation floor, in 200 scenes."""
    problem, truth = CanonicalScenario().sample(200, generator(11), sources=sources, snr_db=10.0)
    best = from_the_truth(problem, truth)
    found = NfMle()(problem, None, None).objective
    assert int((found > best + 0.01).sum()) <= failures


def test_the_least_effort_works_at_low_snr():
    problem, _ = CanonicalScenario(6, 6, 8, 8).sample(8, generator(3), sources=2, snr_db=-5.0)
    found = NfMle(starts=1, kept=1)(problem, None, None)
    assert bool(found.objective.isfinite().all())


def test_without_search_a_start_is_trusted_whatever_the_others_lack():
    problem, truth = CanonicalScenario(6, 6, 8, 8).sample(6, generator(4), sources=2, snr_db=0.0)
    start = Estimates.at(truth.positions, torch.zeros(6))
    alone = NfMle(search=False)(problem, None, start)
    valid = start.valid.clone()
    valid[5, 1] = False
    lacking = NfMle(search=False)(problem, None, replace(start, valid=valid))
    torch.testing.assert_close(lacking.positions[:5], alone.positions[:5])
