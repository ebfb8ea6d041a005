"""Normal equations of the elements of an array, from scenes whose sources are known.

With gains g, places p and signals s_l the outputs y_l = H diag(c_l) (g ∘ A(p) s_l) change by

    δy_l = H diag(c_l) [A s_l ∘ δg + Σ_i g ∘ (∂_i A s_l) ∘ δp_i] + B_l δs_l

to first order, with B_l = H diag(c_l ∘ g) A. What the elements do to the field is diagonal in them,
so that sums over snapshots need H through HᴴH alone and the snapshots through products of two
weights an element. The signals, which are solved for, are taken out by a Schur complement over
every block of snapshots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.errors import InputError
from risdoa.frozen import changed
from risdoa.problem import Problem, Truth
from risdoa.sensing import RisCoded
from risdoa.snapshots import sum_blocks
from risdoa.subspace import masked_columns

MEMORY = 2**25
"""Bytes that the largest intermediate of a few scenes may take."""
EXACT = 1e-24
"""Residuals below this share of the power of a scene are rounding."""
FACTORS = 1e-9
"""How far steering vectors may be, in 1 - |correlation|, from those times the gains."""
BLIND = 1e-11
"""An unknown whose variance the others raise by more than 1/BLIND is not determined."""


@dataclass(frozen=True)
class Panel:
    """Where a fit stands.

    Shapes:
        gains: (N,) complex. offsets: (N, 3), from the nominal places, in wavelengths.
    """

    gains: Tensor
    offsets: Tensor

    def moved_array(self, nominal: Array) -> Array:
        """Return the array with its elements moved, without gains."""
        places = nominal.positions + nominal.wavelength * self.offsets
        return changed(nominal, positions=places)


@dataclass(frozen=True)
class Sums:
    """What scenes say of the unknowns θ = [Re g, Im g, p_i/λ for every axis i], P numbers.

    Shapes:
        held: (P, P), 2 Re(JᴴJ)/σ² summed, with the signals held. lost: (P, P), how much less it is
        because they are not known. gradient: (P,), of the log-likelihood. cost: (), its negative.
        noise: (S,), the power per output that the residual of every scene shows.
    """

    held: Tensor
    lost: Tensor
    gradient: Tensor
    cost: Tensor
    noise: Tensor

    @classmethod
    def of(cls, truths: Sequence[Truth], panel: Panel, axes: Sequence[int], share: float) -> Self:
        """Return the sums over all scenes, a few at a time.

        The noise power of a scene is that of its residual r, so that the cost is
        Σ_s d_s log‖r_s‖² with d_s of :func:`free_measurements`; ``share`` of the d_s is what the
        unknowns leave of them.
        """
        parts = [_part(few, panel, axes, share) for truth in truths for few in _few(truth, axes)]
        held, lost, gradient, cost = (sum(each) for each in list(zip(*parts, strict=True))[:4])
        noise = torch.cat([part[-1] for part in parts])
        index, turn = _unknowns(panel, axes)
        pairs = turn.conj().unsqueeze(-1) * turn
        held, lost = ((pairs * each[index[:, None], index]).real for each in (held, lost))
        return cls(held, lost, (turn.conj() * gradient[index]).real, cost, noise)


def free_measurements(truth: Truth) -> Tensor:
    """Return how many complex measurements the signals leave, LM - (their number), (S,)."""
    snapshots = truth.problem.snapshots
    signals = truth.mask.sum(-1) * snapshots.block_count
    return snapshots.count * snapshots.outputs - signals


def check_factors(truth: Truth) -> None:
    """Refuse a steering model in which gains are not factors of what their elements give.

    Where elements couple, gains stand in front of the coupling and cannot be taken out of it.

    Raises:
        InputError: The model is of that kind.
    """
    first = truth.select(torch.arange(1))
    array, steering = first.problem.array, first.problem.steering
    gains = torch.linspace(1, 2, array.count).to(first.problem.snapshots.values)
    told = steering(changed(array, gains=gains), first.positions)
    made = gains.unsqueeze(-1) * steering(array, first.positions)
    norms = torch.linalg.vector_norm(told, dim=-2) * torch.linalg.vector_norm(made, dim=-2)
    alike = (told.conj() * made).sum(-2).abs() / norms
    if bool((alike < 1 - FACTORS).any()):
        raise InputError(
            "gains are not factors of the elements in this steering model, in which they couple",
            "calibrate with a steering model without coupling, such as spherical",
        )


def moving_axes(truths: Sequence[Truth]) -> list[int]:
    """Return the axes along which elements may move, and receive something else then."""
    return [axis for axis in range(3) if any(_moves(truth, axis) for truth in truths)]


def _moves(truth: Truth, axis: int) -> bool:
    """Return whether the steering model holds for elements that moved, and sees it."""
    array = truth.problem.array
    places = array.positions.clone()
    places[:, axis] += array.wavelength / 100
    try:
        truth.problem.steering(changed(array, positions=places), truth.positions)
    except InputError:  # such as a model for arrays in a plane
        return False
    return bool(_slopes(truth, array, [axis]).abs().amax() > 0)


def _few(truth: Truth, axes: Sequence[int]) -> Iterator[Truth]:
    """Yield a few scenes at a time."""
    width = (1 + len(axes)) * truth.problem.array.count
    longest = truth.mask.shape[1] * truth.problem.snapshots.count
    each = 16 * width * max(width, longest)
    for few in torch.arange(truth.problem.scenes).split(max(1, MEMORY // each)):
        yield truth.select(few)


def _part(
    truth: Truth, panel: Panel, axes: Sequence[int], share: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the fields of :class:`Sums` for a few scenes, in complex unknowns [g, p_i/λ]."""
    problem, surface = truth.problem, _surface(truth.problem)
    array = panel.moved_array(problem.array)
    columns = masked_columns(problem.steering(array, truth.positions), truth.mask)
    seen = surface.observe(panel.gains.unsqueeze(-1) * columns)
    signals, factor = _signals(truth, seen)
    left = problem.snapshots.values - (seen @ signals.unsqueeze(-1)).squeeze(-1)
    moved = panel.gains[:, None, None] * _slopes(truth, array, axes)
    families = torch.cat((columns.unsqueeze(1), moved.movedim(-1, 1)), dim=1)
    fields = torch.einsum("sfnk,slk->slfn", families, signals)
    power, total = (_power(each) for each in (left, problem.snapshots.values))
    freedom, power = share * free_measurements(truth), power + EXACT * total
    weights = 2 * freedom / power
    gradient = (fields.conj() * surface.adjoint(left).unsqueeze(-2)).sum(1)
    return (
        _held(surface, fields, weights),
        _lost(problem, seen, fields, factor, weights),
        (weights[:, None, None] * gradient).sum(0).flatten(),
        (freedom * power.log()).sum(),
        power / freedom,
    )


