"""A real PostgreSQL in a folder of its own, started for a test and stopped after it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from glob import glob
from pathlib import Path

import pytest

PASSWORD = "correct-horse@battery"


def binaries():
    """The folder of PostgreSQL's programs; a test is skipped where there is none."""
    found = shutil.which("initdb")
    folders = [str(Path(found).resolve().parent)] if found else sorted(glob("/usr/lib/postgresql/*/bin"))
    if not folders:
        pytest.skip("PostgreSQL is not installed")
    return Path(folders[-1])


@contextmanager
def postgresql():
    """Host and port of a server whose user `me` has the password; the superuser comes in by the socket alone."""
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="runexp-pg-"))
    owner = {"user": "nobody"} if os.geteuid() == 0 else {}  # PostgreSQL refuses to run as root
    if owner:
        shutil.chown(folder, "nobody")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def program(name, *arguments):
        made = subprocess.run(
            [programs / name, *arguments], cwd=folder, check=False, capture_output=True, text=True, **owner
        )
        assert made.returncode == 0, made.stderr
        return made.stdout

    def ask(statement):
        return program("psql", "-qAt", "-h", folder, "-p", str(port), "-U", "boss", "-d", "postgres", "-c", statement)

    hba = "local all boss trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    try:
        program("initdb", "-D", folder / "data", "-U", "boss", "-A", "trust", "--no-sync")
        (folder / "data/pg_hba.conf").write_text(hba)
        options = f"-h 127.0.0.1 -p {port} -k {folder} -F"
        program("pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start")
        ask(f"create role me login password '{PASSWORD}'")
        yield port, ask
    finally:
        if (folder / "data/postmaster.pid").exists():
            program("pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
