"""Configurations: checked, merged, written and read again."""

from __future__ import annotations

import doctest
import tomllib

import pytest

from risdoa.errors import InputError, UnknownNameError
from risdoa.registry import Registry
from risdoa.training import schedule
from risdoa.training.config import TrainConfig, merged, preset, preset_names, read_config
from risdoa.training.experiment import Experiment
from risdoa.training.toml import to_toml


def test_presets_are_valid_and_smoke_is_short():
    assert preset_names() == ["demo", "final", "hpo", "pretrained", "smoke"]
    for name in preset_names():
        assert TrainConfig.of(preset(name)).epochs >= 4
    with pytest.raises(UnknownNameError):
        preset("nonsense")


def test_presets_have_the_weights_of_the_design_note():
    def weights(name, **changes):
        found = TrainConfig.of(preset(name) | changes).weights()
        return {term: str(weight) for term, weight in found.items()}

    assert weights("hpo") == {"nmse": "1", "gt-projection": "0.05"}
    assert weights("final") == {
        "nmse": "1",
        "gt-projection": "0.1..0.2",
        "peak-contrast": "0.05..0.1",
    }
    assert "eigenvector" in weights("final", loss="eigenvector")
    assert weights("final", loss="nmse=1") == {"nmse": "1"}
    for name in ("hpo", "final"):
        assert preset(name)["clip_norm"] == 1.0


@pytest.mark.parametrize("name", preset_names())
def test_all_that_a_preset_names_is_there(name):
    made = Experiment.of(
        TrainConfig.of(preset(name)), Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
    )
    assert TrainConfig.of(preset(name) | {"options": made.config.options}) == made.config


def test_what_is_written_is_what_is_read():
    settings = {
        "scenario": "canonical",
        "loss": 'a "quoted"\nname',
        "learning_rate": 1e-05,
        "amp": True,
        "snr_db": None,
        "options": {
            "hybrid": {"width": 8, "beta": 0.5, "nothing": None},
            "other/na me": {"sizes": (1, 2), "text": "µ"},
            "empty": {},
        },
    }
    read = tomllib.loads(to_toml(settings))
    assert read["loss"] == settings["loss"]
    assert read["learning_rate"] == 1e-05
    assert "snr_db" not in read
    assert read["options"]["hybrid"] == {"width": 8, "beta": 0.5, "nothing": "none"}
    assert read["options"]["other/na me"] == {"sizes": [1, 2], "text": "µ"}


def test_later_layers_win_option_by_option():
    first = {"seed": 1, "options": {"hybrid": {"width": 8, "beta": 0.5}}}
    second = {"options": {"hybrid": {"width": 16}, "canonical": {"nx": 4}}}
    assert merged(first, second) == {
        "seed": 1,
        "options": {"hybrid": {"width": 16, "beta": 0.5}, "canonical": {"nx": 4}},
    }
    assert first["options"]["hybrid"]["width"] == 8


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"learning_rate": 0.0},
        {"clip_norm": float("nan")},
        {"seed": -1},
        {"loss": "nmse,gt-projection"},
        {"nonsense": 1},
        {"options": {"hybrid": 3}},
        {"snr_db": float("inf")},
        {"alignment": "much"},
        {"contrast": "-1"},
        {"amp": True},
        {"ema": 1.0},
        {"batch_size": 8, "draws": 3},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(InputError) as caught:
        TrainConfig.of(settings)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["epochs = ", "options = 3", "[options]\nhybrid = 1", "\xff"])
def test_damaged_files_are_refused(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError):
        read_config(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        read_config(tmp_path / "nothing.toml")


def test_the_learning_rate_rises_and_falls():
    assert doctest.testmod(schedule).failed == 0
    rates = [schedule.rate(step, 200) for step in range(201)]
    assert max(rates) == rates[10] == 1.0
    assert rates[-1] == pytest.approx(schedule.END)
