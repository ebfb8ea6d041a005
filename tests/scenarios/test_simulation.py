"""The simulator against a loop over scenes, snapshots and sources in NumPy."""

import numpy as np
import torch

from risdoa.arrays import Array
from risdoa.registry import Registry
from risdoa.scenarios.canonical import Canonical
from risdoa.scenarios.draws import subsets
from risdoa.scenarios.simulation import simulate, source_signals
from risdoa.sensing import RisCoded
from risdoa.steering.spherical import Spherical


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_outputs_equal_a_literal_loop():
    g = generator()
    scenes, count, outputs, array = 3, 4, 2, Array.planar(3, 2, 0.3)
    channel = torch.randn((scenes, outputs, 6), dtype=torch.complex128, generator=g)
    codes = torch.randn((scenes, count, 6), dtype=torch.complex128, generator=g)
    positions = torch.rand((scenes, 2, 3), dtype=torch.float64, generator=g) + 0.2
    snapshots, signals = simulate(
        positions=positions,
        powers=torch.tensor([[1.0, 0.5]] * scenes, dtype=torch.float64),
        array=array,
        steering=Spherical(),
        sensing=RisCoded(channel, codes),
        snr_db=torch.full((scenes,), 300.0, dtype=torch.float64),
        snapshots=count,
        generator=g,
    )
    k, points = 2 * np.pi / 0.3, array.positions.numpy()
    for s in range(scenes):
        for n in range(count):
            field = np.zeros(6, dtype=complex)
            for source in range(2):
                phi, theta, r = positions[s, source].numpy()
                place = r * np.array(
                    [np.sin(phi) * np.cos(theta), np.sin(theta), np.cos(phi) * np.cos(theta)]
                )
                rho = np.linalg.norm(points - place, axis=1)
                field += np.exp(-1j * k * (rho - r)) / 6**0.5 * signals[s, n, source].item()
            expected = channel[s].numpy() @ (codes[s, n].numpy() * field)
            np.testing.assert_allclose(snapshots.values[s, n].numpy(), expected, atol=1e-10)


def test_little_memory_changes_nothing(monkeypatch):
    first = Canonical(nx=4, ny=3, snapshots=5).sample(7, generator())[0].snapshots.values
    monkeypatch.setattr("risdoa.scenarios.simulation.CACHE", 1)
    again = Canonical(nx=4, ny=3, snapshots=5).sample(7, generator())[0].snapshots.values
    assert torch.equal(first, again)


def test_snapshots_of_a_block_share_their_signal():
    blocks = torch.tensor([5, 5, 2, 2, 2, 9])
    signals = source_signals(torch.ones(4, 2, dtype=torch.float64), 6, generator(), blocks)
    assert torch.equal(signals[:, 0], signals[:, 1])
    assert torch.equal(signals[:, 2], signals[:, 4])
    assert len({complex(value) for value in signals[0, :, 0]}) == 3


def test_subsets_have_no_repeats():
    drawn = subsets(100, 7, 9, generator())
    assert all(len(set(row)) == 7 and set(row) <= set(range(9)) for row in drawn.tolist())


def test_every_built_in_scenario_answers_to_its_name():
    registry = Registry.discover()
    for name in (
        "canonical",
        "canonical-sep10",
        "path-loss",
        "static",
        "digital",
        "spherical-data",
    ):
        made = registry.create("scenario", name)
        assert type(made).__name__ == name.title().replace("-", "")
