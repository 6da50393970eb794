"""`runexp validate` works where nothing heavy is installed."""

from __future__ import annotations

import shutil

import pytest

HEAVY = ("torch", "sklearn", "numpy", "pandas", "pyarrow")
SITECUSTOMIZE = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture
def bare_python(tmp_path, run_python):
    """Run Python as if none of the heavy libraries were installed."""
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "sitecustomize.py").write_text(SITECUSTOMIZE)
    return lambda *args: run_python(*args, path=[tmp_path / "bare"])


@pytest.fixture
def cli(root):
    """Skip where the command line is not there."""
    if not (root / "src" / "runexp" / "cli").is_dir():
        pytest.skip("src/runexp/cli is not there")


@pytest.mark.parametrize("library", HEAVY)
def test_the_blocker_blocks(bare_python, library):
    outcome = bare_python("-c", f"import {library}")
    assert outcome.returncode == 1
    assert f"No module named '{library}'" in outcome.stderr


@pytest.mark.usefixtures("cli")
def test_the_command_line_imports_without_heavy_libraries(bare_python):
    outcome = bare_python("-c", "import runexp, runexp.cli")
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.usefixtures("cli")
def test_help_needs_no_heavy_library(bare_python):
    outcome = bare_python("-m", "runexp", "--help")
    assert outcome.returncode == 0, outcome.stderr
    assert "validate" in outcome.stdout


@pytest.mark.usefixtures("cli")
def test_validate_needs_no_heavy_library(bare_python, root, tmp_path):
    shutil.copy(root / "specs" / "quickstart.yaml", tmp_path)
    outcome = bare_python("-m", "runexp", "validate", "quickstart.yaml")
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.usefixtures("cli")
def test_validate_still_finds_mistakes_without_heavy_libraries(bare_python, tmp_path):
    (tmp_path / "wrong.yaml").write_text("runexp: 1\nname: wrong\nphasess: {}\n")
    outcome = bare_python("-m", "runexp", "validate", "wrong.yaml")
    assert outcome.returncode == 2
    assert "phasess" in outcome.stdout + outcome.stderr
    assert "Traceback" not in outcome.stderr
