"""The canonical scenario on hardware that is not what estimators are told."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from risdoa.arrays import Array
from risdoa.errors import InputError
from risdoa.problem import Problem, Truth
from risdoa.scenarios.canonical import Canonical, CodeKind
from risdoa.scenarios.channels import STATION_ANGLE
from risdoa.scenarios.draws import complex_normal, uniform
from risdoa.scenarios.simulation import mean_power, noise_free, source_signals, with_noise
from risdoa.sensing import RisCoded
from risdoa.snapshots import Snapshots
from risdoa.steering.base import Steering
from risdoa.steering.canonical import Canonical as CanonicalSteering
from risdoa.steering.plane_wave import PlaneWave
from risdoa.steering.spherical import Spherical

Waves = Literal["canonical", "spherical"]

PANELS = 0x70616E656C
"""Keeps the draws of a panel apart from those of scenes with the same seed."""


class Miscalibrated(Canonical):
    """The problem is what an estimator is told; the data come from what is there.

        y_l = (H diag(c_l) A + g D) s_l + n_l,    told: the nominal array, Ĥ and ĉ_l

    with A the steering vectors of an array whose elements differ in gain, phase and place, some of
    them silent, ‖a‖ = 1 as ever; Ĥ = H + E; c_l of 1 to 3 bits; D plane waves from a drawn
    direction a source at the base station. All are drawn anew in every scene, except that ``panel``
    makes the array one and the same, which can be calibrated. The SNR counts all that is not noise.

    Args:
        nx: Elements along x.
        ny: Elements along y.
        outputs: Base-station antennas M.
        snapshots: Snapshots L, one code each.
        codes: see :class:`Canonical`.
        waves: Makes the data: ``canonical``, or ``spherical`` beside everything else.
        gain_db: Standard deviation of the element gains.
        phase_deg: That of their phases.
        position: That of every coordinate of their places, in wavelengths; in the plane of the
            array for canonical waves, which know no other.
        missing: Share of silent elements; one is always heard.
        bits: The least and the most bits of the codes, drawn in every scene.
        codes_known: Whether estimators are told the codes as the surface makes them, or as it was
            asked to, with 3 bits.
        channel_db: The least and the largest ‖E‖²/‖H‖², drawn in every scene; None for Ĥ = H.
        direct_db: Mean power of the direct path over that of the path by the surface; None: none.
        panel: The seed of the one array of all scenes; None: another in every scene.

    Raises:
        InputError: for an error that cannot be; see :class:`Canonical` for sizes.
    """

    def __init__(
        self,
        nx: int = 12,
        ny: int = 12,
        outputs: int = 16,
        snapshots: int = 16,
        codes: CodeKind = "mixed",
        *,
        waves: Waves = "canonical",
        gain_db: float = 0.5,
        phase_deg: float = 5.0,
        position: float = 0.01,
        missing: float = 0.02,
        bits: tuple[int, int] = (1, 3),
        codes_known: bool = True,
        channel_db: tuple[float, float] | None = (-30.0, -10.0),
        direct_db: float | None = -20.0,
        panel: int | None = None,
    ) -> None:
        super().__init__(nx, ny, outputs, snapshots, codes)
        if min(gain_db, phase_deg, position, missing) < 0 or missing >= 1:
            raise InputError(
                f"errors are at least 0 and missing is below 1, got gain_db={gain_db:g}, "
                f"phase_deg={phase_deg:g}, position={position:g}, missing={missing:g}"
            )
        if not 1 <= bits[0] <= bits[1] <= 3:
            raise InputError(f"codes have 1 to 3 bits, got {bits[0]} to {bits[1]}")
        if channel_db is not None and channel_db[0] > channel_db[1]:
            raise InputError(f"channel_db is the least and the largest error, got {channel_db}")
        if panel is not None and not 0 <= panel < 2**63:
            raise InputError(
                f"panel is a seed from 0 to 2^63 - 1, or none, got {panel}",
                "give another, or none for another array in every scene",
            )
        self.data_model = waves
        self.gain_db, self.phase_deg, self.position = gain_db, phase_deg, position
        self.missing, self.bits, self.codes_known = missing, bits, codes_known
        self.channel_db, self.direct_db, self.panel = channel_db, direct_db, panel

    def sample(
        self,
        count: int,
        generator: torch.Generator,
        *,
        sources: int | None = None,
        snr_db: float | None = None,
    ) -> tuple[Problem, Truth]:
        """Return scenes and their truth, without signals; see :meth:`Scenario.sample`."""
        self._check_request(count, sources, snr_db)
        nominal = self.array().to(device=generator.device)
        mask = self._mask(count, sources, generator)
        positions = self.positions(mask, generator)
        powers = self.powers(positions) * mask
        there, told = self._surfaces(count, nominal, generator)
        signals = source_signals(powers, self.snapshots, generator)
        real = self.real_array(count, nominal, generator)
        steering = self.data_steering()(real, positions)
        clean = noise_free(signals, steering, there)
        clean = clean + self._direct(signals, clean, generator)
        values, noise_power = with_noise(clean, self._snr(count, snr_db, generator), generator)
        region = self.region().to(generator.device)
        snapshots = Snapshots(values, told, None, noise_power)
        problem = Problem(snapshots, nominal, CanonicalSteering(), region, mask.sum(-1))
        return problem, Truth.of(positions, mask, powers, problem)

    @property
    def data_label(self) -> str:
        """What tables call the data; see :class:`Scenario`."""
        return f"{self.data_model}, miscalibrated"

    def data_steering(self) -> Steering:
        """Return the steering model that makes the data, on the array that is there."""
        return Spherical() if self.data_model == "spherical" else CanonicalSteering()

    def real_array(self, count: int, nominal: Array, generator: torch.Generator) -> Array:
        """Return the arrays that are there: positions (S, N, 3) and gains (S, N), or the panel."""
        if self.panel is not None:
            return self.panel_array(self.panel).to(device=generator.device)
        return self._drawn_arrays(count, nominal, generator)

    def panel_array(self, seed: int) -> Array:
        """Return the array of a seed, positions (N, 3) and gains (N,): the same on every device."""
        state = np.random.SeedSequence((seed, PANELS)).generate_state(1, np.uint64)
        generator = torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))
        drawn = self._drawn_arrays(1, self.array(), generator)
        assert drawn.gains is not None
        return Array(drawn.positions[0], drawn.wavelength, drawn.gains[0])

    def _drawn_arrays(self, count: int, nominal: Array, generator: torch.Generator) -> Array:
        """Return an array for every scene."""
        shape = (count, nominal.count)
        offsets = torch.stack([_normal(shape, generator) for _ in range(3)], dim=-1)
        if self.data_model == "canonical":
            offsets[..., 2] = 0
        places = nominal.positions + self.position * nominal.wavelength * offsets
        level = 10 ** (self.gain_db * _normal(shape, generator) / 20)
        phase = math.radians(self.phase_deg) * _normal(shape, generator)
        chance = uniform(shape, 0.0, 1.0, generator)
        heard = (chance >= self.missing) | (chance == chance.amax(-1, keepdim=True))
        return Array(places, nominal.wavelength, torch.polar(level * heard, phase))

    def _surfaces(
        self, count: int, nominal: Array, generator: torch.Generator
    ) -> tuple[RisCoded, RisCoded]:
        """Return channel and codes as they are, and as estimators are told."""
        asked = self.sensing(count, nominal, generator)
        assert isinstance(asked, RisCoded)
        low, high = self.bits
        bits = torch.randint(low, high + 1, (count,), generator=generator, device=generator.device)
        made = quantised(asked.codes, bits)
        told = self._told_channel(asked.channel, generator)
        known = made if self.codes_known else asked.codes
        return RisCoded(asked.channel, made), RisCoded(told, known)

    def _told_channel(self, channel: Tensor, generator: torch.Generator) -> Tensor:
        """Return H + E with ‖E‖²/‖H‖² as drawn."""
        if self.channel_db is None:
            return channel
        level = 10 ** (uniform((channel.shape[0],), *self.channel_db, generator) / 10)
        error = complex_normal(tuple(channel.shape), generator)
        scale = (level * mean_power(channel) / mean_power(error)).sqrt()
        return channel + scale[:, None, None] * error

    def _direct(self, signals: Tensor, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Return what comes past the surface, (S, L, M)."""
        if self.direct_db is None:
            return torch.zeros_like(clean)
        shape = (signals.shape[0], signals.shape[-1], 2)
        angles = uniform(shape, -STATION_ANGLE, STATION_ANGLE, generator)
        far = torch.full_like(angles[..., :1], math.inf)
        station = Array.linear(self.outputs, self.wavelength).to(device=generator.device)
        waves = PlaneWave()(station, torch.cat((angles, far), dim=-1))
        path = signals @ waves.transpose(-1, -2)
        ratio = 10 ** (self.direct_db / 10) * mean_power(clean) / mean_power(path)
        return ratio.sqrt()[:, None, None] * path


def quantised(codes: Tensor, bits: Tensor) -> Tensor:
    """Return codes with their phases rounded to multiples of 2π/2^b, halves up.

    Shapes:
        codes: (S, L, N) of modulus 1. bits: (S,). Returns (S, L, N).
    """
    step = (2 * math.pi / 2.0**bits)[:, None, None]
    phase = torch.floor(codes.angle() / step + 0.5 + 1e-6) * step
    return torch.polar(torch.ones_like(phase), phase)


def _normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return float64 normal numbers of variance 1, on the generator's device."""
    return torch.randn(shape, dtype=torch.float64, generator=generator, device=generator.device)
