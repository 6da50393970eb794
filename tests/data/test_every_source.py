"""Every kind of source, checked with its data and run from the command line."""

from __future__ import annotations

import bz2
import gzip
import json
import sqlite3

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from runexp.api.checking import check
from runexp.api.deep import check_deep
from runexp.api.running import Place, run

N = 24
TABLE = {
    "a": [row / N for row in range(N)],
    "b": [(row * 7 % N) / N for row in range(N)],
    "y": [row % 3 / 2 for row in range(N)],
}
SPEC = """\
runexp: 1
name: any_source
data:
  d: {source: SOURCE, features: {x: [a, b]}, targets: {y: y}, splits: {train: 0.75, test: 0.25}}
nodes:
  net: {inputs: d.x, use: linear, with: {out_features: 1}}
losses: {mse: {node: net, use: mse}}
phases:
  train: {kind: train, epochs: 2, losses: [mse], optimizer: {use: adam}}
  test: {kind: eval, split: test, losses: [mse], metrics: [r2]}
"""


def csv_text(separator=","):
    rows = zip(*TABLE.values(), strict=True)
    return "\n".join([separator.join(TABLE), *(separator.join(map(str, row)) for row in rows), ""])


def csv(folder):
    (folder / "t.csv").write_text(csv_text())
    return "t.csv"


def tsv(folder):
    (folder / "t.tsv").write_text(csv_text("\t"))
    return "t.tsv"


def gzipped(folder):
    (folder / "t.csv.gz").write_bytes(gzip.compress(csv_text().encode()))
    return "t.csv.gz"


def bzipped(folder):
    (folder / "t.csv.bz2").write_bytes(bz2.compress(csv_text().encode()))
    return "t.csv.bz2"


def json_lines(folder):
    rows = [dict(zip(TABLE, row, strict=True)) for row in zip(*TABLE.values(), strict=True)]
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return "t.jsonl"


def parquet(folder):
    pq.write_table(pa.table(TABLE), folder / "t.parquet", row_group_size=5)
    return "t.parquet"


def streamed(folder):
    return parquet(folder) + ", stream: true"


def glob(folder):
    (folder / "parts").mkdir()
    for part in range(3):
        pq.write_table(pa.table(TABLE).slice(part * 8, 8), folder / f"parts/{part}.parquet")
    return '"parts/*.parquet"'


def partitioned(folder):
    for part in range(3):
        (folder / f"parts/part={part}").mkdir(parents=True)
        pq.write_table(pa.table(TABLE).slice(part * 8, 8), folder / f"parts/part={part}/rows.parquet")
    return "parts"


def arrow(folder):
    with pa.ipc.new_file(folder / "t.arrow", pa.table(TABLE).schema) as writer:
        writer.write_table(pa.table(TABLE))
    return "t.arrow"


def feathered(folder):
    feather.write_feather(pa.table(TABLE), folder / "t.feather")
    return "t.feather"


def npz(folder):
    np.savez(folder / "t.npz", **TABLE)
    return "t.npz"


def sqlite(folder):
    with sqlite3.connect(folder / "t.db") as base:
        base.execute("create table t (a real, b real, y real)")
        base.executemany("insert into t values (?, ?, ?)", zip(*TABLE.values(), strict=True))
    return '{use: sql, with: {url: "sqlite:///t.db", query: select * from t}}'


def generator(folder):
    made = "{use: sklearn.datasets.make_regression, with: {n_samples: 24, n_features: 2}}"
    return made + ", features: {x: 'x*'}, targets: {y: target}"


def function(folder):
    (folder / "mine.py").write_text(f"def rows(scale: float):\n    return {TABLE!r} if scale else {{}}\n")
    return "{use: mine.rows, with: {scale: 1.0}}"


SOURCES = [
    csv, tsv, gzipped, bzipped, json_lines, parquet, streamed, glob, partitioned, arrow, feathered, npz, sqlite,
    generator, function,
]  # fmt: skip


@pytest.mark.parametrize("write", SOURCES, ids=lambda write: write.__name__)
def test_a_source_is_checked_and_trained_on(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = SPEC.replace("SOURCE", write(tmp_path))
    if write is generator:
        text = text.replace(", features: {x: [a, b]}, targets: {y: y}", "")
    if write is function:
        text += "imports: [mine]\n"
    (tmp_path / "spec.yaml").write_text(text)
    checked = check("spec.yaml")
    deep = check_deep(checked)
    assert [item.message for item in deep.checked.diagnostics] == []
    ended = run(checked, Place(at=tmp_path / "run"), watch=lambda live: ())
    assert ended.status == "completed"
    assert ended.results.summary()["test"].keys() >= {"loss", "r2"}
