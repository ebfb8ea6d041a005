"""The environment allows, blocks, traces and is strict."""

from __future__ import annotations

import sys

import pytest

from risdoa.errors import PluginLoadError


def _statuses(registry):
    rows = [row for row in registry.rows() if row.distribution in {"acme-losses", "bolt-losses"}]
    return {row.distribution: row.status for row in rows}


@pytest.mark.parametrize(
    ("switches", "acme", "bolt"),
    [
        ({}, "active", "active"),
        ({"RISDOA_PLUGINS_BLOCK": "Acme_Losses"}, "blocked", "active"),
        ({"RISDOA_PLUGINS_ALLOW": "acme-losses, other"}, "active", "blocked"),
        ({"RISDOA_PLUGINS_ALLOW": ""}, "blocked", "blocked"),
        (
            {"RISDOA_PLUGINS_ALLOW": "acme-losses", "RISDOA_PLUGINS_BLOCK": "acme-losses"},
            "blocked",
            "blocked",
        ),
    ],
)
def test_distributions_are_allowed_and_blocked(switches, acme, bolt, install, discover):
    install("acme-losses")
    install("bolt-losses")
    assert _statuses(discover(**switches)) == {"acme-losses": acme, "bolt-losses": bolt}


def test_a_blocked_plugin_is_not_imported_and_says_why(install, discover):
    module = install("acme-losses")
    registry = discover(RISDOA_PLUGINS_BLOCK="acme-losses")
    with pytest.raises(PluginLoadError, match="RISDOA_PLUGINS_BLOCK"):
        registry.find("loss", "acme-losses/mine")
    assert module not in sys.modules


def test_builtins_cannot_be_blocked(discover):
    assert discover(RISDOA_PLUGINS_BLOCK="risdoa").find("loss", "nmse")


def test_strict_makes_a_broken_plugin_an_error(install, discover):
    install("acme-losses", "raise RuntimeError('no licence')")
    registry = discover(RISDOA_PLUGINS_STRICT="1")
    registry.find("loss", "nmse")
    with pytest.raises(PluginLoadError, match="no licence"):
        registry.rows()


def test_trace_tells_what_was_loaded(install, discover, capsys):
    install("acme-losses")
    discover(RISDOA_PLUGINS_TRACE="1").rows()
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("risdoa: loaded acme-losses 1.0 (acme_losses) in") for line in lines)
