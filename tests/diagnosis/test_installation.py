"""Whether the checks of the installation see what is wrong with one."""

from __future__ import annotations

from importlib import metadata

import pytest

from risdoa.diagnosis import installation
from risdoa.diagnosis.findings import Finding, failed
from risdoa.diagnosis.installation import dependencies, examine, plugins, satisfies
from risdoa.registry import Registry
from risdoa.registry.records import Row


@pytest.mark.parametrize(
    ("version", "specifiers", "inside"),
    [
        ("2.13.0+cpu", ">=2.5", True),
        ("1.26", ">=1.26.0", True),
        ("1.9.5", ">=1.10", False),
        ("3.11.7", ">=3.11,<3.12", True),
        ("3.12.0", ">=3.11, <3.12", False),
        ("2.0", "==2.0.0", True),
        ("2.0.1", "!=2.0.1", False),
        ("2.0", "<=2", True),
        ("2.0", ">2", False),
        ("anything", "", True),
    ],
)
def test_versions(version, specifiers, inside):
    assert satisfies(version, specifiers) is inside


def test_a_specifier_that_is_not_read():
    with pytest.raises(ValueError, match="comparison"):
        satisfies("1.0", "~=1.0")


@pytest.fixture
def requires(monkeypatch):
    """Let the package require something else."""

    def use(*requirements):
        monkeypatch.setattr(metadata, "requires", lambda name: list(requirements))
        return {each.check: each for each in dependencies()}

    return use


def test_dependencies_out_of_range_and_missing(requires):
    found = requires("numpy>=1.26", "click>=999", "no-such-thing>=1.2", 'ruff>=999; extra == "dev"')
    assert {name: each.status for name, each in found.items()} == {
        "numpy": "ok",
        "click": "fail",
        "no-such-thing": "fail",
    }
    assert "is not >=999" in found["click"].message
    assert "pip install 'no-such-thing>=1.2'" in found["no-such-thing"].hint


def test_nothing_is_run_where_a_dependency_is_missing(requires, monkeypatch):
    requires("no-such-thing>=1.2")
    monkeypatch.setattr(installation, "_known_source", lambda registry: pytest.fail("was run"))
    checks = [each.check for each in examine(Registry.discover({"RISDOA_PLUGINS_ALLOW": ""}))]
    assert "no-such-thing" in checks
    assert "estimate" not in checks


def test_a_broken_plugin_is_named(monkeypatch):
    registry = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
    rows = [*registry.rows(), Row(None, None, "my-losses", "0.1", "broken", "ImportError")]
    monkeypatch.setattr(registry, "rows", lambda: rows)
    finding = plugins(registry)
    assert finding.status == "warn"
    assert "my-losses" in finding.message
    assert finding.values["broken"] == 1
    assert finding.values["active"] == sum(row.status == "active" for row in rows)


def test_an_estimate_that_is_off_or_breaks_fails(monkeypatch):
    registry = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
    off, first = installation._known_source(registry)
    assert off < 0.1
    monkeypatch.setattr(installation, "_known_source", lambda registry: (5.0, first))
    found = {each.check: each for each in examine(registry)}
    assert [each.check for each in failed(found.values())] == ["estimate"]
    assert found["determinism"].status == "ok"

    def breaks(registry):
        raise RuntimeError("no LAPACK")

    monkeypatch.setattr(installation, "_known_source", breaks)
    found = {each.check: each for each in examine(registry)}
    assert found["estimate"].status == "fail"
    assert "no LAPACK" in found["estimate"].message
    assert "determinism" not in found


def test_runs_that_differ_are_told(monkeypatch):
    registry = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
    off, first = installation._known_source(registry)
    results = iter([(off, first), (off, first + 1e-9)])
    monkeypatch.setattr(installation, "_known_source", lambda registry: next(results))
    found = {each.check: each for each in examine(registry)}
    assert found["determinism"].status == "warn"


def test_numbers_that_json_cannot_hold_are_null():
    finding = Finding("a", "ok", "b", values={"x": float("nan"), "y": 1.0})
    assert finding.to_json()["values"] == {"x": None, "y": 1.0}
