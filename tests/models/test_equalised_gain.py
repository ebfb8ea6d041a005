"""The gain of the equalised back-projection, by its own formula and by its definition."""

from __future__ import annotations

import pytest
import torch

from risdoa.sensing import Direct, RisCoded, Sensing


def drawn(*shape):
    return torch.randn(shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "sensing",
    [RisCoded(drawn(3, 4, 9), drawn(3, 5, 9)), RisCoded(drawn(4, 9), drawn(5, 9)), Direct()],
    ids=["scenes", "shared", "direct"],
)
def test_equals_the_definition(sensing):
    vectors = drawn(9, 2)
    outputs = sensing.forward(vectors.T[:, None, None] * torch.ones((2, 3, 5, 9)))
    back = sensing.equalised_adjoint(outputs).mean(-2)
    expected = (back * vectors.T[:, None].conj()).sum(-1).real.T
    gain = sensing.equalised_gain(vectors)
    torch.testing.assert_close(gain.expand(3, 2), expected)
    default = Sensing.equalised_gain(sensing, vectors)
    torch.testing.assert_close(default.expand(3, 2), expected)
