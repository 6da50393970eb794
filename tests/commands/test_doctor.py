"""`runexp doctor`: what is there, what is missing, and that looking never fails."""

from __future__ import annotations

import json
import tomllib

import pytest
from packaging.requirements import Requirement

from runexp.api.doctor import PYTHON, REQUIRED
from runexp.report.doctor import Finding, render_doctor


@pytest.fixture
def project(root):
    """The [project] table."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_what_is_required_is_what_the_package_depends_on(project):
    wanted = {Requirement(line).name: Requirement(line).specifier for line in project["dependencies"]}
    assert set(REQUIRED) == set(wanted)
    assert [name for name, (_, least) in REQUIRED.items() if f">={least}" not in str(wanted[name])] == []
    assert project["requires-python"] == f">={PYTHON[0][0]}.{PYTHON[0][1]},<{PYTHON[1][0]}.{PYTHON[1][1]}"


def test_a_fit_machine_exits_0_and_nothing_is_written(call, tmp_path):
    outcome = call("doctor", "--format", "json")
    assert outcome.exit_code == 0
    record = json.loads(outcome.stdout)
    assert record["ok"] is True
    assert {"programs", "libraries", "devices", "runs", "catalog"} <= {one["group"] for one in record["findings"]}
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_runs_that_cannot_be_made_is_missing(call, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    outcome = call("doctor", "--runs", tmp_path / "file" / "runs")
    assert outcome.exit_code == 1
    assert "not writable" in " ".join(outcome.stdout.split())
    assert "1 thing that runs need is missing" in outcome.stdout


WITHOUT_TORCH = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "sklearn", "numpy", "pyarrow", "skops", "safetensors"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def test_without_heavy_libraries_it_says_what_is_missing_and_exits_1(run_python, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_TORCH, encoding="utf-8")
    outcome = run_python("-m", "runexp", "doctor", "--format", "json", path=[tmp_path])
    assert outcome.returncode == 1, outcome.stderr
    found = {(one["group"], one["name"]): one for one in json.loads(outcome.stdout)["findings"]}
    assert found["libraries", "torch"]["state"] == "missing"
    assert "does not load" in found["libraries", "torch"]["help"]
    assert found["libraries", "pydantic"]["state"] == "ok"


@pytest.mark.parametrize("width", [40, 100])
def test_no_line_is_wider_than_the_terminal_and_help_stands_below(width):
    findings = [
        Finding("libraries", "torch", "missing", "not installed, " * 6, "pip install 'torch>=2.9'"),
        Finding("runs", "disk", "ok", "78.3 GiB free"),
    ]
    text = render_doctor(findings, console_width=width, color=False)
    assert max(map(len, text.splitlines())) <= width
    assert "install 'torch>=2.9'" in " ".join(text.split())
