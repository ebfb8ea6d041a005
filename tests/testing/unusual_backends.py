"""Backends that are correct, though not like the built-in ones."""

from __future__ import annotations

from dataclasses import replace

import torch

from risdoa.backends.base import Backend
from risdoa.backends.music import Music
from risdoa.backends.newton import Newton
from risdoa.errors import InputError
from risdoa.sensing import RisCoded
from risdoa.steering.canonical import Canonical
from risdoa.steering.plane_wave import PlaneWave
from risdoa.testing import Subject


class OneSource(Music):
    """Looks for one source alone."""

    def __call__(self, problem, covariance, start):
        if problem.sources is None or int(problem.sources.max()) > 1:
            raise InputError("this backend finds one source", "give --sources 1")
        return super().__call__(problem, covariance, start)


class CovarianceOnly(Music):
    """Never looks at the measurements."""

    def __call__(self, problem, covariance, start):
        if covariance is None:
            raise InputError("this backend needs a covariance", "give --model sample")
        if problem.sources is not None and covariance.width < int(problem.sources.max()):
            raise InputError("the covariance has too small a rank", "look for fewer sources")
        return super().__call__(problem, covariance, start)


class Refinement(Newton):
    """Refines a start and never searches."""

    def __call__(self, problem, covariance, start):
        if start is None:
            raise InputError("this backend needs a start", "put music before it")
        return super().__call__(problem, covariance, start)


class Directions(Backend):
    """MUSIC with plane waves; the range is the middle of the region, and said to be unknown."""

    def __call__(self, problem, covariance, start):
        region = problem.region.clone()
        region[2] = region[2].mean()
        plane = replace(problem, steering=PlaneWave(), region=region)
        found = Music()(plane, covariance, None)
        hidden = found.unobservable.clone()
        hidden[..., 2] = True
        return replace(found, unobservable=hidden)


class CanonicalOnly(Music):
    """Exploits that canonical steering is separable."""

    def __call__(self, problem, covariance, start):
        if not isinstance(problem.steering, Canonical):
            raise InputError("this backend needs canonical steering", "use --steering canonical")
        return super().__call__(problem, covariance, start)


class SurfaceOnly(Music):
    """Exploits the codes of a surface."""

    def __call__(self, problem, covariance, start):
        if not isinstance(problem.snapshots.sensing, RisCoded):
            raise InputError("this backend needs a coded surface", "use another backend")
        return super().__call__(problem, covariance, start)


class Counting(Music):
    """Finds out itself how many sources there are, at most as many as asked for."""

    def __call__(self, problem, covariance, start):
        if problem.sources is None:
            problem = replace(problem, sources=torch.ones(problem.scenes, dtype=torch.int64))
        found = super().__call__(problem, covariance, start)
        if covariance is None:
            return found
        values = torch.linalg.eigvalsh(covariance.gram())
        ranks = (values > 1e-6 * values[:, -1:]).sum(-1)
        place = torch.arange(found.valid.shape[1])
        return replace(found, valid=found.valid & (place < ranks[:, None]))


class SinglePrecision(Music):
    """Answers in single precision, inside the region as far as that can tell."""

    def __call__(self, problem, covariance, start):
        found = super().__call__(problem, covariance, start)
        return replace(found, positions=found.positions.to(torch.float32))


UNUSUAL = [
    Subject.of("backend", OneSource, ("grid",)),
    Subject.of("backend", CovarianceOnly, ("grid", "needs-covariance")),
    Subject.of("backend", Refinement, ("needs-start",)),
    Subject.of("backend", Directions, ("grid", "far-field")),
    Subject.of("backend", CanonicalOnly, ("grid",)),
    Subject.of("backend", SurfaceOnly, ("grid",)),
    Subject.of("backend", Counting, ("grid",)),
    Subject.of("backend", SinglePrecision, ("grid",)),
]
