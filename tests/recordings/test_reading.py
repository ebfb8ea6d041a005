"""Which reader reads a file: the suffix says, a built-in comes first, and a name decides."""

from __future__ import annotations

import shutil
import sys
from types import ModuleType

import pytest

import risdoa
from risdoa.errors import InputError, PluginLoadError, RisdoaError, UnknownNameError
from risdoa.reading import read_recording
from risdoa.recordings import sample_path


@pytest.fixture
def registry(monkeypatch):
    """Return what makes a registry with readers of other distributions, by name and traits."""

    def of(*readers, result=None):
        modules = []
        for distribution, traits in readers:
            module = ModuleType(distribution)
            module.Any = lambda scale=1.0: result or (lambda path: path)
            record = risdoa.Plugin("mine", f"{distribution}:Any", "A reader.", traits=traits)
            module.risdoa_readers = risdoa.hookimpl(lambda record=record: [record])
            monkeypatch.setitem(sys.modules, distribution, module)
            modules.append(module)
        return risdoa.Registry.discover({"RISDOA_PLUGINS_ALLOW": ""}, extra=modules)

    return of


@pytest.fixture
def sample(tmp_path):
    """Return the sample recording under another name."""
    return lambda name: shutil.copy(sample_path(), tmp_path / name)


def npz(path):
    return read_recording(path, reader="npz")


@pytest.mark.parametrize("name", ["a.npz", "a.NPZ", "a.b.npz"])
def test_a_suffix_that_is_built_in_is_read_without_asking_anyone(name, sample, registry):
    found = registry(("acme", (".npz",)))
    assert read_recording(sample(name), registry=found).scenes == 54
    assert "_others" not in vars(found)


def test_another_suffix_asks_the_other_distributions(sample, registry):
    found = registry(("acme", (".bin",)), ("bolt", (".dat",)), result=npz)
    assert read_recording(sample("a.bin"), registry=found).scenes == 54
    assert [each["name"] for each in found.used()] == ["acme/mine"]


def test_two_readers_for_one_suffix_are_named(sample, registry):
    found = registry(("acme", (".bin",)), ("bolt", (".bin",)), result=npz)
    with pytest.raises(UnknownNameError, match=r"\.bin files have several readers") as caught:
        read_recording(sample("a.bin"), registry=found)
    assert caught.value.hint == "--reader acme/mine or bolt/mine"
    assert read_recording(sample("a.bin"), reader="bolt/mine", registry=found).scenes == 54


@pytest.mark.parametrize(
    ("name", "words"), [("a.bin", r"no reader for \.bin"), ("a", "the file has no suffix")]
)
def test_a_suffix_that_nobody_reads(name, words, sample, registry):
    with pytest.raises(InputError, match=words) as caught:
        read_recording(sample(name), registry=registry(("acme", ())))
    assert caught.value.hint == "name its reader with --reader: npz, matlab, mine"
    assert read_recording(sample(name), reader="npz", registry=registry()).scenes == 54


def test_options_reach_the_reader(sample, registry):
    found = registry(("acme", (".bin",)), result=npz)
    with pytest.raises(UnknownNameError, match="mine has no option 'scael'"):
        read_recording(sample("a.bin"), settings={"mine": {"scael": "2"}}, registry=found)


def test_what_is_no_recording_is_the_readers_fault(sample, registry):
    found = registry(("acme", (".bin",)))
    with pytest.raises(RisdoaError, match=r"acme/mine returned \w*Path, not a Recording"):
        read_recording(sample("a.bin"), registry=found)


def test_a_reader_that_cannot_be_loaded(sample, registry, monkeypatch):
    found = registry(("acme", (".bin",)))
    assert found.having("reader", ".bin")
    monkeypatch.delattr(sys.modules["acme"], "Any")
    with pytest.raises(PluginLoadError, match="reader acme/mine cannot be loaded"):
        read_recording(sample("a.bin"), registry=found)


def test_the_library_takes_a_reader_too(sample, registry):
    path = sample("a.bin")
    found = registry(("acme", (".bin",)), result=npz)
    choices = {"backend": "nf-mle", "model": "none", "region_deg_m": [[0, 0], [0, 0], [1, 1]]}
    with pytest.raises(InputError, match="no reader"):
        risdoa.estimate(path, registry=registry(), **choices)
    for chosen in ({"reader": "npz"}, {"registry": found}):
        result = risdoa.estimate(path, **{"registry": registry(), **chosen}, **choices)
        assert result.recording.scenes == 54
