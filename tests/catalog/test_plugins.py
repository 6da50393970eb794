"""Names that installed packages register are found without importing the packages."""

import json
import os
import subprocess
import sys

import pytest

_SCRIPT = """
import dataclasses, json, sys
from runexp.catalog import check_arguments, lookup, names
entry = lookup(*sys.argv[1:])
print(json.dumps({
    "entry": entry and dataclasses.asdict(entry),
    "listed": sys.argv[1] in names(sys.argv[2]),
    "unknown": [problem.code for problem in check_arguments(entry, {"gama": 1})] if entry else [],
}))
"""


@pytest.fixture
def ask(tmp_path):
    folder = tmp_path / "plug_in-1.0.dist-info"
    folder.mkdir()
    (folder / "entry_points.txt").write_text(
        "[console_scripts]\nrun = plug:main\n\n"
        "[runexp.losses]\n# a comment\nfocal = plug.losses:Focal\nmse = plug.losses:Evil\n"
        "[runexp.callbacks]\nghost = plug.nowhere:Ghost [extra]\n"
    )
    package = tmp_path / "plug"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')\n")
    (package / "losses.py").write_text(
        'class Focal:\n    """Focal loss."""\n    def __init__(self, gamma: float = 2.0): ...\n'
    )

    def run(name, kind):
        path = os.pathsep.join([str(tmp_path), *sys.path])
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, name, kind],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        return json.loads(done.stdout)

    return run


def test_a_registered_name_has_the_parameters_of_its_source(ask):
    answer = ask("focal", "loss")
    entry = answer["entry"]
    assert (entry["target"], entry["kind"], entry["summary"]) == ("plug.losses:Focal", "loss", "Focal loss")
    assert [found["name"] for found in entry["parameters"]] == ["gamma"]
    assert answer["listed"]
    assert answer["unknown"] == ["unknown-parameter"]


def test_a_registered_name_is_of_its_groups_kind_only(ask):
    assert ask("focal", "metric")["entry"] is None
    assert ask("run", "module")["entry"] is None


def test_a_plug_in_cannot_take_a_name_of_the_catalog(ask):
    assert ask("mse", "loss")["entry"]["target"] == "torch.nn:MSELoss"


def test_a_plug_in_whose_source_cannot_be_read_takes_anything(ask):
    answer = ask("ghost", "callback")
    assert answer["entry"]["target"] == "plug.nowhere:Ghost"
    assert answer["unknown"] == []
