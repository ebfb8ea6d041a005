"""The examples run as they stand, in a process of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SLOW = {"train_and_compare"}
SAYS = {
    "estimate_recording": ["40 of 54 sources shown", "spherical: median error 1.", "scene 7 alone"],
    "train_and_compare": ["epoch 4: validation loss", "classical   azimuth", "learned     range"],
}
"""What each example prints, among other things."""

EXAMPLES = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in SLOW else [])
    for path in sorted((ROOT / "examples").glob("*.py"))
]


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_runs_and_leaves_nothing_behind(path, python, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures = ["picture.png"] if path.stem == "estimate_recording" else []
    outcome = python(path, *pictures, RISDOA_PLUGINS_ALLOW="", PYTHONUTF8="1")
    assert outcome.code == 0, outcome.err
    assert [text for text in SAYS[path.stem] if text not in outcome.out] == []
    assert [each.name for each in tmp_path.iterdir()] == pictures


def test_every_example_says_what_it_shows():
    paths = list((ROOT / "examples").glob("*.py"))
    assert {path.stem for path in paths} == set(SAYS)
    assert all(path.read_text("utf-8").startswith('"""') for path in paths)
