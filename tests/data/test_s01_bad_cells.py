"""S-01: a bad cell is named by its file, its column and its place there, whatever the source."""

from __future__ import annotations

import sqlite3

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from data.test_s01_sources import misread

QUERY = '{use: sql, with: {url: "sqlite:///t.db", query: "select * from t order by y"}}'


def parquet(path, cells):
    pq.write_table(pa.table({"a": cells, "y": range(len(cells))}), path, row_group_size=3)


def sqlite(path, cells):
    with sqlite3.connect(path) as connection:
        connection.execute("create table t(a, y)")
        connection.executemany("insert into t values (?, ?)", zip(cells, range(len(cells)), strict=True))
    connection.close()


def arrays(path, cells):
    np.savez(path, a=np.array(cells))


def objects(path, cells):
    np.savez(path, a=np.array(cells, object))


def arrow(path, cells):
    feather.write_feather(pa.table({"a": cells}), path)


def text(path, lines):
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("name", "write", "cells", "says"),
    [
        ("t.csv", text, ["a,y", "1,1", '"2', '",2', "", "3x,3"], "`3x` in row 2 (line 6) of `t.csv`"),
        ("t.jsonl", text, ['{"a": 1}', "", '{"a": "x"}'], "`t.jsonl` line 3 has text for `a`"),
        ("t.jsonl", text, ['{"a": 1}', "", '{"a": null}'], "`a` of `t.jsonl` has no value in row 1 (line 3)"),
        ("t.parquet", parquet, ["1", "2", "3", "4", "5x", "6"], "`5x` in row 4 (row 1 of row group 1) of"),
        ("t.parquet", parquet, [1.0, None], "`a` of `t.parquet` has no value in row 1"),
        ("t.npz", arrays, [1.0, np.inf], "`inf` in row 1 of `t.npz`"),
        ("t.npz", arrays, [b"1", b"\xff"], "not UTF-8 in row 1"),
        ("t.npz", objects, [1, "x"], "never loaded"),
        ("t.arrow", arrow, [1.0, np.inf], "row 1 of"),
        ("t.db", sqlite, [1, 2, "3x"], "column `a` holds `3x` in row 2 of `the query`"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)  # fmt: skip
def test_a_bad_cell_is_named_by_its_place(tmp_path, name, write, cells, says):
    write(tmp_path / name, cells)
    source = QUERY if name == "t.db" else name
    assert says in misread(tmp_path, f"source: {source}\nfeatures: {{x: a}}").message
