"""Many mistakes at once, the bundled specs, and the command line."""

from __future__ import annotations

import json
import shutil

import pytest
from typer.testing import CliRunner

from deep.specs import PARTS, SPEC, deep, rows, written
from runexp.api.checking import check
from runexp.api.deep import check_deep
from runexp.cli.app import app

MANY = """\
runexp: 1
name: many
data:
  a:
    source: a.csv
    features: {x: [width, height], z: [id]}
    targets: {kind: kind, mass: mass}
    splits: {train: 0.7, test: 0.3}
  b:
    source: b.csv
    features: {x: [width, height]}
    targets: {kind: kind}
    splits: {train: 0.7, test: 0.3}
nodes:
  body: {inputs: a.x, use: torch.nn.Linear, with: {out_features: 4}}
  wrong: {inputs: body, use: torch.nn.Linear, with: {in_features: 5, out_features: 3}}
  after: {inputs: wrong, use: torch.nn.Linear, with: {out_features: 3}}
  kinds: {inputs: body, use: torch.nn.Linear, with: {out_features: 2}}
  mass: {inputs: body, use: torch.nn.Linear, with: {out_features: 2}}
  fine: {inputs: b.x, use: torch.nn.Linear, with: {out_features: 3}}
losses:
  late: {node: after, use: cross_entropy, inputs: [outputs, targets.kind]}
  ce: {node: kinds, use: cross_entropy, inputs: [outputs, targets.kind]}
  mse: {node: mass, use: mse, inputs: [outputs, targets.mass]}
  other: {node: fine, use: cross_entropy, inputs: [outputs, b.kind]}
phases:
  one: {kind: train, split: train, batches: {size: 16}, epochs: 1, losses: [late, ce, mse], optimizer: {use: adam}}
  two: {kind: train, split: train, batches: {size: 90, drop_last: true}, epochs: 1, losses: [other],
        optimizer: {use: adam}}
  test: {kind: eval, split: test, losses: [ce, mse]}
"""


def test_mistakes_of_several_sections_are_found_at_once_in_document_order_and_once_each(tmp_path):
    table = rows()
    table[3][0] = "seven"
    (tmp_path / "a.csv").write_text(written(table))
    (tmp_path / "b.csv").write_text(written(rows()))
    found = deep(tmp_path, MANY)
    assert [(item.code, item.path) for item in found if item.is_error] == [
        ("non-numeric-column", "data.a.features.z"),
        ("shape-mismatch", "nodes.wrong"),
        ("wrong-classes", "losses.ce"),
        ("shape-mismatch", "losses.mse"),
        ("no-batch", "phases.two"),
    ]


def test_a_set_that_cannot_be_read_does_not_hide_the_others(tmp_path):
    (tmp_path / "a.csv").write_text("")
    (tmp_path / "b.csv").write_text(written(rows()))
    found = [(item.code, item.path) for item in deep(tmp_path, MANY)]
    assert found == [("unreadable-file", "data.a.source"), ("no-batch", "phases.two")]


def test_a_split_that_fails_does_not_hide_what_does_not_fit(tmp_path):
    text = MANY.replace("splits: {train: 0.7, test: 0.3}", "splits: {train: 0.999, test: 0.001}", 1)
    (tmp_path / "a.csv").write_text(written(rows()))
    (tmp_path / "b.csv").write_text(written(rows()))
    errors = [(item.code, item.path) for item in deep(tmp_path, text) if item.is_error]
    assert errors == [
        ("empty-split", "data.a.splits"),
        ("shape-mismatch", "nodes.wrong"),
        ("wrong-classes", "losses.ce"),
        ("shape-mismatch", "losses.mse"),
        ("no-batch", "phases.two"),
    ]


def test_every_bundled_spec_passes(root):
    for path in sorted((root / "specs").glob("*.yaml")):
        seen = check_deep(check(path))
        assert seen.checked.is_valid, seen.checked.diagnostics
        assert seen.sizes is not None
        assert {item.code for item in seen.checked.diagnostics} <= {"constant-column"}


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Run the command line in an empty folder with a good table."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text(written(rows()))
    (tmp_path / "good.yaml").write_text(SPEC.format(**PARTS))
    (tmp_path / "bad.yaml").write_text(SPEC.format(**{**PARTS, "loss": "mse", "metrics": "[]"}))
    return lambda *args: CliRunner().invoke(app, ["validate", *args])


def test_the_command_ends_with_2_for_errors_and_tells_sizes_for_what_it_could_look_at(cli):
    outcome = cli("good.yaml", "bad.yaml", "--deep")
    assert outcome.exit_code == 2
    assert "good.yaml: valid\n  d: 60 rows" in outcome.stdout
    assert "bad.yaml: valid" not in outcome.stdout
    assert outcome.stdout.count("parameters:") == 1  # what could not be looked at through has no sizes
    assert "error[shape-mismatch]" in outcome.stderr
    assert cli("bad.yaml").exit_code == 0


def test_warnings_alone_end_with_0(cli, root, tmp_path):
    shutil.copy(root / "specs" / "quickstart.yaml", tmp_path)
    outcome = cli("quickstart.yaml", "--deep")
    assert outcome.exit_code == 0
    assert "warning[constant-column]" in outcome.stderr
    assert "parameters: 4,810" in outcome.stdout


def test_json_holds_the_sizes_beside_the_diagnostics(cli):
    document = json.loads(cli("good.yaml", "--deep", "--format", "json").stdout)
    assert document["n_errors"] == 0
    (sizes,) = document["sizes"]
    assert sizes["path"] == "good.yaml"
    assert sizes["data"][0]["n_rows"] == 60
    assert sizes["n_parameters"] == 9
    assert "sizes" not in json.loads(cli("good.yaml", "--format", "json").stdout)


def test_what_plain_checking_refuses_is_not_looked_at(cli, tmp_path):
    (tmp_path / "broken.yaml").write_text("runexp: 1\nname: x\nphasess: {}\n")
    outcome = cli("broken.yaml", "--deep")
    assert outcome.exit_code == 2
    assert "parameters" not in outcome.stdout
