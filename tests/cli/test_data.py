"""`runexp data`: what was read, as a page for people and as JSON for programs."""

from __future__ import annotations

import json

import pytest

from runexp import compile, load
from runexp.results import UnknownNameError

TABLE = "name,age,height,born,kind\nann,31,172,1993-01-02,a\nbob,45,180,1979-05-06,b\neve,,165,1995-07-08,a\n"
SPEC = """\
runexp: 1
name: people
data:
  people:
    source: people.csv
    features:
      x: {columns: [age, height], missing: mask}
      born: {columns: born, dates: [year, month]}
    targets: {kind: kind}
    tags: {id: name}
    splits: {order: true, train: 0.67, test: 0.33}
    transforms: [{on: x, use: standard_scaler}]
  near: {source: near.csv, matrix: {rows: people, id: id, triangle: lower}}
nodes: {net: {inputs: people.x, use: linear, with: {out_features: 2}}}
losses: {apart: {node: net, use: pairwise_distance, inputs: [outputs, near]}}
phases: {train: {kind: train, epochs: 1, losses: [apart], optimizer: {use: adam}}}
"""
NEAR = ",zoe,eve,bob,ann\nzoe,\neve,1,\nbob,2,3,\nann,4,5,6,\n"


@pytest.fixture
def people(tmp_path):
    (tmp_path / "people.csv").write_text(TABLE)
    (tmp_path / "near.csv").write_text(NEAR)
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


def test_a_page_tells_source_splits_keys_and_matrices(cli, people):
    ended = cli("data", people, "--head", "2", COLUMNS="120")
    assert (ended.exit_code, ended.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert lines[:4] == [
        "people 3 rows",
        "source people.csv",
        "splits train 2, test 1",
        "pairs near: near.csv, 4 x 4, 1 id of no row",
    ]
    assert "kind one value int64 a 2, b 1" in lines
    assert "born 2 float32 1 … 1995, mean 996.7" in lines
    assert next(line for line in lines if line.startswith("x 2")).endswith("1 StandardScaler")
    assert lines[-2:] == ["0 31, 172 1, 1 1993, 1 a ann", "1 45, 180 1, 1 1979, 5 b bob"]
    assert "\x1b" not in ended.stdout


@pytest.mark.parametrize("columns", [40, 60, 120])
def test_no_line_is_wider_than_the_terminal(cli, people, columns):
    page = cli("data", people, "--head", "3", COLUMNS=str(columns)).stdout
    assert max(map(len, page.splitlines())) <= columns
    for word in ("near.csv", "StandardScaler", "eve"):
        assert word in page


def test_programs_get_the_same_facts(cli, people):
    (facts,) = json.loads(cli("data", people, "near", "--format", "json").stdout)["data"]
    assert facts["splits"] == {"train": 2, "test": 1}
    keys = {key["name"]: key for key in facts["keys"]}
    assert keys["kind"]["categories"] == {"a": 2, "b": 1}
    assert (keys["x"]["n_missing"], keys["x"]["minimum"], keys["x"]["maximum"]) == (1, 31.0, 180.0)
    assert facts["pairs"][0]["n_surplus"] == 1


def test_a_name_that_is_none_ends_with_2_and_the_nearest(cli, people):
    ended = cli("data", people, "peple")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "did you mean `people`?" in ended.stderr


def test_what_is_wrong_in_the_data_is_shown_where_it_was_written(cli, people, tmp_path):
    (tmp_path / "people.csv").write_text(TABLE.replace("ann,31", "zoe2,31"))
    ended = cli("data", people)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "error[unaligned-data]: `near.csv` lacks 1 of 3 rows, by `id`: `zoe2`" in ended.stderr


def test_python_gets_the_feature_set(people):
    experiment = compile(load(people))
    features = experiment.data("people")
    assert features.filter({"kind": "a"}).ids.tolist() == ["ann", "eve"]
    assert features.pairs["near"].block([0, 2]).tolist() == [[0, 5], [5, 0]]
    with pytest.raises(UnknownNameError, match="did you mean `people`"):
        experiment.data("peple")
