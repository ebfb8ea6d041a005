"""``risdoa plugins list``."""

from __future__ import annotations

import json

import pytest

from risdoa.registry import KINDS


@pytest.fixture(autouse=True)
def _only_builtins(monkeypatch):
    monkeypatch.setenv("RISDOA_PLUGINS_ALLOW", "")


def test_the_json_has_exactly_the_documented_keys(cli):
    listed = json.loads(cli("plugins", "list", "--json").out)
    assert list(listed) == ["schema", "plugins"]
    assert listed["schema"] == "risdoa.plugins/2"
    keys = ["kind", "name", "distribution", "version", "status", "error", "seconds", "notes"]
    assert all(list(each) == keys for each in listed["plugins"])
    active = [each for each in listed["plugins"] if each["status"] == "active"]
    assert {each["distribution"] for each in active} == {"risdoa"}
    assert {each["error"] for each in active} == {None}
    assert {each["kind"] for each in active} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_list_of_one_kind(kind, cli):
    listed = json.loads(cli("plugins", "list", "--json", "--kind", kind).out)["plugins"]
    assert {each["kind"] for each in listed if each["status"] == "active"} == {kind}


def test_the_table_names_every_builtin_within_80_columns(cli):
    lines = cli("plugins", "list").out.splitlines()
    assert lines[0].split() == ["kind", "name", "distribution", "version", "status"]
    assert any(line.split() == ["loss", "nmse", "risdoa", "0.1.0", "active"] for line in lines)
    table = [line for line in lines if " is blocked: " not in line]
    assert max(map(len, table)) <= 80
