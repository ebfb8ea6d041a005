"""The hybrid network: CNN and transformer over the snapshots, and a covariance-factor head."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from risdoa.covariance import Covariance
from risdoa.errors import InputError
from risdoa.models.anchors import anchored
from risdoa.models.layers import Modulation, Residual, SnapshotEncoder, SnapshotTransformer
from risdoa.models.learned import LearnedModel
from risdoa.models.maps import Maps
from risdoa.problem import Problem

if TYPE_CHECKING:
    from optuna import Trial

SCENE_MAPS = 5
COORDINATE_MAPS = 3


def space(trial: Trial) -> dict[str, int]:
    """Return sizes of the network: 0.03 to 1.3 million parameters."""
    return {
        "channels": trial.suggest_categorical("channels", [16, 32, 48, 64]),
        "width": trial.suggest_categorical("width", [48, 96, 144, 192]),
        "depth": trial.suggest_int("depth", 1, 6),
        "layers": trial.suggest_int("layers", 1, 3),
        "heads": trial.suggest_categorical("heads", [2, 4, 8]),
        "anchors": trial.suggest_categorical("anchors", [16, 32, 64]),
    }


class Hybrid(LearnedModel):
    """Physics to a grid, a network on the grid, sources off the grid.

    1. Physics (:class:`Maps`): every snapshot is equalised and correlated with the steering vectors
       of a coarse grid, so that the network never has to learn codes, channel or array.
    2. Backbone: a CNN makes a token of every snapshot's map, a transformer relates the tokens, and
       attention over the snapshots leads back to the grid, where a CNN refines the scene's maps.
    3. Head: every grid point g gets an amplitude and an offset; the ``anchors`` strongest make

           F = [√γ_j a(p_j + Δ_j)],    R = F Fᴴ,

       with γ_j the matched power at j times a learned share. R is positive semidefinite by
       construction, blind to the phase of y, scales with |y|², and reaches off the grid.

    Nothing depends on N, M, L or the grid's size. About 0.24 M parameters at the default sizes: two
    minutes on two cores then see some 15,000 scenes, which matters more than width.

    Args:
        channels: Channels of the CNN; a multiple of 4.
        width: Width of the transformer; a multiple of ``heads``.
        depth: Residual blocks on the grid.
        layers: Transformer layers.
        heads: Attention heads, and attention-weighted maps.
        anchors: Columns J of the factor.
        beta: see :class:`LearnedModel`.
        shrinkage: see :class:`LearnedModel`.

    Raises:
        InputError: for sizes that cannot be.
    """

    def __init__(
        self,
        channels: int = 32,
        width: int = 96,
        depth: int = 4,
        layers: int = 2,
        heads: int = 4,
        anchors: int = 32,
        beta: float = 1.0,
        shrinkage: float = 0.0,
    ) -> None:
        super().__init__(beta, shrinkage)
        if min(channels, width, depth, layers, heads, anchors) < 1 or channels % 4 or width % heads:
            raise InputError(
                f"hybrid cannot have channels={channels}, width={width}, depth={depth}, "
                f"layers={layers}, heads={heads}, anchors={anchors}",
                "sizes are positive, channels a multiple of 4 and width a multiple of heads",
            )
        self.backbone = Backbone(channels, width, depth, layers, heads)
        self.head = AnchorHead(channels, anchors)

    def predict(self, problem: Problem) -> Covariance:
        """Return R = FFᴴ with F (S, N, anchors); see :meth:`Model.__call__`."""
        maps = Maps.of(problem)
        features = self.backbone(maps)
        covariance: Covariance = self.head(features, maps, problem)
        return covariance


class Backbone(nn.Module):
    """From maps to features on the grid."""

    def __init__(self, channels: int, width: int, depth: int, layers: int, heads: int) -> None:
        super().__init__()
        self.encoder = SnapshotEncoder(channels, width)
        self.transformer = SnapshotTransformer(width, layers, heads)
        self.attention = nn.Linear(width, heads, bias=False)
        self.entry = nn.Conv3d(SCENE_MAPS + heads + COORDINATE_MAPS, channels, 3, padding=1)
        self.modulation = Modulation(width, channels)
        self.blocks = nn.ModuleList(Residual(channels) for _ in range(depth))

    def forward(self, maps: Maps) -> Tensor:
        """Return features (S, channels, W, E, A)."""
        mean = maps.energy.mean((1, 2))[:, None, None].clamp_min(1e-30)
        energy = maps.energy / mean
        tokens = self.transformer(
            self.encoder(snapshot_maps(energy).unflatten(-1, maps.grid.shape))
        )
        attended = self.attention(tokens).float().softmax(dim=1).transpose(1, 2) @ energy
        flat = torch.cat((scene_maps(energy, maps), torch.log(attended + 0.02)), dim=1)
        volume = torch.cat(
            (
                flat.unflatten(-1, maps.grid.shape),
                coordinate_maps(maps).expand(len(flat), -1, -1, -1, -1),
            ),
            dim=1,
        )
        features: Tensor = self.modulation(self.entry(volume), tokens.mean(1))
        for block in self.blocks:
            features = block(features)
        return functional.gelu(features)


def snapshot_maps(energy: Tensor) -> Tensor:
    """Return two views of every snapshot's energy (S, L, G), in decades and in amplitude."""
    return torch.stack((torch.log(energy + 0.05), energy.sqrt()), dim=2)


