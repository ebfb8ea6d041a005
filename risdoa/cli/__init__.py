"""The command line: one file a command; stdout is data, stderr is talk."""

from risdoa.cli.app import main

__all__ = ["main"]
