"""docs/testing.md shows the checks and the mutants that there are."""

from __future__ import annotations

from tests.testing.tables import page


def test_the_page_is_current(root):
    text = (root / "docs" / "testing.md").read_text("utf-8")
    assert text.endswith(page()), "run python tests/testing/tables.py and paste what it prints"
