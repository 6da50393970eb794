"""A streamed feature set holds what the same set in memory holds: splits, types, classes, transforms, membership."""

from __future__ import annotations

import io

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from runexp.diagnostics import SpecError
from runexp.runtime.data import membership
from runexp.runtime.data.shares import counts_of
from runexp.runtime.streaming import dividing
from streaming.streams import held, streamed, table, whole, write

X = "source: rows.parquet\nfeatures: {x: x*}\ntargets: {y: y}\ntags: {row: row}\n"
SPLITS = {
    "shares": "splits: {train: 0.7, val: 0.2, test: 0.1}",
    "column": "splits: {column: part}",
    "order of the rows": "splits: {train: 0.7, test: 0.3, order: true}",
    "order of a column": "splits: {train: 0.7, test: 0.3, order: x1}",
    "conditions": "splits: {where: {low: {x0: {lt: 0}, kind: {in: [0, 2]}}, high: {x0: {ge: 0}}}}",
    "overlapping conditions": "splits: {allow_overlap: true, where: {a: {kind: {ge: 1}}, b: {kind: {ge: 2}}}}",
    "none": "",
}
TRANSFORMS = {
    "standard": "{on: x, use: standard_scaler}",
    "minmax": "{on: x, use: sklearn.preprocessing.MinMaxScaler}",
    "maxabs": "{on: x, use: sklearn.preprocessing.MaxAbsScaler, fit_on: val}",
    "stateless": "{on: x, use: sklearn.preprocessing.Normalizer}",
    "twice": "{on: x, use: standard_scaler}, {on: x, use: sklearn.preprocessing.MinMaxScaler}",
    "wider": "{on: x, use: sklearn.preprocessing.PolynomialFeatures, with: {degree: 2}}",
    "of a target": "{on: y, use: standard_scaler}",
}


@pytest.mark.parametrize("splits", SPLITS.values(), ids=SPLITS)
def test_splits_have_the_rows_they_have_in_memory(tmp_path, splits):
    """S-05."""
    write(tmp_path / "rows.parquet", 333)
    one, other = streamed(tmp_path, X + splits), held(tmp_path, X + splits)
    assert one.stream.counts == {name: len(rows) for name, rows in other.splits.items()}
    for split in other.splits:
        assert torch.equal(whole(one, "row", split), whole(other, "row", split))
        assert torch.equal(whole(one, "x", split), whole(other, "x", split))


def test_the_membership_file_is_that_of_the_set_in_memory(tmp_path):
    write(tmp_path / "rows.parquet", 333)
    data = X.replace("{row: row}", "{id: row}") + SPLITS["overlapping conditions"]
    one, other = (pq.read_table(io.BytesIO(membership([made(tmp_path, data)]))) for made in (streamed, held))
    assert one.equals(other)


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_shares_of_very_many_rows_are_drawn_by_blocks_in_the_same_sizes(tmp_path, monkeypatch, block):
    """A permutation of all rows is not held; the seed still decides, and every row may be anywhere."""
    monkeypatch.setattr(dividing, "_HELD_ALIKE", 10)
    monkeypatch.setattr(dividing, "_BLOCK_ROWS", 50 * block)
    write(tmp_path / "rows.parquet", 1000)
    found = streamed(tmp_path, X + SPLITS["shares"])
    parts = [whole(found, "row", name).tolist() for name in ("train", "val", "test")]
    assert [len(part) for part in parts] == counts_of(1000, [0.7, 0.2, 0.1]).tolist()
    assert sorted(row for part in parts for row in part) == list(range(1000))
    assert max(parts[2]) - min(parts[2]) > 500


def test_several_files_and_what_their_folders_say_are_one_table(tmp_path):
    for index, name in enumerate(["site=1/a", "site=1/b", "site=2/a"]):
        write(tmp_path / f"rows/{name}.parquet", 70, first=100 * index)
    data = "source: rows/\nfeatures: {x: x*}\ntags: {site: site, row: row}\nsplits: {column: site}"
    one, other = streamed(tmp_path, data), held(tmp_path, data)
    assert one.stream.counts == {"1": 140, "2": 70}
    for key in ("x", "site", "row"):
        assert torch.equal(whole(one, key, "1"), whole(other, key, "1"))
    files = "features: {x: x*}\ntags: {row: row}\nsplits: {files: {train: 'rows/site=1/*.parquet', test: rows/site=2}}"
    one, other = streamed(tmp_path, files), held(tmp_path, files)
    assert torch.equal(whole(one, "row", "train"), whole(other, "row", "train"))
    assert one.stream.counts == {"train": 140, "test": 70}


@pytest.mark.parametrize("transforms", TRANSFORMS.values(), ids=TRANSFORMS)
def test_transforms_fitted_as_rows_come_give_what_they_give_in_memory(tmp_path, transforms):
    """S-03."""
    write(tmp_path / "rows.parquet", 333)
    data = f"{X}splits: {{column: part}}\ntransforms: [{transforms}]"
    one, other = streamed(tmp_path, data), held(tmp_path, data)
    for key in ("x", "y"):
        for split in other.splits:
            made, wanted = whole(one, key, split), whole(other, key, split)
            assert made.dtype == wanted.dtype
            assert torch.allclose(made, wanted, rtol=1e-5, atol=1e-6)


