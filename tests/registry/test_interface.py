"""The number of the plugin interface: what works, what ends, what is gone."""

from __future__ import annotations

import pytest

from risdoa.registry import admission, records

LOSS = """
    import risdoa

    @risdoa.hookimpl
    def risdoa_losses():
        for api in (1, 2, 3, 4):
            yield risdoa.Plugin(f"mine-{api}", "builtins:dict", "A loss.", api=api)
"""


@pytest.fixture
def rows(install, discover, monkeypatch):
    """Return the rows of plugins for interfaces 1 to 4 in a risdoa that speaks 2 and 3."""
    monkeypatch.setattr(admission, "OLDEST_API", 2)
    monkeypatch.setattr(admission, "API", 3)
    monkeypatch.setattr(admission, "ENDING", {2: "0.5"})
    install("acme-losses", LOSS)
    found = [row for row in discover().rows() if row.distribution == "acme-losses"]
    return {row.name: row for row in found}


def test_the_present_interface_is_active_without_a_word(rows):
    assert (rows["mine-3"].status, rows["mine-3"].notes) == ("active", ())


def test_an_interface_that_ends_is_active_with_the_release_that_drops_it(rows):
    assert rows["mine-2"].status == "active"
    assert rows["mine-2"].notes == (
        "acme-losses/mine-2 is written for plugin API 2, which ends with risdoa 0.5; the present "
        "one is 3",
    )


def test_an_interface_that_is_gone_is_old(rows):
    assert rows["mine-1"].status == "old-api"
    assert rows["mine-1"].error == "written for plugin API 1; the oldest that works is 2"


def test_a_later_interface_is_broken(rows):
    assert rows["mine-4"].status == "broken"
    assert rows["mine-4"].error == "needs plugin API 4, this risdoa has 3: upgrade risdoa"


def test_every_interface_that_ends_has_a_release():
    assert set(records.ENDING) == set(range(records.OLDEST_API, records.API))


def test_a_record_without_a_number_was_written_for_the_first():
    assert records.Plugin("a", "builtins:dict", "A plugin.").api == 1


def test_the_list_says_it_below_the_table(install, cli, monkeypatch):
    monkeypatch.setattr(admission, "API", 2)
    monkeypatch.setattr(admission, "ENDING", {1: "0.5"})
    install("acme-losses", LOSS)
    lines = cli("plugins", "list").out.splitlines()
    told = [line for line in lines if "ends with risdoa 0.5" in line]
    assert any(line.startswith("acme-losses/mine-1 is ") for line in told)
