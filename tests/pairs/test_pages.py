"""What a spec with pairs and joins looks like in `plan`, `preview`, the run folder and the checks."""

from __future__ import annotations

import json
from textwrap import indent

import pytest
from typer.testing import CliRunner

from pairs.points import HEAD, NEAR, labelled, write_points
from runexp.cli.app import app


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_points(tmp_path)
    (tmp_path / "near.csv").write_text(labelled())
    (tmp_path / "spec.yaml").write_text(HEAD.format(near=indent(NEAR, "    ")))
    return tmp_path / "spec.yaml"


def called(*args):
    ended = CliRunner(env={"COLUMNS": "100"}).invoke(app, [str(arg) for arg in args])
    return ended.exit_code, [" ".join(line.split()) for line in ended.stdout.splitlines()], ended.stderr


def test_a_preview_shows_the_block_of_a_batch_and_leaves_nothing(spec):
    before = sorted(spec.parent.iterdir())
    code, lines, _ = called("preview", spec, "--phase", "train", "--epochs", "1")
    assert code == 0
    assert "near batch x batch float32" in lines
    assert any("pairwise_distance() same.outputs, near" in line for line in lines)
    assert sorted(spec.parent.iterdir()) == before


def test_a_plan_shows_the_matrix_below_its_rows(spec):
    code, lines, _ = called("plan", spec)
    assert code == 0
    assert any("pairs near csv near.csv · rows matched by the tag id · full, diagonal 0" in line for line in lines)
    code, lines, _ = called("plan", spec, "--format", "mermaid")
    assert 'd1[("near")]' in lines


def test_a_run_keeps_the_fingerprint_of_the_matrix(spec):
    assert called("run", spec, "--run-dir", "kept")[0] == 0
    kept = [path.read_text() for path in (spec.parent / "kept").glob("*.json")]
    found = [json.loads(text)["sources"] for text in kept if "sources" in json.loads(text)]
    assert any("near" in fingerprints for fingerprints in found)


def test_a_matrix_that_no_loss_names_is_unused(spec):
    text = spec.read_text().replace(
        "use: pairwise_distance, inputs: [outputs, near]", "use: mse, inputs: [outputs, points.x]"
    )
    spec.write_text(text)
    assert "no phase uses `data.near`" in called("validate", spec)[2]
