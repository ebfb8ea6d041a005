"""Files appear whole or not at all."""

from __future__ import annotations

import os

import pytest

from risdoa.errors import InputError
from risdoa.files import atomic_path, check_folder, write_text


def test_a_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "new" / "scenes.npz"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.suffix == ".npz"
        temporary.write_bytes(b"scenes")
        assert not target.exists()
    assert target.read_bytes() == b"scenes"
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_the_older_file_and_nothing_else(tmp_path):
    target = tmp_path / "metrics.json"
    write_text(target, "old\n")

    def fail():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fail()
    assert target.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [target]


def test_text_is_utf8_with_plain_line_ends(tmp_path):
    write_text(tmp_path / "table.csv", "λ\n")
    assert (tmp_path / "table.csv").read_bytes() == "λ\n".encode()


def test_a_place_that_cannot_hold_a_file_is_an_input_error(tmp_path):
    (tmp_path / "file").touch()
    for target in (tmp_path, tmp_path / "file" / "below", "/dev/null"):
        with pytest.raises(InputError, match="cannot write"):
            write_text(target, "text")


def test_a_folder_that_cannot_be_written_is_found_beforehand(tmp_path, monkeypatch):
    check_folder(tmp_path / "new" / "below")
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="file is a file"):
            check_folder(folder)
    asked = []
    monkeypatch.setattr("os.access", lambda path, mode: asked.append((path, mode)))
    with pytest.raises(InputError, match="permission denied"):
        check_folder(tmp_path / "new" / "below")
    assert asked == [(tmp_path, os.W_OK | os.X_OK)]
