"""What interval errors predict for one source, over the scenes of a point."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa import bounds
from risdoa.evaluation.comparison import Setup
from risdoa.evaluation.limits import with_steering


@dataclass(frozen=True)
class Predicted:
    """The outlier rate and the root mean squares over all scenes, outliers and all.

    Shapes:
        rmse, no_information, sqrt_crb: (4,) of azimuth and elevation [deg], range [m] and inverse
        range [1/m].
    """

    snr_db: float
    kind: str
    outlier_rate: float
    rmse: Tensor
    no_information: Tensor
    sqrt_crb: Tensor

    def row(self) -> dict[str, object]:
        """Return one row of ``risdoa.bound/1``."""
        names = ("azimuth_deg", "elevation_deg", "range_m", "inverse_range_per_m")
        figures = {
            name: dict(zip(names, getattr(self, name).tolist(), strict=True))
            for name in ("rmse", "no_information", "sqrt_crb")
        }
        head = {"snr_db": self.snr_db, "likelihood": self.kind, "outlier_rate": self.outlier_rate}
        return head | figures


def predicted(setup: Setup, snr_db: float) -> Predicted:
    """Return what is predicted at one SNR: stochastic likelihood, or conditional if it is told."""
    kind: bounds.Kind = "conditional" if setup.bound == "deterministic" else "stochastic"
    generator = torch.Generator().manual_seed(setup.seed)
    found = [
        bounds.threshold(with_steering(truth, setup.data_steering), generator, kind)
        for _, truth in setup.chunks(snr_db, 1)
    ]

    def root(name: str) -> Tensor:
        mean: Tensor = torch.cat([getattr(each, name) for each in found]).mean(0)
        return mean.sqrt()

    rate = float(torch.cat([each.outliers for each in found]).mean())
    return Predicted(snr_db, kind, rate, root("mean_square"), root("no_information"), root("bound"))
