"""Channels with the Rician factor they were asked for, and codes from the alphabet."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from risdoa.arrays import Array
from risdoa.scenarios.channels import codes_of, dft_codes, dft_levels, random_levels, rician

ARRAY = Array.planar(4, 3, wavelength=0.3)
OUTPUTS = 5


def draw(factor, scenes=1, seed=0):
    factors = torch.full((scenes,), factor, dtype=torch.float64)
    return rician(ARRAY, OUTPUTS, factors, torch.Generator().manual_seed(seed))


@settings(max_examples=25, deadline=None)
@given(factor=st.floats(0.01, 100), seed=st.integers(0, 1000))
def test_line_of_sight_holds_its_share_of_the_norm(factor, seed):
    sight, scattered = draw(1e300, seed=seed), draw(0.0, seed=seed)
    norm = OUTPUTS * ARRAY.count
    assert float(sight.abs().square().sum()) == pytest.approx(norm)
    assert int(torch.linalg.matrix_rank(sight[0])) == 1
    mixed = (factor / (factor + 1)) ** 0.5 * sight + (1 / (factor + 1)) ** 0.5 * scattered
    torch.testing.assert_close(draw(factor, seed=seed), mixed)


def test_scattered_part_is_iid_of_variance_one():
    scattered = draw(0.0, scenes=2000)
    assert abs(float(scattered.abs().square().mean()) - 1) < 5 / scattered.numel() ** 0.5
    pairs = (scattered[..., 1:] * scattered[..., :-1].conj()).mean()
    assert abs(complex(pairs)) < 5 / scattered.numel() ** 0.5


@pytest.mark.parametrize("factor", [0.5, 10.0])
def test_realised_norm_ratio_is_the_factor(factor):
    channel, sight = draw(factor, scenes=2000), draw(1e300, scenes=2000)
    coherent = (channel * sight.conj()).mean((-2, -1))
    estimate = float(coherent.real.mean()) ** 2
    assert estimate == pytest.approx(factor / (factor + 1), rel=0.02)
    assert float(channel.abs().square().mean()) == pytest.approx(1, rel=0.02)


def test_dft_table_is_the_dft_rounded_to_three_bits():
    nx, ny = 12, 5
    table = codes_of(dft_codes(torch.arange(nx * ny), nx, ny)).numpy()
    x = np.exp(2j * np.pi * np.outer(np.arange(nx), np.arange(nx)) / nx)
    y = np.exp(2j * np.pi * np.outer(np.arange(ny), np.arange(ny)) / ny)
    exact = np.kron(y, x)
    step = np.pi / 4
    np.testing.assert_allclose(np.angle(table) / step, np.round(np.angle(table) / step), atol=1e-9)
    assert np.abs(np.angle(table / exact)).max() <= step / 2 + 1e-9


def test_dft_codes_are_drawn_without_replacement():
    codes = codes_of(dft_levels(40, 16, 12, 12, torch.Generator().manual_seed(0)))
    table = codes_of(dft_codes(torch.arange(144), 12, 12))
    agreement = (codes @ table.mH).abs() / 144
    rows = agreement.argmax(-1)
    assert all(len(set(scene.tolist())) == 16 for scene in rows)
    assert len(set(rows.flatten().tolist())) > 130


def test_random_codes_use_the_whole_alphabet_evenly():
    drawn = random_levels(200, 8, 12, torch.Generator().manual_seed(0))
    codes = codes_of(drawn)
    torch.testing.assert_close(codes.abs(), torch.ones_like(codes.abs()))
    levels = (codes.angle() / (torch.pi / 4)).round().long() % 8
    assert torch.equal(levels, drawn.long())
    share = torch.bincount(levels.flatten(), minlength=8) / levels.numel()
    assert float((share - 1 / 8).abs().max()) < 5 * (1 / 8 / levels.numel()) ** 0.5
