"""One process of several: a step in which the loss of the second one breaks down, then a whole one.

Run by ``torchrun``; each process prints a line of JSON.
"""

from __future__ import annotations

import json
import math
import sys

import torch

from risdoa.losses.nmse import Nmse
from risdoa.training.loop import training_step, validate
from risdoa.training.team import joined_team
from tests.training.small import experiment


class Fragile(Nmse):
    """Breaks down where it is told to."""

    broken = False

    def __call__(self, covariance, truth):
        if self.broken:
            raise torch.linalg.LinAlgError("no convergence")
        return super().__call__(covariance, truth)


def main():
    with joined_team("cpu") as team:
        made = experiment(loss="nmse", batch_size=8, draws=2, validation_scenes=30)
        [term] = made.loss.terms
        object.__setattr__(term, "loss", Fragile())
        step = training_step(made, 4, team)
        made.model.train()
        results = []
        for index, broken in enumerate((True, False)):
            Fragile.broken = broken and team.rank == 1
            draws = team.share(2)
            results.append(step(*(lambda n=n, i=index: made.scenes.batch(i, n) for n in draws)))
        figures = validate(made.model, made.loss, made.scenes.validation(), team)
    record = {
        "rank": team.rank,
        "skipped": [result.skipped for result in results],
        "losses": [result.loss if math.isfinite(result.loss) else None for result in results],
        "gradients": results[1].gradients,
        "validation": figures,
    }
    sys.stdout.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
