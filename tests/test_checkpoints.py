"""Checkpoints: what goes in comes out, and what is not one is refused."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from risdoa.checkpoints import (
    Metadata,
    find_weights,
    load_model,
    load_weights,
    read_checkpoint,
    save_checkpoint,
)
from risdoa.errors import InputError, UnknownNameError
from risdoa.models.hybrid import Hybrid
from risdoa.registry import Registry

SIZES = {"channels": 4, "width": 4, "depth": 1, "layers": 1, "heads": 1, "anchors": 2}


def metadata(**changes):
    values = {
        "model": "hybrid",
        "qualified": "risdoa/hybrid",
        "options": SIZES,
        "steering": "canonical",
        "scenario": "canonical",
        "metrics": {"loss": None},
    }
    return Metadata(**values | changes)


@pytest.fixture
def registry():
    return Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})


@pytest.fixture
def saved(tmp_path):
    model = Hybrid(**SIZES)
    path = tmp_path / "checkpoints" / "last.safetensors"
    extra = {
        "wave": torch.tensor([1 + 2j, 3 - 4j], dtype=torch.complex128),
        "step": torch.tensor(3.0),
        "state": torch.arange(5, dtype=torch.uint8),
    }
    save_checkpoint(path, model, metadata(), extra)
    return model, path, extra


def test_round_trip(saved, registry):
    model, path, extra = saved
    tensors, read = read_checkpoint(path)
    assert read == metadata()
    for name, value in extra.items():
        assert tensors[name].dtype == value.dtype
        assert torch.equal(tensors[name], value)
    for place in (path, str(path), path.parent.parent):
        loaded, _ = load_model(place, registry)
        for name, value in model.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], value)
    assert json.loads(path.with_suffix(".json").read_text())["options"] == SIZES


def test_the_best_weights_of_a_run_come_first(saved):
    _, path, _ = saved
    assert find_weights(path.parent.parent) == path
    best = path.with_name("best.safetensors")
    save_checkpoint(best, Hybrid(**SIZES), metadata())
    assert find_weights(path.parent.parent) == best
    assert find_weights(path.parent) == best


def test_options_can_be_changed_where_the_weights_still_fit(saved, registry):
    _, path, _ = saved
    model, _ = load_model(path, registry, {"beta": "0.5"})
    assert model.beta == 0.5
    with pytest.raises(InputError, match="does not fit"):
        load_model(path, registry, {"width": 8})
    with pytest.raises(UnknownNameError):
        load_model(path, registry, {"nonsense": 8})


@pytest.mark.parametrize("length", [0, 7, 100, -1])
def test_truncated_files_are_refused(saved, registry, length):
    _, path, _ = saved
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match="cannot read the checkpoint"):
        load_model(path, registry)


def test_foreign_files_are_refused(saved, registry, tmp_path):
    model, path, _ = saved
    with pytest.raises(InputError, match="cannot read"):
        load_model(path.with_suffix(".json"), registry)
    other = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(2)}, other)
    with pytest.raises(InputError, match="not a checkpoint of risdoa"):
        load_model(other, registry)
    save_file({"x": torch.zeros(2)}, other, {"risdoa": "{}"})
    with pytest.raises(InputError, match="damaged"):
        load_model(other, registry)
    save_file({"x": torch.zeros(2)}, other, {"risdoa": metadata().text()})
    with pytest.raises(InputError, match="does not fit"):
        load_model(other, registry)
    with pytest.raises(InputError, match="does not fit"):
        load_weights(model, {}, path)


def test_places_without_weights_are_refused(tmp_path, registry):
    with pytest.raises(InputError, match="holds no checkpoint"):
        load_model(tmp_path, registry)
    with pytest.raises(InputError, match="does not exist"):
        load_model(tmp_path / "nothing", registry)


def test_a_model_that_is_not_installed_is_named(saved, registry):
    _, path, _ = saved
    save_checkpoint(path, Hybrid(**SIZES), metadata(qualified="elsewhere/net", model="net"))
    with pytest.raises(UnknownNameError, match="elsewhere/net"):
        load_model(path, registry)


def test_a_failed_write_leaves_the_old_checkpoint(saved, monkeypatch):
    _, path, _ = saved
    before = path.read_bytes()

    def broken(*arguments, **options):
        raise OSError("disk full")

    monkeypatch.setattr("risdoa.checkpoints.save_file", broken)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, Hybrid(**SIZES), metadata())
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "last.json",
        "last.safetensors",
    ]
