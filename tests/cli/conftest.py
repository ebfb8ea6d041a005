"""Fake distributions for tests of commands too."""

from tests.registry.conftest import install, site

__all__ = ["install", "site"]
