"""How the field at the aperture becomes measurements: directly, or through a coded surface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from risdoa.errors import InputError
from risdoa.frozen import changed


def all_finite(values: Tensor) -> bool:
    """Return whether no number is NaN or infinite.

    A sum is finite only where all its terms are, and takes a tenth of the time of a look at each;
    that is left for the sums that overflow.
    """
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def taken(values: Tensor, scenes: Tensor) -> Tensor:
    """Return ``values[scenes]`` along the first axis: a view where scenes follow each other.

    Scenes are worked on a few at a time, and what belongs to one takes a hundred kilobytes.
    """
    if scenes.dtype != torch.int64 or not len(scenes):
        return values[scenes]
    first, last = int(scenes[0]), int(scenes[-1])
    if last - first + 1 != len(scenes) or first < 0 or bool((scenes.diff() != 1).any()):
        return values[scenes]
    return values[first : last + 1]


class Sensing(ABC):
    """A linear map from the field x_l at N elements to M outputs, for every snapshot l."""

    @abstractmethod
    def outputs(self, elements: int) -> int:
        """Return M for an array of ``elements`` elements.

        Raises:
            InputError: if the sensing was made for another number of elements.
        """

    @abstractmethod
    def forward(self, field: Tensor) -> Tensor:
        """Return G_l x_l.

        Shapes:
            field: (…, L, N). Returns (…, L, M).
        """

    @abstractmethod
    def adjoint(self, outputs: Tensor) -> Tensor:
        """Return G_lᴴ y_l.

        Shapes:
            outputs: (…, L, M). Returns (…, L, N).
        """

    @abstractmethod
    def observe(self, vectors: Tensor) -> Tensor:
        """Return G_l A for the columns of A, in every snapshot.

        Shapes:
            vectors: (…, N, K). Returns (…, L, M, K), with L = 1 where all snapshots see the same.
        """

    @abstractmethod
    def equalised_adjoint(self, outputs: Tensor) -> Tensor:
        """Return D_lᴴ (G_l's channel)ᴴ (HHᴴ + ρI)⁻¹ y_l with ρ = tr(HHᴴ)/M.

        The linear minimum mean-square estimate of a white field at 0 dB per output; it evens out
        channels in which one path dominates. Equals the adjoint, up to scale, when HHᴴ ∝ I.

        Shapes:
            outputs: (…, L, M). Returns (…, L, N).
        """

    def equalised_gain(self, vectors: Tensor) -> Tensor:
        """Return the mean over l of aᴴE_lG_la, E_l being :meth:`equalised_adjoint`.

        What a unit signal from a leaves, on average, in aᴴ of its equalised back-projection. This
        default goes through :meth:`observe`; it may be overridden by something cheaper.

        Shapes:
            vectors: (…, N, P). Returns (…, P) real.
        """
        seen = self.observe(vectors).movedim(-1, 0)
        back = self.equalised_adjoint(seen).mean(-2).movedim(0, -1)
        return (vectors.conj() * back).sum(-2).real

    def prepared(self, memory: int) -> Sensing:
        """Return the same sensing, laid out for many calls of :meth:`observe`; itself by default.

        ``memory`` bounds the bytes that this may take.
        """
        return self

    @abstractmethod
    def select(self, scenes: Tensor) -> Sensing:
        """Return the sensing of the chosen scenes."""

    @abstractmethod
    def to(self, device: torch.device | str | None, dtype: torch.dtype | None) -> Sensing:
        """Return the sensing on another device or in another complex precision."""


@dataclass(frozen=True)
class Direct(Sensing):
    """The array is read element by element: y_l = x_l."""

    def outputs(self, elements: int) -> int:
        """Return M = N."""
        return elements

    def forward(self, field: Tensor) -> Tensor:
        """Return the field itself."""
        return field

    def adjoint(self, outputs: Tensor) -> Tensor:
        """Return the outputs themselves."""
        return outputs

    def observe(self, vectors: Tensor) -> Tensor:
        """Return A with an axis for the snapshots."""
        return vectors.unsqueeze(-3)

    def equalised_adjoint(self, outputs: Tensor) -> Tensor:
        """Return y/2, which is (I + I)⁻¹ y."""
        return outputs / 2

    def select(self, scenes: Tensor) -> Direct:
        """Return itself: nothing depends on the scene."""
        return self

    def to(self, device: torch.device | str | None, dtype: torch.dtype | None) -> Direct:
        """Return itself: there is nothing to move."""
        return self


@dataclass(frozen=True)
class RisCoded(Sensing):
    """A base station behind a reconfigurable surface: y_l = H diag(c_l) x_l.

    Shapes:
        channel: (…, M, N) complex, base station ↔ surface.
        codes: (…, L, N) complex, the configuration of every snapshot.
        stacked: (S, N, L·M) complex, all G_lᵀ side by side, where :meth:`prepared` has laid them
            out; None otherwise.

    Raises:
        InputError: for shapes that do not fit or non-finite entries.
    """

    channel: Tensor
    codes: Tensor
    stacked: Tensor | None = None

    def __post_init__(self) -> None:
        """Check shapes and values once."""
        for name, value, axes in (("channel", self.channel, "M"), ("codes", self.codes, "L")):
            if value.ndim < 2 or not value.is_complex():
                raise InputError(
                    f"{name} must be complex (…, {axes}, N), got {tuple(value.shape)} {value.dtype}"
                )
            if not all_finite(value):
                raise InputError(f"{name} must be finite, got NaN or infinity")
        if self.channel.shape[-1] != self.codes.shape[-1]:
            raise InputError(
                f"channel and codes must agree on the number of elements, got "
                f"{self.channel.shape[-1]} and {self.codes.shape[-1]}"
            )

    def outputs(self, elements: int) -> int:
        """Return M, the number of base-station antennas."""
        if elements != self.channel.shape[-1]:
            raise InputError(
                f"the channel has {self.channel.shape[-1]} elements, the array {elements}",
                "give channel (M, N) and codes (L, N) for the N elements of the array",
            )
        return self.channel.shape[-2]

    def forward(self, field: Tensor) -> Tensor:
        """Return H (c_l ∘ x_l)."""
        return (self.codes * field) @ self.channel.transpose(-1, -2)

    def adjoint(self, outputs: Tensor) -> Tensor:
        """Return c_l* ∘ Hᴴ y_l."""
        return self.codes.conj() * (outputs @ self.channel.conj())

    def observe(self, vectors: Tensor) -> Tensor:
        """Return H (c_l ∘ A), or (H diag(c_l)) A where that makes the smaller intermediate.

        The operations are the same; K columns cost L·N·K numbers in between, M outputs L·M·N.
        """
        if self.stacked is not None and vectors.ndim == self.stacked.ndim:
            side: Tensor = vectors.transpose(-1, -2) @ self.stacked
            apart: Tensor = side.unflatten(-1, (self.codes.shape[-2], -1))
            return apart.movedim(-3, -1)
        if vectors.shape[-1] > self.channel.shape[-2]:
            return self.matrix() @ (vectors if vectors.ndim == 2 else vectors.unsqueeze(-3))
        coded = self.codes.transpose(-1, -2).unsqueeze(-1) * vectors.unsqueeze(-2)
        seen = self.channel @ coded.flatten(-2)
        stacked: Tensor = seen.unflatten(-1, coded.shape[-2:]).transpose(-3, -2)
        return stacked

    def equalised_adjoint(self, outputs: Tensor) -> Tensor:
        """Return c_l* ∘ Hᴴ (HHᴴ + ρI)⁻¹ y_l; see :meth:`Sensing.equalised_adjoint`."""
        outputs = outputs.transpose(-1, -2)
        return self.adjoint(torch.linalg.solve(self._loaded_gram(), outputs).transpose(-1, -2))

    def equalised_gain(self, vectors: Tensor) -> Tensor:
        """Return aᴴTa with T = Hᴴ(HHᴴ + ρI)⁻¹H ∘ (1/L) Σ_l c_l* c_lᵀ, one N × N matrix a scene."""
        solved = torch.linalg.solve(self._loaded_gram(), self.channel)
        codes = self.codes.conj().transpose(-1, -2) @ self.codes / self.codes.shape[-2]
        normal = (self.channel.mH @ solved) * codes
        energy: Tensor = ((normal @ vectors) * vectors.conj()).real.sum(-2)
        return energy

    def _loaded_gram(self) -> Tensor:
        """Return HHᴴ + ρI with ρ = tr(HHᴴ)/M."""
        gram = self.channel @ self.channel.mH
        load = gram.diagonal(dim1=-2, dim2=-1).real.mean(-1)[..., None, None]
        return gram + load * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)

    def matrix(self) -> Tensor:
        """Return G_l = H diag(c_l) as (…, L, M, N), on explicit request only."""
        return self.channel.unsqueeze(-3) * self.codes.unsqueeze(-2)

    def prepared(self, memory: int) -> RisCoded:
        """Return the sensing with all G_l laid out for many products, if they fit.

        :meth:`observe` then is one product with columns that are contiguous in memory, several
        times as fast; L·M·N numbers a scene are kept for it, at most ``memory`` bytes in all.
        """
        size = self.channel.numel() * self.codes.shape[-2] * self.channel.element_size()
        scenes = self.channel.ndim == 3 and self.codes.ndim == 3
        if not scenes or size > memory or self.stacked is not None:
            return self
        elements, codes = (each.mT.contiguous() for each in (self.channel, self.codes))
        return changed(self, stacked=(codes.unsqueeze(-1) * elements.unsqueeze(-2)).flatten(-2))

    def select(self, scenes: Tensor) -> RisCoded:
        """Return the sensing of the chosen scenes; what is shared stays shared."""
        channel = self.channel if self.channel.ndim == 2 else taken(self.channel, scenes)
        codes = self.codes if self.codes.ndim == 2 else taken(self.codes, scenes)
        stacked = None if self.stacked is None else taken(self.stacked, scenes)
        return changed(self, channel=channel, codes=codes, stacked=stacked)

    def to(self, device: torch.device | str | None, dtype: torch.dtype | None) -> RisCoded:
        """Return the sensing on another device or in another complex precision."""
        return changed(
            self,
            channel=self.channel.to(device=device, dtype=dtype),
            codes=self.codes.to(device=device, dtype=dtype),
            stacked=None if self.stacked is None else self.stacked.to(device=device, dtype=dtype),
        )
