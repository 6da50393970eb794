"""The walls between the rooms stand, and the gate that holds them bites."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

PURE = ("plan", "events", "engine", "results")


@pytest.fixture
def house(tmp_path, root):
    """A copy of the package and of the gate's settings, free to be damaged."""
    shutil.copytree(root / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture
def lint_imports(run_python):
    """Run import-linter on the `src` of a folder."""

    def lint(folder: Path):
        command = "from importlinter.cli import lint_imports_command as lint; lint()"
        return run_python("-c", command, "--no-cache", path=[folder / "src"], cwd=folder)

    return lint


def _write(house: Path, module: str, text: str) -> None:
    """Add a module, making the rooms on the way to it where they are missing."""
    path = house.joinpath("src", "runexp", *module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in path.relative_to(house / "src").parents[:-1]:
        (house / "src" / folder / "__init__.py").touch()
    path.write_text(text)


def test_the_walls_stand(lint_imports, root):
    outcome = lint_imports(root)
    assert outcome.returncode == 0, outcome.stdout
    assert "3 kept, 0 broken" in outcome.stdout


UPWARD = {
    "at the top": "from runexp.engine import probe\n",
    "inside a function": "def f():\n    from runexp.engine import probe\n    return probe\n",
    "under TYPE_CHECKING": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from runexp.engine import probe\n"
    ),
}


@pytest.mark.parametrize("text", UPWARD.values(), ids=UPWARD)
def test_an_import_that_points_up_breaks_the_gate(house, lint_imports, text):
    _write(house, "engine.probe", "")
    _write(house, "plan.probe", text)
    outcome = lint_imports(house)
    assert outcome.returncode == 1
    assert "imports point down BROKEN" in outcome.stdout
    assert "runexp.plan.probe -> runexp.engine.probe" in outcome.stdout


def test_neighbours_may_not_import_each_other(house, lint_imports):
    _write(house, "engine.probe", "")
    _write(house, "results.probe", "import runexp.engine.probe\n")
    assert "imports point down BROKEN" in lint_imports(house).stdout


def test_a_room_that_no_layer_names_breaks_the_gate(house, lint_imports):
    _write(house, "attic.probe", "")
    outcome = lint_imports(house)
    assert outcome.returncode == 1
    assert "attic" in outcome.stdout


@pytest.mark.parametrize(
    ("module", "text"),
    [
        pytest.param("spec.probe", "import torch\n", id="torch in spec"),
        pytest.param("spec.probe", "from torch.nn import Linear\n", id="a part of torch in spec"),
        pytest.param("spec.probe", "def f():\n    import sklearn\n    return sklearn\n", id="inside a function"),
        pytest.param("engine.deep.probe", "import numpy\n", id="numpy in engine"),
        pytest.param("api", "import pandas\n", id="pandas in api"),
        pytest.param("cli.probe", "import pyarrow\n", id="pyarrow in cli"),
    ],
)
def test_a_heavy_import_outside_runtime_breaks_the_gate(house, lint_imports, module, text):
    _write(house, module, text)
    outcome = lint_imports(house)
    assert outcome.returncode == 1
    assert "imports point down KEPT" in outcome.stdout
    assert f"runexp.{module} -> " in outcome.stdout


def test_runtime_and_the_back_ends_of_observe_may_import_what_is_heavy(house, lint_imports):
    _write(house, "runtime.__init__", "import torch\n")
    _write(house, "runtime.probe", "import numpy, pandas, pyarrow, sklearn, torch\n")
    _write(house, "observe.probe", "import torch\n")
    assert lint_imports(house).returncode == 0


def test_what_the_engine_knows_of_pydantic_only_through_another_room_breaks_the_gate(house, lint_imports):
    _write(house, "spec.probe", "import pydantic\n")
    _write(house, "engine.probe", "import runexp.spec.probe\n")
    outcome = lint_imports(house)
    assert outcome.returncode == 1
    assert "imports point down KEPT" in outcome.stdout
    assert "runexp.spec.probe -> pydantic" in outcome.stdout


def _rooms_there(root: Path) -> list[str]:
    package = root / "src" / "runexp"
    return [room for room in PURE if (package / room).is_dir() or (package / f"{room}.py").is_file()]


IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    room = importlib.import_module(f"runexp.{name}")
    for found in pkgutil.walk_packages(getattr(room, "__path__", []), f"runexp.{name}."):
        importlib.import_module(found.name)
libraries = {"pydantic", "ruamel", "rich", "typer", "torch", "sklearn", "numpy", "pandas", "pyarrow"}
loaded = libraries & set(sys.modules)
sys.exit(f"loaded: {sorted(loaded)}" if loaded else 0)
"""


def test_plan_events_engine_and_results_load_no_library(root, run_python):
    outcome = run_python("-c", IMPORT_ALL, *_rooms_there(root))
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize("library", ["pydantic", "rich"])
def test_a_library_loaded_by_a_pure_room_is_seen(house, run_python, library):
    _write(house, "plan.probe", f"import {library}\n")
    outcome = run_python("-c", IMPORT_ALL, "plan", path=[house / "src"])
    assert outcome.returncode == 1
    assert library in outcome.stderr
