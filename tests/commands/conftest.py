"""The command line in this process: arguments in, exit code and both streams out."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from runexp.cli.app import app


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Call runexp in an empty folder, as wide as a wide terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("RUNEXP_RUNS", str(tmp_path / "runs"))

    def run(*arguments, stdin=None):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)

    return run
