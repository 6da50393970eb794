"""Joined sets: another set's columns as one's own, matched by an id, and sets side by side put into one order."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runexp.api.checking import check
from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.experiment import Experiment
from runexp.events import PhaseFinished
from runexp.runtime.data import FeatureSet, build_feature_set
from runexp.runtime.torch_runtime import TorchRuntime

VISITS = "id,person,weight,part\n1,ann,70,train\n2,bob,80,train\n3,ann,72,test\n4,eve,60,train\n"
PEOPLE = "name,age,sex,height\neve,20,f,160\nann,30,f,170\nbob,40,m,180\n"
SPEC = """\
runexp: 1
name: visits
seed: 1
execution: {{device: cpu, threads: 1}}
data:
  people:
    source: people.csv
    features: {people}
    tags: {{person: name}}
    {also}
  visits:
    source: visits.csv
    {features}
    targets: {{weight: weight}}
    tags: {{id: id, who: person}}
    join: {join}
    splits: {{column: part}}
nodes: {{line: {{inputs: visits.{fed}, use: linear, with: {{out_features: 1}}}}}}
losses: {{miss: {{node: line, use: mse}}}}
phases: {{train: {{kind: train, epochs: 1, losses: [miss], optimizer: {{use: sgd, with: {{lr: 0.0001}}}}}}}}
"""


def specified(folder, *, visits=VISITS, people_csv=PEOPLE, **parts):
    written = {"people": "{x: [age, height]}", "also": "", "features": "", "join": "{data: people, on: person}"}
    (folder / "visits.csv").write_text(visits)
    (folder / "people.csv").write_text(people_csv)
    (folder / "spec.yaml").write_text(SPEC.format(**{**written, "fed": "x", **parts}))
    return check(folder / "spec.yaml")


def read(folder, **parts) -> FeatureSet:
    checked = specified(folder, **parts)
    assert checked.diagnostics == ()
    return build_feature_set(checked.linked.data[1], seed=1, folder=folder)


def refused(folder, **parts) -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        read(folder, **parts)
    (found,) = caught.value.diagnostics
    return found


def test_the_keys_of_a_joined_set_are_ones_own_row_by_row(tmp_path):
    """S-01: many visits may be of one person."""
    visits = read(tmp_path)
    assert visits.keys == ("weight", "id", "who", "x")
    assert visits.array("x").tolist() == [[30, 170], [40, 180], [30, 170], [20, 160]]
    assert visits.domain_of("x") == "features"


@settings(max_examples=30)
@given(order=st.permutations(range(12)), picks=st.lists(st.integers(0, 11), min_size=1, max_size=20))
def test_a_join_is_the_naive_look_up_whatever_the_order(order, picks):
    """S-01."""
    people = "name,age,sex,height\n" + "".join(f"q{at},{at * 10},f,{at + 100}\n" for at in order)
    visits = "id,person,weight,part\n" + "".join(f"{row},q{at},1,train\n" for row, at in enumerate(picks))
    with tempfile.TemporaryDirectory() as folder:
        found = read(Path(folder), visits=visits, people_csv=people)
    assert found.array("x").tolist() == [[at * 10, at + 100] for at in picks]


def test_columns_of_a_joined_set_can_be_named_and_do_not_answer_to_ones_own_patterns(tmp_path):
    visits = read(
        tmp_path, people="{h: height}", features="features: {all: 'weigh*', mixed: [id, people.age]}", fed="mixed"
    )
    assert visits.array("mixed").tolist() == [[1, 30], [2, 40], [3, 30], [4, 20]]
    assert visits.array("all").tolist() == [[70], [80], [72], [60]]
    everything = read(tmp_path, people="{h: height}", features="features: {n: ['[iw]*', -weight]}", fed="n")
    assert everything.shape_of("n") == (1,)


def test_s03_transforms_and_categories_come_along_and_are_fitted_on_the_rows_of_the_joining_set(tmp_path):
    """S-03: ann counts twice in people's own rows, once among the rows of train."""
    visits = read(
        tmp_path,
        people="{x: [age, height], sex: {columns: sex, categorical: one_hot}}",
        also="transforms: [{on: x, use: standard_scaler}]",
    )
    train = np.array([[30, 170], [40, 180], [20, 160]])
    assert np.allclose(visits.transformers("x")[0].mean_, train.mean(axis=0))
    assert visits.array("sex").tolist() == [[1, 0], [0, 1], [1, 0], [1, 0]]


def test_a_row_without_a_match_is_refused_with_counts_and_ids(tmp_path):
    found = refused(tmp_path, visits=VISITS.replace("eve", "zoe").replace("bob", "rob"))
    assert (found.code, found.path) == ("missing-values", "data.visits.join")
    assert found.message == "`people` has no row for 2 of 4 rows of `visits`: `person` `rob`, `zoe`"
    assert "`missing: mask` at `x`" in found.help


def test_a_row_without_a_match_is_masked_where_missing_values_are(tmp_path):
    visits = read(tmp_path, visits=VISITS.replace("eve", ""), people="{x: {columns: [age, height], missing: mask}}")
    assert visits.array("x")[3].tolist() == [0, 0]
    assert visits.array("x_mask").tolist() == [[1, 1], [1, 1], [1, 1], [0, 0]]


