"""S-01, S-03: categories coded as `train` has them, missing values masked or filled; from the text of a spec."""

from __future__ import annotations

import numpy as np
import pytest

from data.plans import misread, miswritten, read, specified
from runexp.api.checking import check
from runexp.api.running import Place, run

TABLE = "c,n,v,y,s\nred,10,1,1,train\nblue,20,,2,train\nred,10,3,3,train\nblue,30,5,4,test\n"
HEAD = "source: t.csv\nsplits: {column: s}\n"


def keys(folder, features, more="", table=TABLE):
    return read(folder, f"{HEAD}features: {features}\n{more}", t__csv=table)


def test_categories_are_coded_in_sorted_order_as_whole_numbers_and_the_words_stay(tmp_path):
    rows = keys(tmp_path, "{x: {columns: c, categorical: ordinal}}")
    assert rows.array("x").tolist() == [[1], [0], [1], [0]]
    assert rows.dtype_of("x") == np.int64
    assert rows.raw("x").tolist() == [["red"], ["blue"], ["red"], ["blue"]]
    assert rows.inverse("x", rows.array("x")).tolist() == rows.raw("x").tolist()


def test_one_hot_categories_have_a_column_each(tmp_path):
    rows = keys(tmp_path, "{x: {columns: c, categorical: one_hot}}")
    assert rows.array("x").tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]
    assert rows.dtype_of("x") == np.float32


def test_several_columns_and_numbers_can_be_categories(tmp_path):
    table = "a,b,s\nu,p,train\nv,q,train\nu,q,test\n"
    rows = keys(tmp_path, "{x: {columns: [a, b], categorical: ordinal}}", table=table)
    assert rows.array("x").tolist() == [[0, 0], [1, 1], [0, 1]]
    rows = keys(tmp_path, "{x: {columns: n, categorical: one_hot, unknown: other}}")
    assert rows.array("x").tolist() == [[1, 0], [0, 1], [1, 0], [0, 0]]


def test_a_category_that_train_does_not_have_is_refused_with_its_row_or_gets_a_code_of_its_own(tmp_path):
    found = misread(tmp_path, f"{HEAD}features: {{x: {{columns: n, categorical: ordinal}}}}", t__csv=TABLE)
    assert found.code == "unknown-category"
    assert found.path == "data.d.features.x"
    assert found.message == "row 3 of `x` has the category `30`, which no row of `train` has"
    rows = keys(tmp_path, "{x: {columns: n, categorical: ordinal, unknown: other}}")
    assert rows.array("x").ravel().tolist() == [0, 1, 0, 2]


def test_a_category_that_is_missing_is_refused(tmp_path):
    data = f"{HEAD}features: {{x: {{columns: c, categorical: ordinal}}}}"
    found = misread(tmp_path, data, t__csv=TABLE.replace("\nblue,20", "\n,20"))
    assert found.code == "missing-values"
    assert "row 1 (line 3)" in found.message


def test_codes_are_learned_on_train_alone(tmp_path):
    rows = keys(
        tmp_path, "{x: {columns: c, categorical: one_hot, unknown: other}}", table=TABLE.replace("blue,3", "g,3")
    )
    assert rows.shape_of("x") == (2,)
    assert rows.array("x")[3].tolist() == [0, 0]


def test_a_transform_after_the_coding_gets_the_codes(tmp_path):
    rows = keys(
        tmp_path,
        "{x: {columns: c, categorical: ordinal, dtype: float32}}",
        "transforms: [{on: x, use: min_max_scaler, with: {feature_range: [-1, 1]}}]",
    )
    assert rows.array("x").ravel().tolist() == [1, -1, 1, -1]


@pytest.mark.parametrize("use", ["one_hot_encoder", "sklearn.preprocessing.OneHotEncoder"])
def test_words_go_through_a_transform_that_codes_them(tmp_path, use):
    rows = keys(tmp_path, "{x: c}", f"transforms: [{{on: x, use: {use}}}]")
    assert rows.array("x").tolist() == [[0, 1], [1, 0], [0, 1], [1, 0]]


def test_words_do_not_go_through_any_other_transform(tmp_path):
    data = f"{HEAD}features: {{x: c}}\ntransforms: [{{on: x, use: standard_scaler}}]"
    assert misread(tmp_path, data, t__csv=TABLE).code == "non-numeric-column"


def test_a_masked_key_is_zero_where_a_value_is_missing_and_its_mask_says_where(tmp_path):
    rows = keys(tmp_path, "{x: {columns: [n, v], missing: mask}}")
    assert rows.array("x").tolist() == [[10, 1], [20, 0], [10, 3], [30, 5]]
    assert rows.array("x_mask").tolist() == [[1, 1], [1, 0], [1, 1], [1, 1]]
    assert [rows.dtype_of(key) for key in ("x", "x_mask")] == [np.float32, np.float32]


def test_a_masked_value_is_no_part_of_what_a_transform_learns_and_is_zero_after_it(tmp_path):
    rows = keys(tmp_path, "{x: {columns: v, missing: mask}}", "transforms: [{on: x, use: standard_scaler}]")
    assert rows.array("x").ravel().tolist() == [-1, 0, 1, 3]
    assert rows.transformers("x")[0].mean_.tolist() == [2]


def test_the_mask_of_a_target_is_a_tag(tmp_path):
    rows = keys(tmp_path, "{x: n}", "targets: {t: {columns: v, missing: mask}}")
    assert rows.domain_of("t_mask") == "tags"
    assert rows.array("t").tolist() == [1, 0, 3, 5]
    assert rows.array("t_mask").tolist() == [1, 0, 1, 1]


def test_missing_values_are_filled_by_a_first_transform_that_imputes(tmp_path):
    rows = keys(
        tmp_path,
        "{x: [n, v]}",
        "transforms: [{on: x, use: simple_imputer}, {on: x, use: min_max_scaler}]",
    )
    assert rows.array("x").tolist() == [[0, 0], [1, 0.5], [0, 1], [2, 2]]
    assert np.isnan(rows.raw("x")[1, 1])
    data = f"{HEAD}features: {{x: v}}\ntransforms: [{{on: x, use: min_max_scaler}}, {{on: x, use: simple_imputer}}]"
    assert misread(tmp_path, data).code == "missing-values"


def test_a_mask_feeds_a_node(tmp_path):
    data = f"{HEAD}features: {{x: {{columns: [n, v], missing: mask}}}}"
    specified(tmp_path, data, t__csv=TABLE)
    spec = tmp_path / "spec.yaml"
    spec.write_text(spec.read_text().replace("inputs: d.x,", "inputs: d.x_mask,"))
    assert run(check(spec), Place(at=tmp_path / "run"), watch=lambda live: ()).status == "completed"


def test_a_mask_has_a_name_that_no_other_key_may_have(tmp_path):
    data = f"{HEAD}features: {{x: {{columns: n, missing: mask}}, x_mask: v}}"
    assert miswritten(tmp_path, data, t__csv=TABLE).code == "name-clash"