def scene_maps(energy: Tensor, maps: Maps) -> Tensor:
    """Return five maps of a scene from all its snapshots, (S, 5, G)."""
    spectrum = energy.mean(1)
    relative = spectrum / spectrum.amax(-1, keepdim=True).clamp_min(1e-30)
    gain = maps.gain / maps.gain.mean(-1, keepdim=True)
    power = maps.power / maps.power.mean(-1, keepdim=True).clamp_min(1e-30)
    return torch.stack(
        (
            torch.log(spectrum + 0.02),
            relative,
            relative**4,
            torch.log(gain + 0.01),
            torch.log(power + 0.01),
        ),
        dim=1,
    )


def coordinate_maps(maps: Maps) -> Tensor:
    """Return sin φ, sin θ and w over its largest value on the grid, (3, W, E, A)."""
    azimuth, elevation, inverse = maps.grid.points().unbind(-1)
    where = torch.stack((torch.sin(azimuth), torch.sin(elevation), inverse / inverse.max()))
    coordinates: Tensor = where.unflatten(-1, maps.grid.shape).to(maps.gain)
    return coordinates


class AnchorHead(nn.Module):
    """From features to the columns √γ_j a(p_j + Δ_j) of the factor."""

    def __init__(self, channels: int, anchors: int) -> None:
        super().__init__()
        self.anchors = anchors
        self.reading = nn.Conv3d(channels, 4, 1)
        for parameter in self.reading.parameters():
            nn.init.normal_(parameter, std=1e-2)
        self.contrast = nn.Parameter(torch.tensor(4.0))
        self.log_gain = nn.Parameter(torch.tensor(0.0))

    def forward(self, features: Tensor, maps: Maps, problem: Problem) -> Covariance:
        """Return the covariance, computed outside autocast."""
        reading = self.reading(features)
        with torch.autocast(features.device.type, enabled=False):
            reading = reading.flatten(2).float()
            powers = maps.power * self._share(reading[:, 0], maps)
            chosen = powers.detach().topk(min(self.anchors, powers.shape[-1]), dim=-1).indices
            offsets = torch.take_along_dim(reading[:, 1:], chosen.unsqueeze(1), -1).mT
            power = maps.scale.square().unsqueeze(-1) * torch.exp(self.log_gain)
            strongest = torch.take_along_dim(powers, chosen, -1) * power
            return anchored(problem, maps.grid, chosen, torch.tanh(offsets), strongest)

    def _share(self, logits: Tensor, maps: Maps) -> Tensor:
        """Return the share of the matched power that is believed, around the relative spectrum."""
        spectrum = maps.energy.mean(1)
        relative = spectrum / spectrum.amax(-1, keepdim=True).clamp_min(1e-30)
        return torch.sigmoid(3 * logits + self.contrast * torch.log(relative + 1e-6) - 2)
