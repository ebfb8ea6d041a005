"""What travels between the stages, and what is refused before it can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from risdoa.arrays import Array
from risdoa.errors import InputError
from risdoa.problem import Estimates, Problem, Truth, check_region
from risdoa.sensing import Direct, RisCoded
from risdoa.snapshots import Snapshots
from risdoa.steering.canonical import Canonical
from tests.draws import coded, normal

REGION = torch.tensor([[-1.0, 1.0], [-0.5, 0.5], [0.5, 10.0]], dtype=torch.float64)
ARRAY = Array.planar(3, 2, 0.3)
NAN, INF = float("nan"), float("inf")


def problem(scenes=3, snapshots=4, outputs=6, sources=None, region=REGION, array=ARRAY, **parts):
    values = normal((scenes, snapshots, outputs), 0)
    counts = None if sources is None else torch.tensor(sources)
    sensing = parts.get("sensing", Direct())
    taken = Snapshots(
        values, sensing, parts.get("blocks"), torch.arange(scenes, dtype=torch.float64) + 1
    )
    return Problem(taken, array, Canonical(), region, counts)


def changed(axis, low, high):
    region = REGION.clone()
    region[axis] = torch.tensor([low, high], dtype=torch.float64)
    return region


@given(powers=st.lists(st.integers(-1000, 1000), min_size=3, max_size=3))
def test_levelled_snapshots_do_not_tell_their_units_by_a_single_bit(powers):
    base = problem().snapshots
    exponent = np.array(powers)
    parts = np.ldexp(torch.view_as_real(base.values).numpy(), exponent[:, None, None, None])
    values = torch.view_as_complex(torch.from_numpy(parts))
    level, other = base.levelled(), replace(base, values=values, noise_power=None).levelled()
    assert torch.equal(level.values, other.values)
    largest = torch.view_as_real(level.values).abs().amax((-3, -2, -1))
    assert bool(((largest >= 0.5) & (largest < 1)).all())
    again = level.levelled()
    assert torch.equal(again.values, level.values)
    assert torch.equal(again.noise_power, level.noise_power)


def test_levelled_noise_keeps_its_ratio_to_the_snapshots():
    for taken in (problem().snapshots, problem().snapshots.to(dtype=torch.complex64)):
        level = taken.levelled()
        power, before = (each.values.abs().square().mean((-2, -1)) for each in (level, taken))
        torch.testing.assert_close(level.noise_power / power, taken.noise_power / before)
    silent = replace(problem().snapshots, values=torch.zeros((3, 4, 6), dtype=torch.complex128))
    assert not bool(silent.levelled().values.any())
    loud = replace(problem().snapshots, values=problem().snapshots.values * 1e-300)
    assert bool(loud.levelled().noise_power.isfinite().all())


@pytest.mark.parametrize("scale", [1e-160, 1e160])
def test_snapshots_whose_power_is_no_number_are_refused_until_levelled(scale):
    taken = replace(problem().snapshots, values=problem().snapshots.values * scale)
    with pytest.raises(InputError, match="between 1e-140 and 1e\\+140") as caught:
        replace(problem(), snapshots=taken)
    assert "levelled" in str(caught.value.hint)
    assert replace(problem(), snapshots=taken.levelled()).scenes == 3
    replace(problem(), snapshots=replace(taken, values=taken.values * 0))


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (REGION[:2], "finite"),
        (changed(0, NAN, 1.0), "finite"),
        (changed(2, 0.5, INF), "finite"),
        (changed(1, 0.4, 0.3), "lower bound"),
        (changed(2, 0.0, 1.0), "ranges must be positive"),
        (changed(2, -1.0, 1.0), "ranges must be positive"),
        (changed(0, -3.2, 1.0), "180"),
        (changed(1, -0.5, 1.6), "90"),
    ],
)
def test_impossible_regions_are_refused(region, words):
    with pytest.raises(InputError, match=words):
        check_region(region)


def test_a_full_sphere_is_a_region():
    check_region(changed(0, -torch.pi, torch.pi))
    check_region(changed(1, -torch.pi / 2, torch.pi / 2))


def test_search_bounds_are_in_inverse_range_low_to_high():
    low, high = problem().search_bounds()
    assert low.tolist() == [-1.0, -0.5, 0.1]
    assert high.tolist() == [1.0, 0.5, 2.0]


def test_equal_bounds_fix_a_coordinate():
    assert problem(region=changed(1, 0.2, 0.2)).free.tolist() == [True, False, True]


@pytest.mark.parametrize("outputs", [5, 7])
def test_a_wrong_number_of_outputs_is_refused(outputs):
    with pytest.raises(InputError, match=f"6 outputs.*got {outputs}") as caught:
        problem(outputs=outputs)
    assert caught.value.hint
    with pytest.raises(InputError, match=f"4 outputs.*got {outputs}"):
        problem(outputs=outputs, sensing=coded(6, 4, 4, 0))


def test_a_surface_for_another_array_is_refused():
    with pytest.raises(InputError, match="channel has 7 elements"):
        problem(outputs=4, sensing=coded(7, 4, 4, 0))


@pytest.mark.parametrize("gains", [None, normal((2, 6), 3)])
def test_an_array_for_other_scenes_is_refused(gains):
    places = ARRAY.positions if gains is not None else ARRAY.positions.expand(2, 6, 3)
    with pytest.raises(InputError, match="for 2 scenes does not fit 3 scenes"):
        problem(array=Array(places, 0.3, gains))


def test_no_scenes_and_flat_snapshots_are_refused():
    with pytest.raises(InputError, match="S >= 1"):
        problem(scenes=0)
    with pytest.raises(InputError, match=r"\(S, L, M\)"):
        Problem(Snapshots(normal((4, 6), 0), Direct()), ARRAY, Canonical(), REGION)


@pytest.mark.parametrize("sources", [[0, 1, 1], [1, -1, 1], [1, 6, 1], [1, 100, 1]])
def test_impossible_numbers_of_sources_are_refused(sources):
    wrong = min(sources) if min(sources) < 1 else max(sources)
    with pytest.raises(InputError, match=f"impossible number of sources {wrong}") as caught:
        problem(sources=sources)
    assert caught.value.hint


def test_sources_are_bounded_by_elements_and_by_equations():
    # six elements tell five sources apart at most
    assert problem(sources=[5, 5, 5]).sources is not None
    # one snapshot of six outputs is 12 real equations; a source has 3 coordinates and a power
    assert problem(snapshots=1, sources=[2, 2, 2]).sources is not None
    with pytest.raises(InputError, match="allow 1 to 2"):
        problem(snapshots=1, sources=[3, 1, 1])


def test_shared_signals_are_solved_for_through_the_outputs_of_their_block():
    coded_by = coded(6, 2, 4, 0, scenes=3)
    shared = torch.tensor([0, 0, 1, 1])
    # two snapshots of two outputs see one signal: three sources can be solved for, four cannot
    one = {"outputs": 2, "sensing": coded_by, "snapshots": 4}
    assert problem(**one, blocks=shared, sources=[1, 1, 1]).most_sources() == 3
    # fresh signals seen through two outputs: one can be solved for, powers need four times the data
    assert problem(**one, sources=[1, 1, 1]).most_sources() == 1


@pytest.mark.parametrize(
    ("labels", "outputs", "most"),
    [
        (None, 4, 3),  # fewer signals than outputs can be solved for
        (None, 2, 1),  # 16 real measurements are too few to tell the powers of two sources
        ([0, 0, 1, 1], 2, 3),  # a signal is seen through four outputs
        ([0, 0, 0, 0], 1, 1),  # 8 real measurements, three coordinates and a complex signal
        ([0, 0, 0, 0], 2, 3),  # 16 real measurements
    ],
)
def test_sources_are_bounded_by_the_outputs_of_a_signal(labels, outputs, most):
    values = normal((1, 4, outputs), 0)
    blocks = None if labels is None else torch.tensor(labels)
    taken = Snapshots(values, coded(6, outputs, 4, 1), blocks)
    for sources in (most, most + 1):
        arguments = (taken, ARRAY, Canonical(), REGION, torch.tensor([sources]))
        if sources == most:
            assert Problem(*arguments).most_sources() == most
        else:
            with pytest.raises(InputError, match=f"allow 1 to {most}"):
                Problem(*arguments)


def test_one_number_of_sources_a_scene():
    with pytest.raises(InputError, match=r"sources must be \(3,\)"):
        problem(sources=[1, 1])


def test_selecting_scenes_selects_all_that_belongs_to_them():
    own = Array(ARRAY.positions.expand(3, 6, 3).clone() * torch.tensor(1.5), 0.3)
    full = problem(array=own, sources=[1, 2, 3], outputs=4, sensing=coded(6, 4, 4, 0, scenes=3))
    part = full.select(torch.tensor([2, 0]))
    assert part.scenes == 2
    assert part.sources is not None
    assert part.sources.tolist() == [3, 1]
    assert torch.equal(part.snapshots.values, full.snapshots.values[[2, 0]])
    assert part.snapshots.noise_power is not None
    assert part.snapshots.noise_power.tolist() == [3.0, 1.0]
    assert isinstance(part.snapshots.sensing, RisCoded)
    assert part.snapshots.sensing.codes.shape == (2, 4, 6)
    assert part.array.positions.shape == (2, 6, 3)


def test_precision_changes_all_but_the_region():
    narrow = problem().to(dtype=torch.complex64)
    assert narrow.snapshots.values.dtype == torch.complex64
    assert narrow.array.positions.dtype == torch.float32
    assert narrow.region.dtype == torch.float64


def truth():
    places = torch.tensor([[[0.1, 0.2, 2.0], [0.3, -0.1, 3.0]]] * 3, dtype=torch.float64)
    mask = torch.tensor([[True, True], [True, False], [True, True]])
    powers = torch.tensor([[1.0, 2.0], [3.0, 99.0], [0.5, 0.5]], dtype=torch.float64)
    return Truth.of(places, mask, powers, problem(), normal((3, 4, 2), 1))


def test_the_covariance_of_a_truth_is_a_p_ah_of_its_sources_alone():
    known = truth()
    steering = Canonical()(ARRAY, known.positions).numpy()
    for s in range(3):
        expected = sum(
            float(known.powers[s, k]) * np.outer(steering[s, :, k], steering[s, :, k].conj())
            for k in range(2)
            if known.mask[s, k]
        )
        np.testing.assert_allclose(known.covariance.dense()[s].numpy(), expected, atol=1e-14)
    assert known.powers[1, 1] == 0.0
    assert float(known.steering_matrix()[1, :, 1].abs().max()) == 0.0


def test_a_truth_is_selected_and_moved_as_one():
    known = truth()
    part = known.select(torch.tensor([1]))
    assert part.problem.scenes == 1
    assert torch.equal(part.covariance.factor, known.covariance.factor[[1]])
    assert part.signals is not None
    narrow = known.to(dtype=torch.complex64)
    assert narrow.signals is not None
    kinds = (narrow.positions.dtype, narrow.powers.dtype, narrow.covariance.factor.dtype)
    assert kinds == (torch.float32, torch.float32, torch.complex64)
    assert narrow.signals.dtype == torch.complex64
    assert narrow.mask.dtype == torch.bool


def test_estimates_are_selected_as_one():
    places = torch.arange(18, dtype=torch.float64).reshape(3, 2, 3)
    plain = Estimates.at(places, torch.arange(3.0), ("a note",))
    full = replace(plain, error_covariance=torch.rand((3, 2, 3, 3)))
    part = full.select(torch.tensor([2]))
    assert torch.equal(part.positions, places[[2]])
    assert part.objective.tolist() == [2.0]
    assert part.error_covariance is not None
    assert part.error_covariance.shape == (1, 2, 3, 3)
    assert part.notes == ("a note",)
    assert bool(plain.valid.all())
    assert not bool(plain.unobservable.any())


def test_data_that_can_resolve_nothing_say_so():
    with pytest.raises(InputError, match="1 x 1 outputs allow none"):
        problem(snapshots=1, outputs=1, sensing=coded(6, 1, 1, 0), sources=[1, 1, 1])


def sphere(elevation=torch.pi / 2):
    region = changed(0, -torch.pi, torch.pi)
    region[1] = torch.tensor([-elevation, elevation], dtype=torch.float64)
    return problem(region=region)


def test_a_descent_may_cross_the_seam_of_a_full_circle_and_a_pole_alone():
    low, high = sphere().descent_bounds()
    assert low[:2].tolist() == pytest.approx([-2 * torch.pi, -torch.pi])
    assert high[:2].tolist() == pytest.approx([2 * torch.pi, torch.pi])
    low, high = sphere(1.0).descent_bounds()
    assert low[:2].tolist() == pytest.approx([-2 * torch.pi, -1.0])
    low, high = problem().descent_bounds()
    assert (low.tolist(), high.tolist()) == ([-1.0, -0.5, 0.1], [1.0, 0.5, 2.0])


def test_a_search_ends_inside_with_fixed_coordinates_at_their_value():
    region = sphere().region.clone()
    region[2] = 3.8
    end = torch.tensor([[3.3, 1.7, 1 / 3.8]], dtype=torch.float64)
    place = problem(region=region).positions(end)
    assert place[0].tolist() == [
        pytest.approx(3.3 - torch.pi),
        pytest.approx(torch.pi - 1.7),
        3.8,
    ]