def test_components_learned_as_rows_come_keep_the_shape_of_those_in_memory(tmp_path):
    write(tmp_path / "rows.parquet", 333)
    incremental = "{on: x, use: sklearn.decomposition.IncrementalPCA, with: {n_components: 2}}"
    one = streamed(tmp_path, f"{X}splits: {{column: part}}\ntransforms: [{incremental}]")
    other = held(tmp_path, f"{X}splits: {{column: part}}\ntransforms: [{incremental}]")
    assert torch.allclose(whole(one, "x", "val").abs(), whole(other, "x", "val").abs(), atol=0.05)
    assert one.transformers("x")[0].n_samples_seen_ == one.stream.counts["train"]


@pytest.mark.parametrize("how", ["ordinal", "one_hot"])
@pytest.mark.parametrize("column", ["word", "kind"])
def test_categories_are_coded_as_in_memory(tmp_path, how, column):
    write(tmp_path / "rows.parquet", 333)
    data = (
        f"source: rows.parquet\nfeatures: {{c: {{columns: {column}, categorical: {how}, unknown: other}}}}\n"
        "splits: {column: part}"
    )
    one, other = streamed(tmp_path, data), held(tmp_path, data)
    assert torch.equal(whole(one, "c", "test"), whole(other, "c", "test"))
    assert whole(one, "c", "test").dtype == whole(other, "c", "test").dtype


def test_a_category_that_train_lacks_is_refused_where_it_stands(tmp_path):
    """`kind` 3 first stands in row 21, and rows from 0 to 20 are the training rows."""
    write(tmp_path / "rows.parquet", 100, group=10)
    data = (
        "source: rows.parquet\nfeatures: {c: {columns: kind, categorical: ordinal}}\n"
        "splits: {where: {train: {row: {lt: 21}}, test: {row: {ge: 21}}}}"
    )
    features = streamed(tmp_path, data)
    with pytest.raises(SpecError) as caught:
        whole(features, "c", "test")
    (found,) = caught.value.diagnostics
    assert (found.code, found.path) == ("unknown-category", "data.t.features.c")
    assert "`3` in row 21 of `rows.parquet`" in found.message


def test_words_of_a_target_are_numbered_over_all_files(tmp_path):
    pq.write_table(table(60).slice(0, 1), tmp_path / "a.parquet")  # only `ant`
    pq.write_table(table(60).slice(1), tmp_path / "b.parquet")
    data = "source: '*.parquet'\nfeatures: {x: x*}\ntargets: {w: word}"
    one, other = streamed(tmp_path, data), held(tmp_path, data)
    assert one.classes("w") == other.classes("w") == ("ant", "bee", "cat")
    assert torch.equal(whole(one, "w"), whole(other, "w"))


@pytest.mark.parametrize("key", ["{columns: x0, dtype: float64}", "{columns: kind}", "x*"])
def test_types_are_those_of_the_set_in_memory(tmp_path, key):
    write(tmp_path / "rows.parquet", 60)
    data = f"source: rows.parquet\nfeatures: {{x: kind}}\ntargets: {{y: {key}}}\ntags: {{t: {key}}}"
    one, other = streamed(tmp_path, data), held(tmp_path, data)
    for name in ("y", "t"):
        assert (one.shape_of(name), one.dtype_of(name)) == (other.shape_of(name), other.dtype_of(name))
        assert torch.equal(whole(one, name), whole(other, name))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_none_is_found_when_its_row_comes_by(tmp_path, bad):
    rows = table(100)
    values = rows["x1"].to_numpy().copy()
    values[77] = bad
    pq.write_table(rows.set_column(2, "x1", [values]), tmp_path / "rows.parquet", row_group_size=30)
    features = streamed(tmp_path, "source: rows.parquet\nfeatures: {x: x*}")
    with pytest.raises(SpecError) as caught:
        whole(features, "x")
    (found,) = caught.value.diagnostics
    assert found.path == "data.t.features.x"
    assert "row 77" in found.message


def test_files_that_hold_other_columns_are_refused(tmp_path):
    write(tmp_path / "a.parquet", 20)
    pq.write_table(table(20).drop_columns(["x1"]), tmp_path / "b.parquet")
    with pytest.raises(SpecError, match=r"has column `x1` and `b\.parquet` has not"):
        streamed(tmp_path, "source: '*.parquet'\nfeatures: {x: x*}")


def test_a_column_of_words_in_one_file_and_numbers_in_another_is_refused(tmp_path):
    write(tmp_path / "a.parquet", 20)
    words = table(20).drop_columns(["kind"]).append_column("kind", [["one"] * 20])
    pq.write_table(words, tmp_path / "b.parquet")
    with pytest.raises(SpecError, match=r"numbers in `a\.parquet` and text in `b\.parquet`"):
        streamed(tmp_path, "source: '*.parquet'\nfeatures: {x: x0}\ntargets: {y: kind}")
