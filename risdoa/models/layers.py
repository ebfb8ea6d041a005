"""Layers of the hybrid network; volumes are (scenes, channels, w, θ, φ)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Residual(nn.Module):
    """x + conv_w(gelu(conv_θφ(norm(x)))): a 3-D convolution in two cheap factors."""

    def __init__(self, channels: int, groups: int = 4) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.across = nn.Conv3d(channels, channels, (1, 3, 3), padding=(0, 1, 1))
        self.along = nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0))

    def forward(self, volume: Tensor) -> Tensor:
        """Return the refined volume, of the same shape."""
        refined: Tensor = self.along(functional.gelu(self.across(self.norm(volume))))
        return volume + refined


class SnapshotEncoder(nn.Module):
    """One token a snapshot: two strided convolutions over its map, then mean and maximum."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv3d(2, channels // 2, 3, stride=2, padding=1)
        self.second = nn.Conv3d(channels // 2, channels, 3, stride=2, padding=1)
        self.token = nn.Linear(2 * channels, width)

    def forward(self, maps: Tensor) -> Tensor:
        """Return tokens.

        Shapes:
            maps: (S, L, 2, W, E, A). Returns (S, L, width).
        """
        scenes, count = maps.shape[:2]
        volume = functional.gelu(self.first(maps.flatten(0, 1)))
        volume = functional.gelu(self.second(volume)).flatten(2)
        pooled = torch.cat((volume.mean(-1), volume.amax(-1)), dim=-1)
        token: Tensor = self.token(pooled.reshape(scenes, count, -1))
        return token


class SnapshotTransformer(nn.Module):
    """Self-attention among the snapshots of a scene; there is no order among them."""

    def __init__(self, width: int, depth: int, heads: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return refined tokens (S, L, width)."""
        refined: Tensor = self.layers(tokens)
        return refined


class Modulation(nn.Module):
    """volume·(1 + scale) + shift, with scale and shift from a vector (FiLM: Perez et al., 2018)."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.weights = nn.Linear(width, 2 * channels)

    def forward(self, volume: Tensor, vector: Tensor) -> Tensor:
        """Return the modulated volume.

        Shapes:
            volume: (S, C, W, E, A). vector: (S, width).
        """
        weights: Tensor = self.weights(vector)[..., None, None, None]
        scale, shift = weights.chunk(2, dim=1)
        return volume * (1 + scale) + shift
