"""S-01: a labelled table of rows in three domains, checked once, when it is made."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from data.plans import build, csv_file, features, made, parquet_file, plan, tag, target
from runexp.diagnostics import SpecError

TABLE = "a,b,n,word,day\n1,0.5,3,blue,2024-01-02\n2,1.5,4,red,2024-01-01\n3,2.5,5,blue,2024-01-03\n"


def test_columns_are_stacked_in_the_order_of_patterns_then_of_the_source(tmp_path):
    rows = build(plan(csv_file(tmp_path, "x2,x1,y,x0\n2,1,9,0\n"), features("y", "x*")))
    assert rows.raw("x").tolist() == [[9, 2, 1, 0]]


def test_no_column_is_gathered_twice_into_a_key(tmp_path):
    rows = build(plan(csv_file(tmp_path, TABLE), features("b", "?", "a")))
    assert rows.raw("x").tolist()[0] == [0.5, 1, 3]


def test_one_named_column_gives_a_column_for_features_and_a_row_of_numbers_for_targets_and_tags(tmp_path):
    keys = (features("a"), target("b"), tag("n"), target("b*", name="wild"))
    rows = build(plan(csv_file(tmp_path, TABLE), *keys))
    assert [rows.shape_of(name) for name in rows.keys] == [(1,), (), (), (1,)]
    assert [rows.domain_of(name) for name in rows.keys] == ["features", "targets", "tags", "targets"]


def test_types_follow_the_domain_unless_written(tmp_path):
    keys = (
        features("a"),
        features("a", name="wide", dtype="float64"),
        target("n"),
        target("b", name="r"),
        tag("n"),
    )
    rows = build(plan(csv_file(tmp_path, TABLE), *keys, tag("day", name="d"), tag("word", name="w")))
    types = [rows.dtype_of(name).name for name in ("x", "wide", "y", "r", "t")]
    assert types == ["float32", "float64", "int64", "float32", "int64"]
    assert rows.dtype_of("d").kind == "M"
    assert rows.raw("w").tolist() == ["blue", "red", "blue"]


def test_a_text_target_is_coded_in_sorted_order_and_its_labels_are_kept(tmp_path):
    rows = build(plan(csv_file(tmp_path, TABLE), features("a"), target("word")))
    assert rows.raw("y").tolist() == [0, 1, 0]
    assert rows.classes("y") == ("blue", "red")
    assert rows.classes("x") == ()
    assert rows.dtype_of("y") == np.int64


def test_a_bool_target_is_a_whole_number(tmp_path):
    rows = build(plan(csv_file(tmp_path, "a,ok\n1,true\n2,false\n"), features("a"), target("ok")))
    assert rows.raw("y").tolist() == [1, 0]
    assert rows.dtype_of("y") == np.int64


def test_rows_take_the_shape_that_is_asked_for():
    digits = build(plan(made("load_digits"), features("pixel_*", shape=(1, 8, 8))))
    flat = build(plan(made("load_digits"), features("pixel_*")))
    assert digits.raw("x").shape == (1797, 1, 8, 8)
    assert np.array_equal(digits.raw("x").reshape(1797, 64), flat.raw("x"))


def test_rows_are_numbered_where_the_source_has_no_ids_and_named_by_the_tag_id_where_it_has(tmp_path):
    source = csv_file(tmp_path, TABLE.replace("word", "id").replace("blue,2024-01-03", "green,2024-01-03"))
    assert build(plan(source, features("a"))).ids.tolist() == [0, 1, 2]
    assert build(plan(source, features("a"), tag("id", name="id"))).ids.tolist() == ["blue", "red", "green"]


def test_list_and_tensor_columns_are_an_array_a_row(tmp_path):
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(12.0).reshape(2, 2, 3))
    columns = {
        "fixed": pa.array([[1, 2], [3, 4]], pa.list_(pa.float32(), 2)),
        "lists": pa.array([[[1, 2]], [[3, 4]]]),
        "tensor": tensors,
    }
    keys = (
        features("fixed"),
        features("lists", name="l"),
        features("tensor", name="t"),
        features("[fl]*d", name="p"),
    )
    rows = build(plan(parquet_file(tmp_path, columns), *keys))
    assert rows.raw("x").tolist() == [[1, 2], [3, 4]]
    assert rows.raw("l").tolist() == [[[1, 2]], [[3, 4]]]
    assert np.array_equal(rows.raw("t"), np.arange(12.0).reshape(2, 2, 3))
    assert rows.shape_of("p") == (1, 2)


def test_decimals_halves_dictionaries_and_large_text_are_read(tmp_path):
    columns = {
        "dec": pa.array([Decimal("1.25"), Decimal("2.50")]),
        "half": pa.array(np.array([0.5, 2], np.float16)),
        "cat": pa.array(["u", "v"]).dictionary_encode(),
        "big": pa.array(["p", "q"], pa.large_string()),
        "view": pa.array(["p", "q"]).cast(pa.string_view()),
    }
    rows = build(plan(parquet_file(tmp_path, columns), features("dec", "half"), target("cat"), tag("big", "view")))
    assert rows.raw("x").tolist() == [[1.25, 0.5], [2.5, 2]]
    assert rows.classes("y") == ("u", "v")
    assert rows.raw("t").tolist() == [["p", "p"], ["q", "q"]]


@pytest.mark.parametrize(
    ("function", "arguments", "columns", "n_rows"),
    [
        ("load_iris", {}, ("sepal length (cm)", "target"), 150),
        ("load_wine", {}, ("alcohol", "target"), 178),
        ("load_breast_cancer", {}, ("mean radius", "target"), 569),
        ("load_diabetes", {}, ("bmi", "target"), 442),
        ("load_linnerud", {}, ("Chins", "Weight"), 20),
        ("load_digits", {"n_class": 3}, ("pixel_7_7", "target"), 537),
        ("make_classification", {"n_samples": 30}, ("x19", "target"), 30),
        ("make_regression", {"n_samples": 30, "n_targets": 2}, ("x0", "target_1"), 30),
        ("make_blobs", {"n_samples": 30, "return_centers": True}, ("x1", "target"), 30),
    ],
)
def test_bundled_sets_and_generators_name_their_columns(function, arguments, columns, n_rows):
    rows = build(plan(made(function, **arguments), features(columns[0]), target(columns[1])))
    assert rows.n_rows == n_rows


def test_a_generator_obeys_the_seed():
    data = plan(made("make_moons", n_samples=50, noise=0.1), features("x*"))
    assert np.array_equal(build(data, seed=3).raw("x"), build(data, seed=3).raw("x"))
    assert build(data, seed=3).fingerprint != build(data, seed=4).fingerprint
    fixed = plan(made("make_moons", n_samples=50, random_state=0), features("x*"))
    assert build(fixed, seed=3).fingerprint == build(fixed, seed=4).fingerprint


def test_the_fingerprint_follows_the_content_of_a_file(tmp_path):
    first = build(plan(csv_file(tmp_path, TABLE), features("a"))).fingerprint
    again = build(plan(csv_file(tmp_path, TABLE, "copy.csv"), features("a"))).fingerprint
    other = build(plan(csv_file(tmp_path, TABLE.replace("2.5", "2.6")), features("a"))).fingerprint
    assert first == again != other


def test_relative_paths_start_from_the_folder(tmp_path):
    csv_file(tmp_path, TABLE)
    source = csv_file(tmp_path, TABLE)
    relative = type(source)("csv", "table.csv", None, source.origin)
    assert build(plan(relative, features("a")), folder=tmp_path).n_rows == 3


def test_what_is_handed_out_cannot_be_written_to(tmp_path):
    rows = build(plan(csv_file(tmp_path, TABLE), features("a")))
    with pytest.raises(ValueError, match="read-only"):
        rows.raw("x")[0] = 7


def test_a_tensor_is_made_once_for_a_device_and_is_contiguous():
    rows = build(plan(made("load_digits"), features("pixel_*", shape=(8, 8)), target("target")))
    first = rows.tensor("x", "cpu")
    assert first is rows.tensor("x", "cpu")
    assert first.is_contiguous()
    assert first.shape == (1797, 8, 8)
    assert np.array_equal(first.numpy(), rows.array("x"))
    assert str(rows.tensor("y", "cpu").dtype) == "torch.int64"


def test_text_does_not_become_a_tensor(tmp_path):
    rows = build(plan(csv_file(tmp_path, TABLE), features("a"), tag("word")))
    with pytest.raises(SpecError) as caught:
        rows.tensor("t", "cpu")
    assert [found.code for found in caught.value.diagnostics] == ["non-numeric-column"]


def test_the_summary_describes_every_key_as_it_was_read(tmp_path):
    rows = build(plan(csv_file(tmp_path, "a,b,word\n1,,u\n3,2,\n"), features("a"), tag("b"), tag("word", name="w")))
    assert [tuple(row[:8]) for row in rows.summary()] == [
        ("x", "features", (1,), "float32", 1.0, 3.0, 2.0, 0),
        ("t", "tags", (), "float64", 2.0, 2.0, 2.0, 1),
        ("w", "tags", (), "<U1" if rows.dtype_of("w").name == "<U1" else "str32", None, None, None, 1),
    ]
