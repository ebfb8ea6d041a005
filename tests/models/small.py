"""Small networks and small scenes."""

from __future__ import annotations

import torch

from risdoa.scenarios.canonical import Canonical

HYBRID = {"channels": 8, "width": 16, "depth": 1, "layers": 1, "heads": 2, "anchors": 8}
UNFOLDED = {"channels": 8, "depth": 1, "rounds": 2, "atoms": 4, "anchors": 8}


def drawn(count=5, seed=0, scenario=Canonical, sources=None, **options):
    """Draw scenes on a few elements."""
    made = scenario(**{"nx": 5, "ny": 4, "snapshots": 6} | options)
    return made.sample(count, torch.Generator().manual_seed(seed), sources=sources)
