"""What a recording says of its own conventions, and what it cannot say.

Every check is a rival: the same data fitted with the sign, the order of the elements or the axes
changed. A rival that explains the data decisively better is a fault; one that explains them as well
can be told only by the truth, where the recording has it; without, the fault is not observable.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from risdoa.conventions import great_circle
from risdoa.diagnosis.findings import Finding
from risdoa.diagnosis.fits import Fitted, fitted, with_values
from risdoa.diagnosis.placement import placement
from risdoa.diagnosis.waves import Converging, exchanged, reordered, transposed_order
from risdoa.errors import InputError
from risdoa.evaluation.assignment import MISSING, assign, half_widths
from risdoa.frozen import changed
from risdoa.problem import Problem, Truth
from risdoa.recordings import Recording
from risdoa.scenarios.simulation import mean_power
from risdoa.sensing import Direct

MOST = 24
"""Scenes of a recording that are looked at, evenly spread over it."""

GAIN = 10.0
"""Log-likelihood, all scenes together, that a decision needs."""

GAIN_EACH = 0.02
"""Log-likelihood for every output that a decision needs; where a model error and not the noise is
what is left, log-likelihoods are large and mean little."""

AGREEMENT = 0.75
"""Share of the scenes that a decision needs on its side."""

NEARER = 4.0
"""A rival is nearer to the truth where the median angle is less by this factor."""

EXCESS = 1.5
"""How much more than the noise a fit may leave."""

HIDDEN = "the fault above hides it: repair that first"
BIASED = "the bias of the steering model hides it: look again with --steering spherical"
NEEDS_TRUTH = "needs a truth: a shifted or scaled array is only another place of the source"


@dataclass(frozen=True)
class Known:
    """The truth of the scenes that are looked at, if there is one."""

    truth: Truth | None

    def angle(self, fit: Fitted) -> float:
        """Return the median angle in rad between the sources and their estimates."""
        if self.truth is None:
            return math.nan
        mask, places = self.truth.mask, self.truth.positions
        index = matched(self.truth, fit)
        found = mask & (index != MISSING)
        near = torch.take_along_dim(fit.positions, index.clamp_min(0).unsqueeze(-1), 1)
        return float(great_circle(places, near)[found].median())


def matched(truth: Truth, fit: Fitted) -> Tensor:
    """Return the estimate of every true source, (S, K) int64."""
    widths = half_widths(truth.problem.array)
    return assign(truth.positions, truth.mask, fit.positions, fit.estimates.valid, widths)


def some_scenes(problem: Problem) -> Tensor:
    """Return the scenes that are looked at, at most ``MOST``, evenly spread."""
    count = min(MOST, problem.scenes)
    return torch.linspace(0, problem.scenes - 1, count).round().to(torch.int64)


def truth_of(recording: Recording, problem: Problem) -> Truth | None:
    """Return the truth of a recording, None where it has none or only a part of it."""
    try:
        return recording.truth(problem)
    except InputError:
        return None


def recorded_tests(fit: Fitted, truth: Truth | None, *, departs: bool) -> Iterator[Finding]:
    """Yield the findings of a recording, from its fit as given and its truth if it has one.

    Where the model ``departs`` from the exact wave by more than √CRB, its bias looks like a wrong
    origin or scale, and neither is judged.
    """
    known = Known(truth)
    yield quality(fit)
    signed = sign(fit)
    yield signed
    if signed.status == "fail":
        yield from _hidden("element-order", "origin", "scale", why=HIDDEN)
        return
    ordered = order(fit, known)
    yield ordered
    if truth is None:
        yield from _hidden("origin", "scale", why=NEEDS_TRUTH)
    elif ordered.status == "fail":
        yield from _hidden("origin", "scale", why=HIDDEN)
    elif departs:
        yield from _hidden("origin", "scale", why=BIASED)
    else:
        yield from placement(fit, truth, matched(truth, fit))


def quality(fit: Fitted) -> Finding:
    """Return the share of the energy that the sources explain, against the noise if known."""
    share, snapshots = fit.share, fit.problem.snapshots
    values = {"share_median": float(share.median()), "share_least": float(share.min())}
    told = "explains {share_median:.1%} of the energy (median), {share_least:.1%} (least)".format(
        **values
    )
    if snapshots.noise_power is None:
        told += "; no noise power in the recording, so no expectation"
        return Finding("fit", "ok", told, values=values)
    outputs = snapshots.count * snapshots.outputs
    used = snapshots.block_count * fit.estimates.valid.sum(-1)
    noise = snapshots.noise_power * (outputs - used).clamp_min(1)
    excess = (1 - share) * mean_power(snapshots.values) * outputs / noise
    values |= {"excess_median": float(excess.median()), "excess_worst": float(excess.max())}
    told += f"; what is left is {values['excess_median']:.2f} x the noise (median)"
    if values["excess_median"] < EXCESS:
        return Finding("fit", "ok", told, values=values)
    hint = "a steering model, a source or the noise power is wrong; try --steering or --sources"
    return Finding("fit", "warn", told, hint, values)


def sign(fit: Fitted) -> Finding:
    """Return whether the data are conjugated: the best 1/r < 0, or conjugated data fit better."""
    problem = fit.problem
    converging = replace(problem, steering=Converging(problem.steering))
    rivals = {"1/r < 0": fitted(converging)}
    if not isinstance(problem.snapshots.sensing, Direct):
        values = problem.snapshots.values.conj().resolve_conj()
        rivals["conjugated snapshots"] = fitted(with_values(problem, values))
    gains = {name: gain_of(rival, fit) for name, rival in rivals.items()}
    decisions = {name: decided(rival, fit) for name, rival in rivals.items()}
    text = ", ".join(f"{name}: {gain:+.3g}" for name, gain in gains.items())
    text = f"({text} in log-likelihood an output)"
    best = max(gains, key=gains.__getitem__)
    measured = {"gain_per_output": gains[best]}
    if max(decisions.values()) > 0:
        hint = "phases must follow exp(-jkρ): store the complex conjugate of the snapshots"
        return Finding("sign", "fail", f"the data fit better with {best} {text}", hint, measured)
    if max(decisions.values()) < 0:
        return Finding("sign", "ok", f"1/r > 0 fits best {text}", values=measured)
    told = f"the curvature of the waves is not resolved {text}"
    return Finding("sign", "not observable", told, values=measured)


def order(fit: Fitted, known: Known) -> Finding:
    """Return whether the elements fit in another order, or with x and y exchanged."""
    own, width = known.angle(fit), half_widths(fit.problem.array)[0]
    values = {"angle_deg": math.degrees(own)}
    hint = "give positions and codes in the order of the outputs; x and y as in the conventions"
    alike = []
    for name, each in _orders(fit.problem).items():
        rival = fitted(each)
        gain, decision, angle = gain_of(rival, fit), decided(rival, fit), known.angle(rival)
        values |= {f"gain_{name.replace(' ', '_')}": gain}
        if decision > 0:
            told = f"the data fit better with {name} ({gain:+.3g} in log-likelihood an output)"
            return Finding("element-order", "fail", told, hint, values)
        if decision == 0 and own > width / 2 and angle < own / NEARER:
            told = (
                f"{math.degrees(own):.2f}° from the truth, {math.degrees(angle):.2f}° with {name}"
            )
            return Finding("element-order", "fail", told, hint, values)
        if decision == 0 and not angle > own + width / 2:
            alike.append(name)
    return _unrivalled(known, own > width / 2, alike, values)


def _unrivalled(known: Known, far_off: bool, alike: list[str], values: dict[str, float]) -> Finding:
    """Return what can be said of the order where no other one is better."""
    told = f"{values['angle_deg']:.2f}° from the truth (median)"
    if known.truth is not None and far_off:
        hint = "look at the truth, the origin, the scale and the axes"
        told += ", and no other order is nearer"
        return Finding("element-order", "warn", told, hint, values)
    if alike:
        needed = "as near to the truth" if known.truth is not None else "needs a truth: as good"
        told = f"{needed} with {' or '.join(alike)}"
        return Finding("element-order", "not observable", told, values=values)
    if known.truth is None:
        told = "no other order that was tried explains the data as well"
    return Finding("element-order", "ok", told, values=values)


def _hidden(*checks: str, why: str) -> Iterator[Finding]:
    for check in checks:
        yield Finding(check, "not observable", why)


def _orders(problem: Problem) -> dict[str, Problem]:
    """Return the problem with the array in every other order that is tried."""
    array = problem.array
    flipped = torch.arange(array.count).flip(0)
    arrays = {"the elements reversed": reordered(array, flipped)}
    arrays["x and y exchanged"] = exchanged(array)
    transposed = transposed_order(array)
    if transposed is not None:
        arrays["the lattice transposed"] = reordered(array, transposed)
    return {name: changed(problem, array=each) for name, each in arrays.items()}


def gain_of(rival: Fitted, given: Fitted) -> float:
    """Return the log-likelihood by which a rival is better, for every output."""
    snapshots = given.problem.snapshots
    return float((rival.evidence - given.evidence).mean()) / (snapshots.count * snapshots.outputs)


def decided(rival: Fitted, given: Fitted) -> int:
    """Return 1 where the rival is decisively better, -1 where decisively worse, else 0."""
    gains = rival.evidence - given.evidence
    total, each = float(gains.sum()), gain_of(rival, given)
    side = 1 if total > 0 else -1
    agreeing = float(((gains * side) > 0).to(torch.float64).mean())
    decisive = abs(total) > GAIN and abs(each) > GAIN_EACH and agreeing >= AGREEMENT
    return side if decisive else 0
