"""The self-tests pass on what is right and fail on every model or scenario that is wrong."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.conventions import invert_range
from risdoa.diagnosis.self_tests import self_tests
from risdoa.diagnosis.waves import (
    Converging,
    Turned,
    exchanged,
    moved,
    reference,
    reordered,
    transposed_order,
)
from risdoa.frozen import changed
from risdoa.scenarios.canonical import Canonical as CanonicalScenario
from risdoa.scenarios.digital import Digital
from risdoa.scenarios.static import Static
from risdoa.steering.base import Steering
from risdoa.steering.canonical import Canonical
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical

SHIFT = torch.tensor([0.075, 0.075, 0.0], dtype=torch.float64)
PLACES = torch.tensor([[[0.4, -0.2, 1.5], [-0.9, 0.3, 4.0]]], dtype=torch.float64)


class Changed(Steering):
    """The spherical model on another array."""

    def __init__(self, change) -> None:
        self.change = change

    def __call__(self, array: Array, positions: Tensor) -> Tensor:
        return Spherical()(self.change(array), positions)


class Conjugated(Steering):
    """The spherical model with phases that follow exp(+jkρ)."""

    def __call__(self, array: Array, positions: Tensor) -> Tensor:
        return Spherical()(array, positions).conj().resolve_conj()


class Shifted(Digital):
    """A scenario whose data are made half an element off its truth."""

    def sample(self, count, generator, **request):
        problem, truth = super().sample(count, generator, **request)
        off = changed(problem, array=moved(problem.array, SHIFT))
        return problem, changed(truth, problem=off)


def statuses(steering, scenario=None, data=None):
    scenario = scenario or Digital(snapshots=4)
    generator = torch.Generator().manual_seed(0)
    found = self_tests(scenario, steering, data or Canonical(), generator)
    return {each.check: each.status for each in found}


@pytest.mark.parametrize("model", [Canonical, Spherical])
@pytest.mark.parametrize("scenario", [CanonicalScenario, Static, Digital])
def test_what_is_right_passes(scenario, model):
    assert set(statuses(model(), scenario()).values()) == {"ok"}


def test_a_model_without_a_range_has_no_sign():
    found = statuses(PlaneWave())
    assert found.pop("sign") == "not observable"
    assert found.pop("origin") == "not observable"
    assert set(found.values()) == {"ok"}


WRONG = {
    "conjugated": (Conjugated(), {"mirror", "sign"}),
    "reversed": (
        Changed(lambda array: reordered(array, torch.arange(array.count).flip(0))),
        {"mirror", "element-order"},
    ),
    "x and y exchanged": (Changed(exchanged), {"mirror", "element-order"}),
    "half an element off": (Changed(lambda array: moved(array, SHIFT)), {"origin"}),
    "wrong scale": (Changed(lambda array: moved(array, 0 * SHIFT, 1 / 1.1)), {"scale"}),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_model_that_is_wrong_fails(name):
    model, expected = WRONG[name]
    found = statuses(model)
    assert expected <= {check for check, status in found.items() if status == "fail"}


def test_a_scenario_whose_data_are_not_of_its_truth_fails():
    assert statuses(Canonical(), Shifted(snapshots=4))["truth"] == "fail"
    assert statuses(Canonical(), Digital(snapshots=4), Conjugated())["truth"] == "fail"


def test_the_reference_is_the_spherical_wave():
    array = Array.planar(5, 4, 0.3)
    assert torch.allclose(reference(array, PLACES), Spherical()(array, PLACES), atol=1e-9)


@pytest.mark.parametrize("model", [Canonical, Spherical])
def test_a_converging_wave_is_the_conjugate_of_the_mirrored_one(model):
    array = Array.planar(5, 4, 0.3)
    opposite = PLACES * torch.tensor([-1.0, -1.0, 1.0])
    wave, slopes = Converging(model()).derivatives(array, opposite)
    assert torch.allclose(wave, model()(array, PLACES).conj(), atol=1e-9)
    step = torch.tensor([0.0, 0.0, 1e-6], dtype=torch.float64)
    ends = [
        Converging(model())(array, invert_range(invert_range(opposite) + side * step))
        for side in (1, -1)
    ]
    # Central differences with a step of 1e-6 are right to about 1e-8.
    assert torch.allclose(slopes[..., 2], (ends[0] - ends[1]) / 2e-6, atol=1e-6)


def test_a_turned_model_is_the_model_times_a_phase():
    array = Array.planar(5, 4, 0.3)
    factor = torch.exp(torch.tensor(0.7j, dtype=torch.complex128))
    plain, turned = Spherical(), Turned(Spherical(), 0.7)
    for one, other in zip(
        plain.derivatives(array, PLACES), turned.derivatives(array, PLACES), strict=True
    ):
        assert torch.allclose(one * factor, other)
    assert torch.allclose(plain(array, PLACES) * factor, turned(array, PLACES))


def test_a_transposed_lattice_has_y_running_fastest():
    array = Array.planar(3, 2, 0.3)
    order = transposed_order(array)
    assert order.tolist() == [0, 3, 1, 4, 2, 5]
    assert transposed_order(Array.linear(4)) is None
    assert transposed_order(Array.circular(6)) is None
