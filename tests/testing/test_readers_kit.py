"""The reader kit finds every faulty reader out, and no correct one, however unusual."""

from __future__ import annotations

import numpy as np

from risdoa.recordings import Recording
from risdoa.recordings.base import Reader
from risdoa.registry import Registry
from risdoa.testing import Subject, parametrize
from tests.testing.mutants.readers import Json

REGISTRY = Registry.discover({"RISDOA_PLUGINS_ALLOW": ""})
BUILT_IN = [Subject.registered(REGISTRY, "reader", name) for name in REGISTRY.names("reader")]


class Raw(Reader):
    """Bytes as they come, of one element: a format without a header, which reads anything."""

    def __call__(self, path):
        values = np.frombuffer(path.read_bytes(), dtype=np.uint8).astype(np.float64)
        return Recording(
            positions_m=np.zeros((1, 3)),
            wavelength_m=1.0,
            snapshots=1.0 + 1j * values[None, :, None],
        )


@parametrize(*BUILT_IN)
def test_the_built_in_readers_keep_the_contract(check):
    check()


@parametrize(Subject.of("reader", Json, (".json",)), Subject.of("reader", Raw, (".raw", ".bin")))
def test_correct_readers_pass_however_unusual(check):
    check()