def _surface(problem: Problem) -> RisCoded:
    """Return the sensing of every scene and snapshot, H = I where the array is read directly."""
    sensing, count = problem.snapshots.sensing, problem.array.count
    size = (problem.scenes, -1, -1)
    if isinstance(sensing, RisCoded):
        return RisCoded(sensing.channel.expand(size), sensing.codes.expand(size))
    values = problem.snapshots.values
    unit = torch.eye(count, dtype=values.dtype, device=values.device)
    return RisCoded(unit.expand(size), values.new_ones(problem.snapshots.count, count).expand(size))


def _signals(truth: Truth, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return the likeliest signals, (S, L, K), and the Cholesky factor of BᴴB in every block.

    Shapes:
        seen: (S, L, M, K), B_l.
    """
    snapshots = truth.problem.snapshots
    blocks, count = snapshots.block_index, snapshots.block_count
    gram = sum_blocks(seen.mH @ seen, blocks, count)
    absent = (~truth.mask).to(gram.dtype).diag_embed().unsqueeze(1)
    factor = factored(
        gram + absent,
        "the signals of a scene cannot be told from its snapshots",
        "leave out scenes with two sources at one place, with a channel that passes nothing, or "
        "with blocks of snapshots that have fewer outputs than sources",
    )
    moment = sum_blocks(seen.mH @ snapshots.values.unsqueeze(-1), blocks, count)
    return torch.cholesky_solve(moment, factor).squeeze(-1)[:, blocks], factor


def factored(matrices: Tensor, message: str, hint: str) -> Tensor:
    """Return the Cholesky factors of positive definite matrices (…, P, P).

    Raises:
        InputError: One is singular; with ``message`` and ``hint``.
    """
    factor, failed = torch.linalg.cholesky_ex(matrices)
    pivots, own = (each.diagonal(dim1=-2, dim2=-1).real for each in (factor, matrices))
    if bool(failed.any()) or float((pivots.square() / own).min()) < BLIND:
        raise InputError(message, hint)
    return torch.as_tensor(factor)


def _slopes(truth: Truth, array: Array, axes: Sequence[int]) -> Tensor:
    """Return ∂a/∂(p_i/λ) of every element by its own place, (S, N, K, number of axes)."""
    steering, positions = truth.problem.steering, array.positions

    def steer(places: Tensor) -> Tensor:
        return steering(changed(array, positions=places), truth.positions)

    unit = array.wavelength * torch.eye(3, dtype=positions.dtype, device=positions.device)
    moves = [unit[axis].expand_as(positions).clone() for axis in axes]
    slopes = [torch.func.jvp(steer, (positions,), (move,))[1] for move in moves]
    return torch.stack(slopes, dim=-1) if slopes else steer(positions).unsqueeze(-1)[..., :0]


def _held(surface: RisCoded, fields: Tensor, weights: Tensor) -> Tensor:
    """Return Σ_s w_s Σ_l (HᴴH) ∘ (c_l ∘ x_l)* (c_l ∘ x_l)ᵀ for all pairs of families.

    Shapes:
        fields: (S, L, F, N). weights: (S,). Returns (FN, FN).
    """
    families = fields.shape[-2:]
    coded = (surface.codes.unsqueeze(-2) * fields).flatten(-2)
    gram = weights[:, None, None] * (surface.channel.mH @ surface.channel)
    outer = (coded.mH @ coded).unflatten(-1, families).unflatten(1, families)
    held: Tensor = (gram[:, None, :, None] * outer).sum(0)
    return held.flatten(-2).flatten(0, 1)


def _lost(
    problem: Problem, seen: Tensor, fields: Tensor, factor: Tensor, weights: Tensor
) -> Tensor:
    """Return Σ_s w_s Σ_b Cᴴ (BᴴB)⁻¹ C, C = BᴴJ over the snapshots of a block b.

    Shapes:
        seen: (S, L, M, K). fields: (S, L, F, N). factor: (S, blocks, K, K). weights: (S,).
        Returns (FN, FN).
    """
    surface, snapshots = _surface(problem), problem.snapshots
    back = torch.einsum("slmk,smn->slkn", seen.conj(), surface.channel)
    back = back * surface.codes.unsqueeze(-2)
    cross = (back.unsqueeze(-2) * fields.unsqueeze(2)).flatten(-2)
    blocks = sum_blocks(cross, snapshots.block_index, snapshots.block_count)
    half = torch.linalg.solve_triangular(factor, blocks, upper=False)
    rows = (weights.sqrt()[:, None, None, None] * half).flatten(0, 2)
    lost: Tensor = rows.mH @ rows
    return lost


def _unknowns(panel: Panel, axes: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return which complex unknown every real one belongs to, and by what it turns it, (P,) each.

    Re g moves g by 1, Im g by j; places are real.
    """
    count, device = panel.gains.numel(), panel.gains.device
    every = torch.arange((1 + len(axes)) * count, device=device)
    index = torch.cat((every[:count], every))
    imaginary = (torch.arange(len(index), device=device) // count) == 1
    return index, torch.where(imaginary, 1j, 1.0).to(panel.gains.dtype)


def _power(values: Tensor) -> Tensor:
    """Return Σ|y|² of every scene, (S,)."""
    return torch.view_as_real(values.resolve_conj()).square().sum((-3, -2, -1))
