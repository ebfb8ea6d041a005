"""What a study is: everything that all its workers must agree in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from risdoa.errors import InputError
from risdoa.training.config import TrainConfig

TRAINING, WEIGHTS, LOSS, MODEL = "training", "weights", "loss", "model"

SPACES = {"narrow": (TRAINING, WEIGHTS), "wide": (TRAINING, WEIGHTS, LOSS, MODEL)}
"""What is searched: *training* is learning rate, weight decay, clipping and the mean of the
weights; *weights* those of the loss; *loss* which alignment loss, and the losses' own options;
*model* the options of the network."""

Fixed = Mapping[str, Mapping[str, Any]]
"""Options that are not searched, by plugin name."""

_HINT = "give another --out, or the file as it was written"


@dataclass(frozen=True)
class Plan:
    """A study over trainings, and one over the chain behind the best of them.

    Attributes:
        base: The training that the trials change: the default, which is the first trial.
        space: A name among ``SPACES``.
        losses: The alignment losses that ``wide`` chooses from.
        chain: The backends behind the network that judge a training.
        refine: Backends behind these, tuned on cached covariances; they judge no training.
        fixed: Options that were set, and are not searched.
        pruner: *median*, or *none*.
        trials: Trainings, however many workers there are.
        chain_trials: Trials of the second study.
    """

    base: TrainConfig
    space: str
    losses: tuple[str, ...]
    chain: tuple[str, ...]
    refine: tuple[str, ...]
    fixed: Fixed
    pruner: str
    trials: int
    chain_trials: int

    @property
    def parts(self) -> tuple[str, ...]:
        """What is searched."""
        return SPACES[self.space]

    @property
    def whole_chain(self) -> tuple[str, ...]:
        """The backends of the second study."""
        return (*self.chain, *self.refine)

    def record(self) -> dict[str, Any]:
        """Return the plan as JSON."""
        rest = {name: value for name, value in asdict(self).items() if name != "base"}
        return {name: _plain(each) for name, each in rest.items()} | {
            "base": self.base.model_dump(mode="json")
        }

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Plan:
        """Return the plan of a record.

        Raises:
            InputError: if it is none.
        """
        try:
            values = dict(record)
            values["base"] = TrainConfig.of(values["base"])
            for name in ("losses", "chain", "refine"):
                values[name] = tuple(values[name])
            plan = cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"this is no plan of a study: {error}", _HINT) from error
        plan._check()
        return plan

    def _check(self) -> None:
        if self.space not in SPACES:
            raise InputError(f"a space is one of {', '.join(SPACES)}, got {self.space!r}", _HINT)
        for name in ("trials", "chain_trials"):
            if type(value := getattr(self, name)) is not int:
                raise InputError(f"{name} of a plan is a whole number, got {value!r}", _HINT)

    def setup(self) -> dict[str, Any]:
        """Return what must not change once the study has begun: all but the numbers of trials."""
        counts = {"trials", "chain_trials"}
        return {name: value for name, value in self.record().items() if name not in counts}


def _plain(value: Any) -> Any:
    """Return nested values as JSON would give them back."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
