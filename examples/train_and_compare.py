"""Train a covariance network and put it beside a classical estimator and the Cramér-Rao bound.

Tiny on purpose (under a minute on two cores): the network has seen 640 scenes, so expect it to be
far from the bound. `risdoa demo` trains longer. Run it as ``python examples/train_and_compare.py``.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import risdoa
from risdoa.evaluation.comparison import Setup, compare
from risdoa.evaluation.methods import Method
from risdoa.pipeline import build_chain
from risdoa.training.config import TrainConfig
from risdoa.training.run import run_training

CHAIN = "music,newton,nf-mle"


def main() -> None:
    """Train, compare, print."""
    registry = risdoa.Registry.discover()
    settings = {"epochs": 4, "steps_per_epoch": 10, "batch_size": 16, "validation_scenes": 50}
    with TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        config = TrainConfig.of({"loss": "gt-projection", "held_out_scenes": 0, **settings})
        history = run_training(config, registry, run).history
        for epoch in history.epochs:
            print(f"epoch {epoch.epoch}: validation loss {epoch.validation['loss']:.3f}")
        learned = build_chain(registry, model="hybrid", chain="music,newton", checkpoint=run)

    classical = build_chain(registry, model="sample", chain=CHAIN)
    setup = Setup(
        scenario=registry.create("scenario", "canonical"),
        snr_db=(10.0,),
        sources=(1,),
        trials=20,
        seed=0,
    )
    comparison = compare(setup, [Method("learned", learned), Method("classical", classical)])
    print(f"{'method':<12}{'coordinate':<12}{'RMSE':>8}{'√CRB':>8}{'outliers':>10}")
    for row in comparison.rows():
        print(
            f"{row['method']:<12}{row['coordinate']:<12}{_text(row['rmse_inliers'])}"
            f"{_text(row['sqrt_crb'])}{row['outlier_rate']:>10.0%}"
        )


def _text(value: object) -> str:
    """Return a number in eight columns; there is none where every source was an outlier."""
    return f"{value:8.3f}" if isinstance(value, float) else f"{'-':>8}"


if __name__ == "__main__":
    main()
