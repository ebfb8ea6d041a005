"""Scenarios that are correct, though not like the built-in ones."""

from __future__ import annotations

from dataclasses import replace

import torch

from risdoa.errors import InputError
from risdoa.scenarios.draws import complex_normal
from risdoa.testing import Subject
from tests.testing.mutants.scenarios import Altered, Small


class TwoSources(Small):
    """Makes scenes of two sources alone."""

    source_range = (2, 2)

    def _check_request(self, count, sources, snr_db):
        super()._check_request(count, sources, snr_db)
        if sources not in {None, 2}:
            raise InputError(f"this scenario has two sources, asked for were {sources}")


class OneSnr(Small):
    """What was measured has the SNR that it has."""

    snr_range_db = (7, 7)

    def _check_request(self, count, sources, snr_db):
        super()._check_request(count, sources, snr_db)
        if snr_db is not None:
            raise InputError("the SNR of this scenario cannot be chosen")


class Multipath(Altered):
    """Reflections that no signal of a source explains, and noise of unknown power."""

    def after(self, problem, truth):
        snapshots = problem.snapshots
        drawn = torch.Generator().manual_seed(int(truth.positions[0, 0, 2] * 1e6))
        echo = 0.3 * complex_normal(tuple(snapshots.values.shape), drawn)
        heard = replace(snapshots, values=snapshots.values + echo, noise_power=None)
        return replace(problem, snapshots=heard), replace(truth, signals=None)


class UnknownModel(Small):
    """Data made with a model that is not installed here."""

    data_model = "somebody/rough-sea"


class Uncounted(Altered):
    """The problem is not told how many sources there are."""

    def after(self, problem, truth):
        return replace(problem, sources=None), truth


UNUSUAL = [
    Subject.of("scenario", each)
    for each in (Small, TwoSources, OneSnr, Multipath, UnknownModel, Uncounted)
]
