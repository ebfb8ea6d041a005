"""Trainings that differ in their loss alone: what is compared, and that nothing is done twice."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from risdoa.errors import InputError, UnknownNameError
from risdoa.evaluation.journal import Budget, Journal
from risdoa.losses.grammar import parse_losses
from risdoa.registry import Registry
from risdoa.training.arms import Arm, objective_arms, schedule_arms
from risdoa.training.contest import FIELDS, Contest, Entry, check_contest, entries, run_contest
from tests.training.small import SETTINGS, config

CONTEST = Contest(
    model="hybrid",
    steps=4,
    batch_size=4,
    chain=("music", "newton"),
    snr_db=(10.0, 20.0),
    sources=(1, 2),
    trials=3,
    seed=0,
    options=SETTINGS["options"],
)
NONE = Entry("canonical", 0, Arm("none", "nmse=1"))
ALIGNED = Entry("canonical", 0, Arm("gt-projection", "nmse=1,gt-projection=0.05"))
CUT = Entry("canonical", 0, replace(ALIGNED.arm, label="detached", detached=("gt-projection",)))


class Killed(BaseException):
    """What no code of the training expects."""


def discover():
    return Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})


def run(folder, todo, progress=None, seconds=600.0, contest=CONTEST):
    """Return the records of a contest that was run as far as the seconds go."""
    journal = Journal(folder / "trainings.jsonl", {})
    run_contest(contest, todo, folder, journal, Budget(seconds), discover, progress)
    return journal.records


def without_times(record):
    return {name: value for name, value in record.items() if name != "cpu_seconds"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the folder and the records of a contest that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, run(folder, [ALIGNED, NONE, CUT])


def test_objectives_stand_with_and_without_completeness_beside_their_controls():
    arms = {arm.label: arm for arm in objective_arms(["chordal", "geodesic"], 0.1, 0.02)}
    assert [*arms] == [
        "chordal", "chordal +c", "geodesic", "geodesic +c", "none", "none +c", "detached",
    ]  # fmt: skip
    assert arms["geodesic"].loss == "nmse=1,geodesic=0.1"
    assert arms["geodesic +c"].loss == "nmse=1,geodesic=0.1,completeness=0.02"
    assert arms["none"].loss == "nmse=1"
    assert arms["none +c"].loss == "nmse=1,completeness=0.02"
    assert (arms["detached"].loss, arms["detached"].detached) == (
        "nmse=1,chordal=0.1",
        ("chordal",),
    )


def test_objectives_can_do_without_completeness_or_covariance():
    plain = objective_arms(["chordal"], 0.1, 0)
    assert [arm.label for arm in plain] == ["chordal", "none", "detached"]
    alone = objective_arms(["chordal"], 0.1, 0.02, covariance=0)
    assert [arm.loss for arm in alone] == [
        "chordal=0.1", "chordal=0.1,completeness=0.02", "nmse=1", "nmse=1,completeness=0.02",
    ]  # fmt: skip


def test_schedules_are_those_of_the_presets():
    weights = {arm.label: parse_losses(arm.loss) for arm in schedule_arms("chordal")}
    texts = {
        label: {name: str(weight) for name, weight in several.items()}
        for label, several in weights.items()
    }
    assert texts == {
        "hpo": {"nmse": "1", "chordal": "0.05"},
        "final constant": {"nmse": "1", "chordal": "0.2", "peak-contrast": "0.1"},
        "final progressive": {"nmse": "1", "chordal": "0.1..0.2", "peak-contrast": "0.05..0.1"},
    }


def test_all_arms_of_a_seed_come_before_the_next_seed():
    arms = [ALIGNED.arm, NONE.arm]
    todo = entries(["canonical", "spherical-data"], [0, 1], arms)
    assert [(e.scenario, e.seed, e.arm.label) for e in todo[:4]] == [
        ("canonical", 0, "gt-projection"),
        ("canonical", 0, "none"),
        ("canonical", 1, "gt-projection"),
        ("canonical", 1, "none"),
    ]
    assert len({entry.key for entry in todo}) == len(todo) == 8
    assert CUT.key != ALIGNED.key


def test_a_cut_gradient_teaches_nothing_and_one_that_is_not_does(whole):
    _, records = whole
    assert records[CUT.key]["weights"] == records[NONE.key]["weights"]
    assert records[CUT.key]["points"] == records[NONE.key]["points"]
    assert records[ALIGNED.key]["weights"] != records[NONE.key]["weights"]


def test_every_scene_of_every_point_is_tried(whole):
    _, records = whole
    for record in records.values():
        assert record["steps"] == 4
        assert record["skipped"] == 0
        assert record["cpu_seconds"] > 0
        assert [(p["sources"], p["snr_db"]) for p in record["points"]] == [
            (1, 10.0), (1, 20.0), (2, 10.0), (2, 20.0),
        ]  # fmt: skip
        for point in record["points"]:
            assert len(point["scenes"]) == 3
            for scene in point["scenes"]:
                row = dict(zip(FIELDS, scene, strict=True))
                assert row["sources"] == point["sources"]
                assert 0 <= row["outliers"] <= row["sources"]
                assert row["angle"] <= 25 * (row["sources"] - row["outliers"])
                assert row["nmse"] > 0
                assert 0 <= row["projection"] <= 1


def test_what_is_kept_of_a_run_repeats_it(whole):
    folder, _ = whole
    kept = {path.name for path in (folder / CUT.key / "checkpoints").iterdir()}
    assert kept == {"best.safetensors", "best.json"}
    assert 'detached = ["gt-projection"]' in (folder / CUT.key / "config.toml").read_text()
    used = json.loads((folder / NONE.key / "plugins.json").read_text())["plugins"]
    assert {each["name"] for each in used if each["kind"] == "loss"} == {"risdoa/nmse"}


def test_a_killed_contest_goes_on_to_the_same_figures(tmp_path, whole):
    def progress(done, _total):
        if done == 6:  # in the middle of the second training
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path, [ALIGNED, NONE], progress)
    assert [*Journal(tmp_path / "trainings.jsonl", {}).records] == [ALIGNED.key]
    records = run(tmp_path, [ALIGNED, NONE])
    _, expected = whole
    for key in (ALIGNED.key, NONE.key):
        assert without_times(records[key]) == without_times(expected[key])
    assert records[ALIGNED.key]["cpu_seconds"] is not None
    assert records[NONE.key]["cpu_seconds"] is None


def test_a_finished_training_is_not_repeated(tmp_path):
    run(tmp_path, [NONE])
    steps = []
    run(tmp_path, [NONE], lambda done, total: steps.append(done))
    assert steps == []
    (tmp_path / "trainings.jsonl").unlink()
    records = run(tmp_path, [NONE], lambda done, total: steps.append(done))
    assert steps == []
    assert [*records] == [NONE.key]


def test_a_run_that_was_killed_before_it_was_described_is_begun_again(tmp_path):
    (tmp_path / NONE.key).mkdir()
    (tmp_path / NONE.key / "config.toml").write_text(config().text())
    assert [*run(tmp_path, [NONE])] == [NONE.key]


def test_a_folder_with_another_training_is_refused(tmp_path):
    run(tmp_path, [NONE])
    (tmp_path / "trainings.jsonl").unlink()
    with pytest.raises(InputError, match="holds another training"):
        run(tmp_path, [NONE], contest=replace(CONTEST, steps=5))


def test_nothing_is_begun_without_a_budget(tmp_path):
    assert run(tmp_path, [NONE], seconds=-1.0) == {}
    assert not (tmp_path / NONE.key).exists()


def test_the_budget_ends_a_training_which_goes_on_later(tmp_path, whole):
    class Ending(Budget):
        """Is spent after two steps."""

        asked = 0

        @property
        def spent(self):
            return 0.0 if self.asked < 2 else 1e9

    budget = Ending(600.0)

    def progress(done, _total):
        budget.asked = done

    journal = Journal(tmp_path / "trainings.jsonl", {})
    run_contest(CONTEST, [NONE], tmp_path, journal, budget, discover, progress)
    assert journal.records == {}
    assert budget.asked == 2
    _, expected = whole
    records = run(tmp_path, [NONE])
    assert without_times(records[NONE.key]) == without_times(expected[NONE.key])


@pytest.mark.parametrize(
    ("changes", "todo"),
    [
        ({"chain": ("music", "magic")}, NONE),
        ({"sources": (40,)}, NONE),
        ({"options": {"music": {"magic": "2"}}}, NONE),
        ({"options": {"gt-projection": {"projector": "none"}}}, ALIGNED),
        ({"model": "sample"}, NONE),
        ({}, replace(NONE, arm=Arm("x", "magic=1"))),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_trained(changes, todo):
    with pytest.raises((InputError, UnknownNameError)):
        check_contest(replace(CONTEST, **changes), [todo], discover())


def test_what_can_be_is_not_refused():
    check_contest(CONTEST, [NONE, ALIGNED, CUT], discover())


def test_a_term_that_is_not_there_cannot_be_detached():
    with pytest.raises(InputError, match="no term 'chordal' to detach"):
        config(loss="gt-projection", detached=["chordal"])
