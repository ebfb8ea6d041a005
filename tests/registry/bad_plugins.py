"""Distributions that go wrong, one for each way: what is in them, and what the list says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

HOOK = """
import risdoa

@risdoa.hookimpl
def risdoa_losses():
    {body}
"""

ONE = "yield risdoa.Plugin('{name}', 'builtins:dict', 'A loss.')"

PRINTER = """
import atexit, os, subprocess, sys
import risdoa

def shout():
    print("{")
    sys.__stdout__.write("{")
    os.write(1, b"{")
    subprocess.run([sys.executable, "-c", "print('{')"], check=True)

shout()
atexit.register(shout)

@risdoa.hookimpl
def risdoa_losses():
    shout()
    yield risdoa.Plugin("printer", "builtins:dict", "A loss.")
"""

VANDAL = """
import os, sys, warnings
import risdoa

warnings.simplefilter("error")
sys.stdout = open(os.devnull, "w")
sys.stderr = None
os.chdir("/")

@risdoa.hookimpl
def risdoa_losses():
    yield risdoa.Plugin("vandal", "builtins:dict", "A loss.")
"""

THREAD = """
import threading, time
import risdoa

def work():
    while True:
        print("{", flush=True)
        time.sleep(0.05)

threading.Thread(target=work).start()

@risdoa.hookimpl
def risdoa_losses():
    yield risdoa.Plugin("thread", "builtins:dict", "A loss.")
"""

FIELDS = """
for change in (
        {"name": "My_Loss"}, {"name": 3}, {"factory": "no-colon"}, {"factory": dict},
        {"summary": None}, {"options": 3}, {"traits": "separable"}, {"traits": (3,)},
        {"space": "x"}, {"example": None}, {"references": "one"}, {"references": 3}, {"api": "1"},
    ):
        yield risdoa.Plugin(**{"name": "a", "factory": "builtins:dict", "summary": "s", **change})
"""

OPTIONS = HOOK.format(
    body="yield risdoa.Plugin('o', 'builtins:dict', 'A loss.', options='bad_options:Options')"
)


@dataclass(frozen=True)
class Bad:
    """A distribution: its module, its metadata, and what each of its rows has to say."""

    source: str
    says: tuple[str, ...] = ()
    status: str = "broken"
    points: str = "[risdoa]\nplugin = MODULE\n"
    metadata: bytes | None = b"Metadata-Version: 2.1\nName: NAME\nVersion: 1.0\n"


def hook(body, *says, status="broken"):
    return Bad(HOOK.format(body=body), says, status)


BAD = {
    "bad-import": Bad("raise RuntimeError('no licence')", ("RuntimeError: no licence",)),
    "bad-syntax": Bad("def broken(:", ("SyntaxError",)),
    "bad-module": Bad("import no_such_module", ("No module named 'no_such_module'",)),
    "bad-exit": Bad("import sys; sys.exit(3)", ("SystemExit: 3",)),
    "bad-interrupt": Bad("raise KeyboardInterrupt", ("KeyboardInterrupt",)),
    "bad-raises": hook("raise OSError('in the hook')", "OSError: in the hook"),
    "bad-late": hook(ONE + "; raise OSError('late')", "OSError: late"),
    "bad-none": hook("return None", "risdoa_losses returned None"),
    "bad-record": hook("return risdoa.Plugin('a', 'builtins:dict', 's')", "returned one Plugin"),
    "bad-text": hook("return 'a loss'", "returned one str"),
    "bad-dicts": hook("return [{}, {}, {}]", "a hook yields risdoa.Plugin records, not dict"),
    "bad-fields": hook(
        FIELDS.strip(),
        *("Plugin.name",) * 2,
        *("Plugin.factory",) * 2,
        "Plugin.summary",
        "Plugin.options",
        *("Plugin.traits",) * 2,
        "Plugin.space",
        "Plugin.example",
        *("Plugin.references",) * 2,
        "Plugin.api",
    ),
    "bad-endless": hook(f"while True: {ONE}", "yields more than 1000 records"),
    "bad-misspelt": Bad(
        HOOK.format(body=ONE).replace("risdoa_losses", "risdoa_loses"),
        ("unknown hook 'risdoa_loses'; did you mean 'risdoa_losses'?",),
    ),
    "bad-unmarked": Bad(
        HOOK.format(body=ONE).replace("@risdoa.hookimpl", ""), ("not marked with risdoa.hookimpl",)
    ),
    "bad-nothing": Bad("x = 1", ("no hook found",)),
    "bad-old": hook(ONE.replace("'A loss.'", "'A loss.', api=0"), "API 0", status="old-api"),
    "bad-future": hook(ONE.replace("'A loss.'", "'A loss.', api=99"), "upgrade risdoa"),
    "bad-points": Bad("", ("damaged metadata",), points="[risdoa]\nno equals sign\n"),
    "bad-bytes": Bad("", ("damaged metadata",), metadata=b"Name: \xff\xfe\nVersion: \xff\n"),
    "bad-address": Bad("", ("No module named 'no_such'",), points="[risdoa]\na = no_such\n"),
    "bad-factory": hook(ONE.replace("builtins:dict", "bad_factory:Nope"), "has no 'Nope'"),
    "bad-package": hook(ONE.replace("builtins:dict", "no_such.x:Y"), "no module 'no_such'"),
    "bad-options": Bad(OPTIONS + "\nclass Options: pass", ("is no pydantic model",)),
    "bad-shadow": Bad(
        "raise RuntimeError",
        ("'train' is a built-in command and cannot be replaced",),
        points="[risdoa.commands]\ntrain = bad_shadow:command\n",
    ),
    "bad-command": Bad(
        "", ("words-like-this",), points="[risdoa.commands]\nMy_Command = bad_command:command\n"
    ),
}
"""What cannot be used, or not all of it."""

ODD = {
    "bad-heavy": Bad("import numpy" + HOOK.format(body=ONE), ("it imports numpy",)),
    "bad-slow": Bad("import time; time.sleep(0.2)" + HOOK.format(body=ONE), ("0.2 s to list",)),
    "bad-thread": Bad(THREAD, ("leaves threads running",)),
    "bad-printer": Bad(PRINTER),
    "bad-vandal": Bad(VANDAL),
    "bad-warns": Bad("import warnings; warnings.warn('old')" + HOOK.format(body=ONE)),
    "bad-name": Bad(HOOK.format(body=ONE), metadata=None),
}
"""What works although it behaves badly: active, with a note where there is one to make."""


def install(site: Path) -> None:
    """Write all of them into a folder."""
    for distribution, bad in {**BAD, **ODD}.items():
        module = distribution.replace("-", "_")
        source = dedent(bad.source).replace("{name}", distribution)
        (site / f"{module}.py").write_text(source, encoding="utf-8")
        info = site / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        if bad.metadata is not None:
            (info / "METADATA").write_bytes(bad.metadata.replace(b"NAME", distribution.encode()))
        (info / "entry_points.txt").write_text(bad.points.replace("MODULE", module))
