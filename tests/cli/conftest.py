"""The command line, called in this process: exit code, standard output and standard error apart."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runexp.cli.app import app

ROOT = Path(__file__).resolve().parents[2]

QUICKSTART = ROOT / "specs" / "quickstart.yaml"


@pytest.fixture
def quickstart():
    return str(QUICKSTART)


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Call `runexp ARGS…` in an empty folder; the signal handlers it sets are taken back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("RUNEXP_RUNS", str(tmp_path / "runs"))

    def call(*args, stdin="", **env):
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
        try:
            return CliRunner(env=env).invoke(app, [str(arg) for arg in args], input=stdin)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    return call


@pytest.fixture
def bad(tmp_path):
    """A spec with one mistake, on line 4."""
    path = tmp_path / "bad.yaml"
    path.write_text(QUICKSTART.read_text().replace("seed: 7", "sede: 7"))
    return path
