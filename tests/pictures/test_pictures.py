"""Pictures of the graph: as mermaid, in the tree of a plan, and as data in the run folder."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from runexp.api.checking import check
from runexp.api.opening import StoredRun
from runexp.api.running import Place, run
from runexp.cli.app import app

SPEC = """\
runexp: 1
name: pictured
seed: 3
execution: {device: cpu, threads: 1}
data:
  d:
    source: sklearn.datasets.load_digits
    features: {x: pixel_*}
    targets: {kind: target}
    splits: {train: 0.7, val: 0.3}
nodes:
  pca: {inputs: d.x, use: sklearn.decomposition.PCA, with: {n_components: 4}}
  body: {inputs: pca, layers: [torch.nn.Linear: {out_features: 8}, torch.nn.ReLU], freeze: true}
  head: {inputs: body, use: torch.nn.Linear, with: {out_features: 10}}
losses:
  ce: {node: head, use: cross_entropy}
phases:
  reduce: {kind: fit}
  train: {kind: train, epochs: 1, losses: [ce], optimizer: {use: adam}}
"""


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


def plan(spec, *options):
    return CliRunner().invoke(app, ["plan", str(spec), *options])


def test_mermaid_tells_shapes_and_counts_only_where_the_graph_is_built(spec):
    """S-10: after a look at the data and a fit on a few rows."""
    plain, deep = (plan(spec, "--format", "mermaid", *more).stdout for more in ([], ["--deep"]))
    assert 'n1["<b>body</b><br/>Linear, ReLU"]' in plain
    assert "rows" not in plain
    assert 'd0[("d.x<br/>#40;rows, 64#41;")]' in deep
    assert 'n0(["<b>pca</b><br/>PCA<br/>#40;rows, 4#41;"])' in deep
    assert 'n1["<b>body</b><br/>Linear, ReLU<br/>#40;rows, 8#41; · 40 parameters"]' in deep
    assert 'n2["<b>head</b><br/>Linear<br/>#40;rows, 10#41; · 90 parameters"]' in deep
    arrows = [line for line in deep.splitlines() if "->" in line]
    assert arrows == [line for line in plain.splitlines() if "->" in line]
    assert deep.splitlines()[-1] == "  class n1 frozen"


def test_the_tree_tells_them_too(spec):
    """S-10."""
    text = plan(spec, "--deep").stdout
    assert "head  ← body · module · (rows, 10) · 90 parameters" in text
    assert json.loads(plan(spec, "--deep", "--format", "json").stdout)["graph"]["n_parameters"] == 130


def test_what_building_finds_wrong_is_told_instead_of_a_picture(spec):
    """S-10."""
    spec.write_text(SPEC.replace("n_components: 4", "n_components: 400"))
    found = plan(spec, "--deep", "--format", "mermaid")
    assert found.exit_code == 2
    assert found.stdout == ""
    assert "n_components" in found.stderr


def test_a_run_leaves_its_graph_as_data(spec, tmp_path):
    """S-44: with what is known once its estimators are fitted; read without torch."""
    run(check(spec), Place(at=tmp_path / "run"), watch=lambda live: ())
    graph = StoredRun(tmp_path / "run").graph
    nodes = {node["name"]: node for node in graph["nodes"]}
    assert [*nodes] == ["d.x", "d.kind", "pca", "body", "head", "ce"]
    assert nodes["pca"]["shape"] == [None, 4]
    assert nodes["body"]["calls"][0] == {"use": "torch.nn.Linear", "with": {"out_features": 8}}
    assert (nodes["body"]["n_parameters"], nodes["body"]["is_frozen"]) == (40, True)
    assert graph["n_parameters"] == 130
    names = {node["id"]: node["name"] for node in graph["nodes"]}
    assert [(names[edge["from"]], names[edge["to"]], edge["is_judged"]) for edge in graph["edges"]] == [
        ("d.x", "pca", False),
        ("pca", "body", False),
        ("body", "head", False),
        ("head", "ce", True),
        ("d.kind", "ce", True),
    ]
