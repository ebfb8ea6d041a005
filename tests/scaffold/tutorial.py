"""Doing what a page says: its commands, and its changes to files, line by line."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """A block of code, and the sentence that leads to it."""

    lead: str
    language: str
    text: str


def blocks(page):
    """Return the blocks of a page, each with the last paragraph before it."""
    found, end = [], 0
    for match in re.finditer(r"^```(\w*)\n(.*?)^```\n", page, re.MULTILINE | re.DOTALL):
        paragraph = page[end : match.start()].strip().rpartition("\n\n")[2]
        found.append(Block(" ".join(paragraph.split()), match[1], match[2]))
        end = match.end()
    return found


def follow(page, folder, shell):
    """Do what a page says about the files in a folder; ``shell`` runs commands or returns None.

    "In `FILE` replace" leads to what is there, "with" to what takes its place, "At the end of
    `FILE` add" to what comes after two empty lines. Text is what the commands before it wrote, up
    to numbers and spaces; any other block must be a file as it is.
    """
    file, before, said = None, "", None
    for block in blocks(page):
        if block.language == "sh":
            said = shell(block.text)
        elif block.language == "text":
            assert said is None or _bare(block.text) <= _bare(said), said
        elif found := re.search(r"(?i)\bin `([\w./]+)` replace$", block.lead):
            file, before = folder / found[1], block.text
            assert file.read_text("utf-8").count(before) == 1, block.text
        elif block.lead == "with":
            _write(file, file.read_text("utf-8").replace(before, block.text))
        elif found := re.search(r"(?i)\bat the end of `([\w./]+)` add$", block.lead):
            file = folder / found[1]
            _write(file, f"{file.read_text('utf-8')}\n\n{block.text}")
        else:
            assert block.text in contents(folder).values(), block.text


def _bare(text):
    """Return the lines of a text without what may differ."""
    lines = [re.sub(r"[-+]?\d[\d.e+-]*", "#", line) for line in text.splitlines()]
    return {re.sub("─+", "─", " ".join(line.split())) for line in lines}


def _write(file, text):
    file.write_text(text, encoding="utf-8")


def contents(folder):
    """Return the text of every file that belongs to a distribution, by path."""
    files = [*folder.glob("*.*"), *folder.glob("*/*.py")]
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in files
        if path.is_file()
    }