def test_an_id_that_stands_twice_in_the_joined_set_is_refused(tmp_path):
    found = refused(tmp_path, people_csv=PEOPLE + "ann,31,f,171\n")
    assert found.code == "duplicate-id"
    assert "`ann` stands in row 1 (line 3) and row 3 (line 5) of `people.csv`" in found.message


def test_ids_of_which_none_match_are_refused_with_examples_of_both(tmp_path):
    other = refused(tmp_path, people_csv=PEOPLE.replace("ann", "a").replace("bob", "b").replace("eve", "e"))
    assert other.code == "unaligned-data"
    assert "`person` is `ann`, `bob`, `ann`" in other.message


def test_a_column_to_match_by_that_only_one_set_has_is_refused_once(tmp_path):
    (found,) = specified(tmp_path, join="{data: people, on: weight}").diagnostics
    assert (found.code, "`people` has no column `weight`" in found.message) == ("unknown-column", True)
    lines = [{"name": "ann", "age": 1, "height": 2}]
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "people.parquet")
    text = (tmp_path / "spec.yaml").read_text().replace("people.csv", "people.parquet")
    (tmp_path / "spec.yaml").write_text(text)
    with pytest.raises(SpecError, match=r"`people\.parquet` has no column `weight` to match rows by"):
        build_feature_set(check(tmp_path / "spec.yaml").linked.data[1], seed=1, folder=tmp_path)


def test_a_mistake_in_a_transform_that_comes_along_is_told_once(tmp_path):
    (found,) = specified(tmp_path, also="transforms: [{on: x, use: standard_scalar}]").diagnostics
    assert (found.code, found.path) == ("unknown-use", "data.people.transforms[0].use")


def test_a_joined_column_divides_rows(tmp_path):
    """S-05."""
    checked = specified(tmp_path)
    text = (
        (tmp_path / "spec.yaml")
        .read_text()
        .replace(
            "splits: {column: part}", "splits: {where: {train: {people.age: {ge: 30}}, old: {people.age: {lt: 30}}}}"
        )
    )
    (tmp_path / "spec.yaml").write_text(text)
    checked = check(tmp_path / "spec.yaml")
    assert checked.diagnostics == ()
    found = build_feature_set(checked.linked.data[1], seed=1, folder=tmp_path)
    assert {name: rows.tolist() for name, rows in found.splits.items()} == {"train": [0, 1, 2], "old": [3]}


def test_several_sets_may_be_joined(tmp_path):
    (tmp_path / "more.csv").write_text("who,town\nbob,5\nann,3\neve,4\n")
    checked = specified(tmp_path, join="[{data: people, on: person}, {data: towns, on: who}]")
    text = (
        (tmp_path / "spec.yaml")
        .read_text()
        .replace("data:\n", "data:\n  towns: {source: more.csv, features: {town: town}, tags: {whom: who}}\n")
    )
    (tmp_path / "spec.yaml").write_text(text)
    checked = check(tmp_path / "spec.yaml")
    assert checked.diagnostics == ()
    found = build_feature_set(checked.linked.data[2], seed=1, folder=tmp_path)
    assert found.array("town")[:, 0].tolist() == [3, 5, 3, 4]
    assert found.array("x")[:, 0].tolist() == [30, 40, 30, 20]


SIDE_BY_SIDE = """\
runexp: 1
name: two
seed: 1
execution: {{device: cpu, threads: 1}}
data:
  a: {{source: a.csv, features: {{x: x}}, tags: {{{tag}: id}}, splits: {{column: part}}}}
  b: {{source: b.csv, features: {{z: y}}, targets: {{y: y}}, tags: {{{tag}: id}}, splits: {{column: part}}}}
nodes: {{line: {{inputs: a.x, use: linear, with: {{out_features: 1}}, init: {{weight: ones, bias: zeros}}}}}}
losses: {{miss: {{node: line, use: mse, inputs: [outputs, b.y]}}}}
phases: {{test: {{kind: eval, split: test, losses: [miss]}}}}
"""


def side_by_side(folder, order, tag="id"):
    rows = [f"i{at},{at},{'test' if at % 2 else 'train'}" for at in range(10)]
    (folder / "a.csv").write_text("\n".join(["id,x,part", *rows]) + "\n")
    (folder / "b.csv").write_text("\n".join(["id,y,part", *(rows[at] for at in order)]) + "\n")
    (folder / "spec.yaml").write_text(SIDE_BY_SIDE.format(tag=tag))
    checked = check(folder / "spec.yaml").require()
    experiment = Experiment(checked.linked, TorchRuntime(checked.linked, folder=folder))
    events = list(experiment.run())
    if experiment.error:
        raise experiment.error
    return {event.phase: event.metrics["miss"] for event in events if isinstance(event, PhaseFinished)}["test"]


@settings(max_examples=10)
@given(order=st.permutations(range(10)))
def test_sets_side_by_side_are_put_into_one_order_by_their_ids(order):
    """S-01: both have the tag `id`, so that nothing is guessed."""
    with tempfile.TemporaryDirectory() as folder:
        assert side_by_side(Path(folder), order) == pytest.approx(0, abs=1e-12)


def test_sets_side_by_side_without_ids_are_never_moved(tmp_path):
    order = [*range(8), 9, 8]
    with pytest.raises(SpecError) as caught:
        side_by_side(tmp_path, order, tag="name")
    assert caught.value.diagnostics[0].code == "unaligned-data"
