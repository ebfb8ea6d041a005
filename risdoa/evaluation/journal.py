"""Finished parts of a long measurement on disk, so that it goes on where it was stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from risdoa.errors import InputError
from risdoa.files import write_text


class Journal:
    """Records by key: a JSON line each, behind a line that says what is measured.

    The file is replaced as a whole with every record; what is killed leaves the one before.

    Args:
        path: The file, or None to keep nothing.
        setup: What is measured; a file of another setup is refused.

    Raises:
        InputError: if the file is of another setup, or cannot be read as a journal.
    """

    def __init__(self, path: Path | None, setup: Mapping[str, Any]) -> None:
        self.path, self.setup = path, json.loads(json.dumps(setup))
        self.records: dict[str, Any] = {}
        if path is not None and path.exists():
            self._read(path)

    def _read(self, path: Path) -> None:
        hint = "give another --out, or remove the file"
        try:
            head, *lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
            records = {line["key"]: line["record"] for line in lines}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"cannot read {path} as a journal: {error}", hint) from error
        if head != self.setup:
            raise InputError(f"{path} holds the measurement of another setup", hint)
        self.records = records

    def __contains__(self, key: str) -> bool:
        """Tell whether this part is finished."""
        return key in self.records

    def add(self, key: str, record: Any) -> None:
        """Keep the record of a part."""
        self.records[key] = json.loads(json.dumps(record, allow_nan=False))
        if self.path is not None:
            lines = [{"key": name, "record": each} for name, each in self.records.items()]
            text = "".join(f"{json.dumps(line)}\n" for line in (self.setup, *lines))
            write_text(self.path, text)


class Budget:
    """Seconds of processor time that a measurement may take, counted from when this is made."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._begun = self._last = time.process_time()
        self._longest = 0.0

    @property
    def spent(self) -> float:
        """Seconds of processor time so far."""
        return time.process_time() - self._begun

    def allows_another(self) -> bool:
        """Tell whether a part as long as the longest so far fits; asked before every part."""
        now = time.process_time()
        self._longest = max(self._longest, now - self._last)
        self._last = now
        return self.spent + self._longest <= self.seconds
