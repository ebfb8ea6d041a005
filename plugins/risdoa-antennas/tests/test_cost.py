"""What the README says that ignoring the coupling costs is what its code prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def rows(text):
    """Return level, who is told what, bias in deg, deg and m, and bias in √CRB, a row a line."""
    found = []
    for line in text.splitlines()[1:]:
        words = re.sub(r"[°m]|dB", " ", line).split()
        found.append((float(words[0]), words[1], *map(float, words[2:])))
    return found


@pytest.mark.statistical
def test_the_cost_of_ignoring_the_coupling(capsys):
    [code] = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    [shown] = re.findall(r"^```text\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    measured = rows(capsys.readouterr().out)
    assert len(measured) == 6
    for row, stated in zip(measured, rows(shown), strict=True):
        assert row[:2] == stated[:2]
        assert row[2:] == pytest.approx(stated[2:], rel=0.05, abs=0.02)
        ratios = [abs(ratio) for ratio in row[5:]]
        if row[1] == "known":  # the mean over 100 scenes has a standard deviation of 0.1 √CRB
            assert max(ratios) < 0.4
        elif row[0] >= -20:
            assert min(ratios) > 3
