"""The same scenes for every method, the right bound, and seeds that mean something."""

from dataclasses import replace

import pytest
import torch

from risdoa import bounds
from risdoa.errors import InputError
from risdoa.evaluation.comparison import CHUNK, Setup, compare, point_seed
from risdoa.evaluation.methods import Method
from risdoa.problem import Estimates
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.digital import Digital
from risdoa.scenarios.spherical_data import SphericalData
from risdoa.scenarios.static import Static
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical

SMALL = {"nx": 4, "ny": 4, "snapshots": 4}


class Recorder:
    """A method that answers the same for everything and remembers what it was asked."""

    def __init__(self):
        self.problems = []

    def __call__(self, problem):
        self.problems.append(problem)
        places = torch.tensor([0.0, 0.0, 2.0], dtype=torch.float64)
        count = int(problem.sources.max())
        found = Estimates.at(places.expand(problem.scenes, count, 3), torch.zeros(problem.scenes))
        return replace(found, notes=("a guess",))

    @property
    def seen(self):
        return torch.cat([problem.snapshots.values for problem in self.problems])


def setup(scenario=None, **changes):
    values = {"snr_db": (10.0,), "sources": (1,), "trials": 12, "seed": 3} | changes
    return Setup(scenario=scenario or Digital(**SMALL), **values)


def run(given, *recorders, steering=None):
    methods = [Method(f"m{i}", recorder, steering) for i, recorder in enumerate(recorders)]
    return compare(given, methods)


def seen(given):
    recorder = Recorder()
    run(given, recorder)
    return recorder.seen


def test_every_method_sees_the_same_scenes():
    first, second = Recorder(), Recorder()
    run(setup(), first, second)
    assert torch.equal(first.seen, second.seen)
    assert len(first.seen) == 12


def test_scenes_depend_on_seed_snr_and_sources_and_on_nothing_else():
    alone = seen(setup())
    among = seen(setup(snr_db=(0.0, 10.0), sources=(2, 1)))
    assert torch.equal(among[-12:], alone)
    assert torch.equal(seen(setup(trials=CHUNK + 3))[:12], alone)
    assert not torch.equal(seen(setup(seed=4)), alone)
    assert point_seed(0, -0.0, 1, 0) == point_seed(0, 0.0, 1, 0)
    seeds = {
        point_seed(seed, snr, k, c)
        for seed in (0, 1)
        for snr in (-5.0, 5.0)
        for k in (1, 2)
        for c in (0, 1)
    }
    assert len(seeds) == 16
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_rows_are_those_of_the_schema():
    comparison = run(setup(SphericalData(**SMALL), snr_db=(0.0, 5.0)), Recorder())
    rows = comparison.rows()
    assert [row["coordinate"] for row in rows] == [
        "azimuth", "elevation", "range", "position",
    ] * 2  # fmt: skip
    assert list(rows[0]) == [
        "method", "snr_db", "sources", "trials", "coordinate", "rmse", "rmse_inliers",
        "sqrt_crb", "efficiency", "outlier_rate", "data_model", "estimation_model",
    ]  # fmt: skip
    assert {row["data_model"] for row in rows} == {"spherical"}
    assert {row["estimation_model"] for row in rows} == {"canonical"}
    assert comparison.cells[0].notes == ("a guess",)


def test_a_method_may_be_told_another_steering_model():
    recorder = Recorder()
    comparison = run(setup(), recorder, steering=("plane-wave", PlaneWave()))
    assert {type(problem.steering) for problem in recorder.problems} == {PlaneWave}
    assert comparison.rows()[0]["estimation_model"] == "plane-wave"


@pytest.mark.parametrize(("kind", "name"), [(Digital, "stochastic"), (Static, "deterministic")])
def test_the_bound_fits_the_signals(kind, name):
    assert run(setup(kind(**SMALL)), Recorder()).bound == name


def test_another_bound_may_be_asked_for():
    assert run(setup(bound="deterministic"), Recorder()).bound == "deterministic"
    with pytest.raises(InputError, match="fresh"):
        run(setup(Static(**SMALL), bound="stochastic"), Recorder())


def test_the_bound_belongs_to_the_model_that_makes_the_data():
    given = setup(SphericalData(**SMALL), data_steering=Spherical())
    assert run(given, Recorder()).bound_model == "spherical"


def test_the_truth_plus_noise_of_the_bound_is_efficient():
    given = setup(Canonical(nx=6, ny=6, snapshots=8, outputs=8), snr_db=(20.0,), trials=600)
    truths = [truth for _, truth in given.chunks(20.0, 1)]
    positions = torch.cat([truth.positions for truth in truths])
    covariance = torch.cat([bounds.stochastic(truth) for truth in truths])
    noise = torch.randn(600, 1, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = positions + (torch.linalg.cholesky(covariance) @ noise.unsqueeze(-1)).squeeze(-1)
    region = Canonical().region()
    found = found.clamp(region[:, 0], region[:, 1])
    answers = iter(found.split(50))

    def oracle(problem):
        return Estimates.at(next(answers), torch.zeros(problem.scenes))

    summary = compare(given, [Method("oracle", oracle)]).cells[0].summary
    assert summary.counted > 50
    for each in summary.deviations[:3]:
        # Bounds differ between sources, so the ratio varies by 0.065: four standard deviations.
        assert each.efficiency == pytest.approx(1, abs=0.26)


def test_progress_reaches_the_end():
    steps = []
    compare(
        setup(snr_db=(0.0, 5.0)),
        [Method("a", Recorder()), Method("b", Recorder())],
        lambda done, total: steps.append((done, total)),
    )
    assert steps[-1] == (48, 48)
    assert steps == sorted(steps)


@pytest.mark.parametrize(
    "changes", [{"snr_db": ()}, {"sources": ()}, {"trials": 0}, {"sources": (1, 9)}]
)
def test_impossible_setups_are_refused_before_anything_is_run(changes):
    recorder = Recorder()
    with pytest.raises(InputError):
        run(setup(**changes), recorder)
    assert recorder.problems == []
