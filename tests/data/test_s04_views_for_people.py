"""S-04: views of keys and of rows that fulfil conditions, and the tables and summaries people read."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.plans import build, csv_file, features, plan, scaled, splits, tag, target
from runexp.diagnostics import SpecError

TABLE = "name,age,weight,size,kind\n" + "".join(
    f"n{at},{at % 5},{at * 1.5},{at * 2},{'big' if at % 3 else 'small'}\n" for at in range(20)
)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    return build(
        plan(
            csv_file(folder, TABLE),
            features("weight", "size", name="x"),
            features("age", name="age"),
            target("kind", name="kind"),
            tag("name", name="id"),
            splits=splits("order", train=0.5, test=0.5),
            transforms=(scaled("x"),),
        )
    )


AGES = st.integers(0, 5)
MASKS = st.lists(st.booleans(), min_size=20, max_size=20)


@given(low=AGES, mask=MASKS, rows=st.lists(st.integers(-1, 19), max_size=25))
def test_filtering_commutes_with_arrays_and_selecting_and_with_itself(people, low, mask, rows):
    where = {"age": {"ge": low}}
    keeps = people.array("age")[:, 0] >= low
    assert np.array_equal(people.filter(where).array("x"), people.array("x")[keeps])
    assert np.array_equal(people.filter(mask).array("x"), people.array("x")[np.array(mask)])
    one, other = people.select("x").filter(where), people.filter(where).select("x")
    assert one.keys == other.keys == ("x",)
    assert np.array_equal(one.rows, other.rows)
    assert np.array_equal(people.filter(where).filter(where).rows, people.filter(where).rows)
    view = people.view(rows)
    expected = [row for row in rows if row >= 0 and keeps[row]]  # a masked row fulfils nothing
    assert view.filter(where).rows.tolist() == expected


def test_conditions_are_those_of_splits_on_what_was_read(people):
    assert people.filter({"kind": "small"}).ids.tolist() == [f"n{at}" for at in range(0, 20, 3)]
    both = people.filter({"kind": {"ne": "small"}, "age": {"in": [1, 2]}})
    assert both.ids.tolist() == [f"n{at}" for at in range(20) if at % 3 and at % 5 in (1, 2)]
    assert people.view("test").filter({"id": {"in": ["n3", "n13"]}}).ids.tolist() == ["n13"]


def test_views_share_what_they_view(people):
    view = people.select(["age"]).filter({"age": 1})
    assert view.source is people
    assert np.shares_memory(view.source.array("age"), people.array("age"))


def test_what_cannot_be_filtered_by_says_so(people):
    with pytest.raises(KeyError):
        people.filter({"agee": 3})
    with pytest.raises(KeyError):
        people.select("agee")
    with pytest.raises(ValueError, match="no comparison is called 'gte'"):
        people.filter({"age": {"gte": 3}})
    with pytest.raises(ValueError, match="one truth value a row"):
        people.filter([True])
    with pytest.raises(SpecError, match="cannot be compared"):
        people.filter({"age": {"ge": "old"}})
    with pytest.raises(SpecError, match="several values a row"):
        people.filter({"x": 3})


def test_an_arrow_table_has_lists_for_arrays_and_words_where_they_were_read(people):
    table = people.to_arrow()
    assert table.column_names == ["x", "age", "kind", "id"]
    assert table["x"].type == pa.list_(pa.float32(), 2)
    assert np.allclose(np.array(table["x"].to_pylist()), people.transformed("x"))
    assert table["kind"].to_pylist() == people.array("kind").tolist()
    raw = people.to_arrow(raw=True)
    assert raw["x"].to_pylist()[1] == [1.5, 2.0]
    assert raw["kind"].to_pylist()[:2] == ["small", "big"]


def test_masked_rows_are_null_and_arrays_of_any_shape_are_nested_lists(tmp_path):
    columns = ",".join(f"c{at}" for at in range(6))
    rows = build(
        plan(
            csv_file(tmp_path, f"{columns}\n1,2,3,4,5,6\n7,8,9,10,11,12\n"),
            features("c*", name="x", shape=(2, 3)),
            tag("c0", name="t"),
        )
    )
    table = rows.view([1, -1]).to_arrow()
    assert table["x"].to_pylist() == [[[7, 8, 9], [10, 11, 12]], None]
    assert table["t"].to_pylist() == [7, None]
    assert table["id"].to_pylist() == [1, None]
    assert rows.view([]).to_arrow().num_rows == 0


def test_a_data_frame_has_the_same_rows(people):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = people.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["id"].tolist() == people.ids.tolist()


def test_the_summary_is_a_table_to_read(people):
    lines = str(people.summary()).splitlines()
    assert lines[0] == "d: 20 rows (train 10, test 10)"
    assert lines[1].split() == ["key", "domain", "shape", "dtype", "values", "missing", "transforms"]
    assert lines[2].split() == ["x", "features", "2", "float32", "0", "…", "38", "StandardScaler"]
    kind = next(row for row in people.summary() if row.key == "kind")
    assert kind.categories == (("big", 13), ("small", 7))
    assert kind.values == "big 13, small 7"
