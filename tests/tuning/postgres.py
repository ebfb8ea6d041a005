"""A PostgreSQL of the tests' own, where the server is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path


def programs():
    """Return the folder with initdb and pg_ctl, or None; Debian keeps it off the path."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else Path("/usr/lib/postgresql").glob("*/bin")
    whole = [each for each in sorted(folders) if (each / "pg_ctl").exists()]
    return whole[-1] if whole else None


def _user():
    """Return whom the server runs as: it refuses to be root."""
    if os.geteuid() != 0:
        return {}
    names = {each.pw_name for each in pwd.getpwall()}
    account = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@contextmanager
def server():
    """Yield the address of an empty database behind a socket in a folder of its own."""
    bin_, user = programs(), _user()
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    if user:
        os.chown(folder, user["user"], user["group"])

    def run(program, *arguments):
        command = [str(bin_ / program), "-D", str(folder / "data"), *arguments]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, **user
        )
        assert done.returncode == 0, done.stdout + done.stderr

    run("initdb", "-A", "trust", "-U", "tester", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    log = folder / "log"
    try:
        # Its output goes into the log: the server would hold a pipe open.
        run("pg_ctl", "start", "-w", "-s", "-l", str(log), "-o", options)
        yield f"postgresql://tester:secret@/postgres?host={folder}"
    finally:
        run("pg_ctl", "stop", "-m", "immediate", "-s")
        shutil.rmtree(folder)
