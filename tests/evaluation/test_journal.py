"""Measurements go on where they were stopped, and stop where they must."""

from __future__ import annotations

import pytest

from risdoa.errors import InputError
from risdoa.evaluation.journal import Budget, Journal


def test_records_are_there_again(tmp_path):
    path = tmp_path / "deep" / "journal.jsonl"
    first = Journal(path, {"seed": 0, "widths": (1, 2)})
    assert "a" not in first
    first.add("a", {"count": 3})
    first.add("b", [1.5])
    again = Journal(path, {"seed": 0, "widths": [1, 2]})
    assert again.records == {"a": {"count": 3}, "b": [1.5]}
    assert "a" in again


@pytest.mark.parametrize("content", ["", "[]\n{}\n", '{"seed": 0}\n{"key": "a", "rec', "\xff"])
def test_another_setup_and_damaged_files_are_refused(tmp_path, content):
    path = tmp_path / "journal.jsonl"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(InputError) as caught:
        Journal(path, {"seed": 1})
    assert "another --out" in caught.value.hint


def test_nothing_is_kept_without_a_path():
    journal = Journal(None, {})
    journal.add("a", 1)
    assert journal.records == {"a": 1}


def test_a_budget_stops_before_a_part_as_long_as_the_longest(monkeypatch):
    now = iter([0.0, 0.0, 0.0, 4.0, 4.0, 6.0, 6.0])
    monkeypatch.setattr("time.process_time", lambda: next(now))
    budget = Budget(9.0)
    assert budget.allows_another()
    assert budget.allows_another()  # 4 s of 9 s spent, another 4 s fit
    assert not budget.allows_another()
