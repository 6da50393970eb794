"""What every test may ask for: the checkout, and a Python that runs our code in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# Shared cores make a single example slow now and then; CI must fail for the same examples every time.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(autouse=True)
def _page_width(monkeypatch):
    """Pages are as wide as in a pipe, whatever terminal the tests are run in, or none of them is."""
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def run_python(tmp_path):
    """Run `python ARGS…` on our sources; `path` goes before them, `cwd` is an empty folder unless given."""

    def run(*args, path=(), cwd=tmp_path, timeout=120):
        places = [*map(str, path), str(ROOT / "src")]
        return subprocess.run(
            [sys.executable, *args],
            cwd=cwd,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(places), "RUNEXP_RUNS": str(tmp_path / "runs")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run
