"""S-01: one table from every kind of source, and what is wrong with a damaged one, from the text of a spec."""

from __future__ import annotations

import gzip
import io
import os
import sqlite3
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from data.plans import build, features, misread, miswritten, origin, plan, read, refused, specified, tag
from runexp.api.running import Place, run
from runexp.plan.data import SourcePlan

ROWS = [{"a": 1, "b": 0.5, "w": "u"}, {"a": 2, "b": 1, "w": "v"}, {"a": 3, "b": 2.5, "w": "u"}]
LINES = '{"a": 1, "b": 0.5, "w": "u"}\n\n{"a": 2, "b": 1, "w": "v"}\n{"w": "u", "a": 3, "b": 2.5}\n'
KEYS = "features: {x: [a, b]}\ntargets: {y: w}"
VALUES = [[1, 0.5], [2, 1], [3, 2.5]]


def arrow_bytes(kind):
    table, sink = pa.Table.from_pylist(ROWS), io.BytesIO()
    with (pa.ipc.new_file if kind == "file" else pa.ipc.new_stream)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def feather_bytes():
    sink = io.BytesIO()
    pa.feather.write_feather(pa.Table.from_pylist(ROWS), sink, compression="lz4")
    return sink.getvalue()


def npz_bytes(**arrays):
    sink = io.BytesIO()
    np.savez_compressed(sink, **arrays)
    return sink.getvalue()


def npy_bytes(array, **more):
    sink = io.BytesIO()
    np.save(sink, array, **more)
    return sink.getvalue()


def database(folder, name="t.db"):
    with sqlite3.connect(folder / name) as connection:
        connection.execute("create table t (a integer, b real, w text)")
        connection.executemany("insert into t values (:a, :b, :w)", ROWS)
    connection.close()


SQL = '{use: sql, with: {url: "sqlite:///t.db", query: "select a, b, w from t order by a"}}'
NPZ = npz_bytes(a=np.array([1, 2, 3]), b=np.array([0.5, 1, 2.5], ">f4"), w=np.array(["u", "v", "u"]))
FIELDS = np.array([(1, 0.5, b"u"), (2, 1, b"v"), (3, 2.5, b"u")], [("a", "i4"), ("b", "f8"), ("w", "S1")])
FILES = {
    "t.jsonl": LINES,
    "t.jsonl.gz": gzip.compress(LINES.encode()),
    "t.ndjson": LINES.replace("\n", "\r\n"),
    "t.arrow": arrow_bytes("file"),
    "s.arrow": arrow_bytes("stream"),
    "t.feather": feather_bytes(),
    "t.npz": NPZ,
    "t.npy": npy_bytes(FIELDS),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_every_kind_gives_the_same_rows(tmp_path, name):
    rows = read(tmp_path, f"source: {name}\n{KEYS}", **{name: FILES[name]})
    assert rows.raw("x").tolist() == VALUES
    assert rows.raw("y").tolist() == [0, 1, 0]
    assert rows.classes("y") == ("u", "v")
    assert len(rows.fingerprint) == 64


def test_a_query_gives_its_rows_in_its_order_and_their_fingerprint(tmp_path):
    database(tmp_path)
    rows = read(tmp_path, f"source: {SQL}\n{KEYS}")
    assert rows.raw("x").tolist() == VALUES
    backwards = read(tmp_path, f"source: {SQL.replace('order by a', 'order by a desc')}\n{KEYS}")
    assert backwards.raw("x").tolist() == VALUES[::-1]
    again = read(tmp_path, f"source: {SQL.replace('t order', 't where 1 order')}\n{KEYS}")
    assert rows.fingerprint == again.fingerprint != backwards.fingerprint


def test_a_query_cannot_change_the_database_or_make_another(tmp_path):
    database(tmp_path)
    before = (tmp_path / "t.db").read_bytes()
    for query in (
        "delete from t",
        "drop table t",
        f"attach '{tmp_path}/new.db' as n",
        f"vacuum into '{tmp_path}/v.db'",
    ):
        source = f'{{use: sql, with: {{url: "sqlite:///t.db", query: "{query}"}}}}'
        assert misread(tmp_path, f"source: {source}\n{KEYS}").code in {"unreadable-file", "empty-source"}
    assert (tmp_path / "t.db").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spec.yaml", "t.db"]


def test_a_column_of_mixed_types_in_sqlite_is_named_with_its_row(tmp_path):
    database(tmp_path)
    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute("insert into t values ('oops', 1, 'u')")
    connection.close()
    found = misread(tmp_path, f"source: {SQL}\n{KEYS}")
    assert found.code == "non-numeric-column"
    assert "column `a` holds `oops` in row 3 of `the query`" in found.message


def test_another_database_needs_sqlalchemy_and_its_password_is_not_told(tmp_path):
    source = '{use: sql, with: {url: "nosuchdb://me:hunter2@localhost/d", query: "select 1 as a"}}'
    found = misread(tmp_path, f"source: {source}\nfeatures: {{x: a}}")
    assert found.code in {"unknown-source", "unreadable-file"}
    assert "hunter2" not in found.message


@pytest.mark.parametrize(
    ("written", "code", "says"),
    [
        ('{use: sql, with: {url: "sqlite:///none.db", query: "select 1"}}', "missing-file", "no database `none.db`"),
        ("{use: sql, with: {url: t.db, query: select 1}}", "bad-value", "names no database"),
        ('{use: sql, with: {url: "sqlite:///t.db"}}', "missing-parameter", "query"),
        ('{use: sql, with: {url: "sqlite:///t.db", query: select 1, qeury: a}}', "unknown-parameter", "qeury"),
        ("t.db", "unknown-use", "is a database"),
        ("no_*.csv", "missing-file", "no file matches"),
        ("~/t.csv", "missing-file", "no file `~/t.csv`"),
        ("parts/", "missing-file", "no file `parts/`"),
        ("s3://bucket/t.csv", "not-yet-supported", "this kind of source"),
    ],
)
def test_what_is_no_source_is_found_before_anything_is_read(tmp_path, written, code, says):
    database(tmp_path)
    found = miswritten(tmp_path, f"source: {written}\n{KEYS}")
    assert found.code == code
    assert says in found.message


@pytest.mark.parametrize(
    ("name", "content"), [("t.csv", "a,b\n1,2\n"), ("t.jsonl", LINES), ("t.npz", NPZ), ("t.txt", "one\ntwo\n")]
)
def test_a_column_that_a_file_lacks_is_found_by_validate(tmp_path, name, content):
    found = miswritten(tmp_path, f"source: {name}\nfeatures: {{x: height}}", **{name: content})
    assert found.code == "unknown-column"
    assert "no column `height`" in found.message


def test_text_is_a_row_for_each_line(tmp_path):
    source = SourcePlan("text", "t.txt", None, origin("data.d.source"))
    (tmp_path / "t.txt").write_bytes("eins\r\nzwei\n\nfünf".encode())
    assert build(plan(source, tag("text")), folder=tmp_path).raw("t").tolist() == ["eins", "zwei", "", "fünf"]
    (tmp_path / "t.txt").write_bytes(b"one\n\xff\n")
    assert "line 2 is not UTF-8" in refused(plan(source, tag("text")), folder=tmp_path)[0].message


@pytest.mark.parametrize(
    ("name", "content", "code", "says"),
    [
        pytest.param("t.jsonl", "", "unreadable-file", "is empty", id="empty lines"),
        pytest.param("t.jsonl", '{"a": 1}\n\n{"a": 2', "unreadable-file", "line 3 is not JSON", id="cut line"),
        pytest.param("t.jsonl", '{"a": 1}\n[2]\n', "unreadable-file", "line 2 is a list and not", id="a list"),
        pytest.param(
            "t.jsonl",
            '{"a": 1}\n{"a": "x"}\n',
            "unreadable-file",
            "line 2 has text for `a`, which is a number in line 1",
            id="another kind",
        ),
        pytest.param("t.jsonl", '{"a": 1}\n\n{"b": 2}\n', "missing-values", "in row 1 (line 3)", id="lacking key"),
        pytest.param("t.arrow", b"ARROW1\0\0junk", "unreadable-file", "cannot be read", id="junk arrow"),
        pytest.param("t.arrow", arrow_bytes("file")[:-40], "unreadable-file", "cannot be read", id="cut arrow"),
        pytest.param("t.npz", NPZ[: len(NPZ) // 2], "unreadable-file", "cannot be read", id="cut npz"),
        pytest.param("t.npz", b"no zip", "unreadable-file", "pickled", id="no zip"),
        pytest.param(
            "t.npz", npz_bytes(a=np.arange(3), b=np.arange(4)), "ragged-shape", "`a` has 3 and `b` has 4", id="uneven"
        ),
        pytest.param("t.npz", npz_bytes(a=np.array(3)), "ragged-shape", "has no rows", id="a single value"),
        pytest.param("t.npz", npz_bytes(a=np.empty(0)), "empty-source", "has no rows", id="no rows"),
        pytest.param("t.npz", npz_bytes(a=np.array([1, "x"], object)), "unreadable-file", "never loaded", id="pickle"),
        pytest.param("t.npz", npz_bytes(a=np.array([1j])), "non-numeric-column", "not a number", id="complex"),
    ],
)
def test_a_damaged_file_is_refused_with_its_place(tmp_path, name, content, code, says):
    found = misread(tmp_path, f"source: {name}\nfeatures: {{x: a}}", **{name: content})
    assert found.code == code
    assert says in found.message


def test_arrays_of_several_axes_are_an_array_a_row(tmp_path):
    images = np.arange(24.0).reshape(2, 3, 4)
    rows = read(tmp_path, "source: t.npy\nfeatures: {x: values}", **{"t.npy": npy_bytes(images)})
    assert np.array_equal(rows.raw("x"), images)
    rows = read(tmp_path, "source: t.npz\nfeatures: {x: images}", **{"t.npz": npz_bytes(images=images)})
    assert np.array_equal(rows.raw("x"), images)


def parts(folder, **tables):
    (folder / "parts").mkdir()
    for name, text in tables.items():
        (folder / "parts" / f"{name}.csv").write_text(text)


def test_many_files_are_one_table_in_the_order_of_their_names(tmp_path):
    parts(tmp_path, b="a,b,w\n2,1,v\n3,2.5,u\n", a="w,b,a\nu,0.5,1\n")
    rows = read(tmp_path, f"source: parts/*.csv\n{KEYS}")
    assert rows.raw("x").tolist() == VALUES
    assert rows.classes("y") == ("u", "v")
    first = rows.fingerprint
    (tmp_path / "parts" / "b.csv").write_text("a,b,w\n2,1,v\n3,2.25,u\n")
    assert read(tmp_path, f"source: parts/*.csv\n{KEYS}").fingerprint != first


def test_a_file_among_many_that_has_no_value_in_a_column_goes_with_the_others(tmp_path):
    parts(tmp_path, a="a,w\n1,u\n", b="a,w\n2,\n")
    rows = read(tmp_path, "source: parts/*.csv\nfeatures: {x: a}\ntags: {t: w}")
    assert rows.raw("t").tolist() == ["u", ""]


@pytest.mark.parametrize(
    ("second", "code", "says"),
    [
        ("a,b,w,z\n2,1,v,0\n", "mixed-columns", "`b.csv` has column `z` and `a.csv` has not"),
        ("a,w\n2,v\n", "mixed-columns", "`a.csv` has column `b` and `b.csv` has not"),
        ("a,b,w\n1,1,u\n\noops,1,v\n", "mixed-columns", "`a` holds numbers in `a.csv` and text in `b.csv`"),
        ("a,b,w\n1,1,u\n,1,v\n", "missing-values", "in row 1 (line 3) of `b.csv`"),
        ("", "unreadable-file", "`b.csv` is empty"),
    ],
)
def test_a_file_that_does_not_go_with_the_others_is_named(tmp_path, second, code, says):
    parts(tmp_path, a="a,b,w\n1,0.5,u\n", b=second)
    found = misread(tmp_path, f"source: parts/*.csv\n{KEYS}")
    assert found.code == code
    assert says in found.message


def test_a_partitioned_folder_has_the_columns_its_folders_name(tmp_path):
    for year, city, value in ((2021, "Köln", 3.0), (2020, "a b", 1.0), (2020, "Köln", 2.0)):
        folder = tmp_path / "t" / f"year={year}" / f"city={city.replace(' ', '%20')}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"v": [value]}), folder / "part-0.parquet")
        (folder / "_SUCCESS").touch()
    (tmp_path / "t" / "_temporary").mkdir()
    (tmp_path / "t" / "_temporary" / "half.parquet").write_bytes(b"PAR1")
    data = "features: {x: [v, year]}\ntags: {c: city}\nsplits: {train: 0.5, test: 0.5, group_by: city}"
    rows = read(tmp_path, f"source: t/\n{data}")
    found = {(*row, city) for row, city in zip(rows.raw("x").tolist(), rows.raw("c").tolist(), strict=True)}
    assert found == {(1, 2020, "a b"), (2, 2020, "Köln"), (3, 2021, "Köln")}
    assert read(tmp_path, f"source: t/year=2020/*/*.parquet\n{data}".replace("year]", "v]")).n_rows == 2


def test_more_files_are_read_than_can_be_open_at_once(tmp_path):
    resource = pytest.importorskip("resource")
    (tmp_path / "t").mkdir()
    for index in range(80):
        pq.write_table(pa.table({"v": [float(index)]}), tmp_path / "t" / f"{index:03}.parquet")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 40, hard))
    try:
        rows = read(tmp_path, "source: t\nfeatures: {x: v}")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert rows.raw("x").ravel().tolist() == list(range(80))


def test_a_device_or_a_pipe_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "p.jsonl")
    for name in ("p.jsonl", "/dev/zero"):
        assert miswritten(tmp_path, f"source: {name}\n{KEYS}").code in {"missing-file", "unknown-use"}
    source = SourcePlan("json_lines", "p.jsonl", None, origin("data.d.source"))
    assert "not a regular file" in refused(plan(source, features("a")), folder=tmp_path)[0].message


def test_a_generator_is_called_with_its_arguments(tmp_path):
    data = "source: {use: sklearn.datasets.make_moons, with: {n_samples: 40, noise: 0.1}}\nfeatures: {x: 'x*'}"
    assert read(tmp_path, data).raw("x").shape == (40, 2)


def test_dates_of_json_are_times(tmp_path):
    lines = '{"a": 1, "d": "2024-01-02"}\n{"a": 2, "d": "2024-01-01"}\n'
    data = "source: t.jsonl\nfeatures: {x: a}\ntags: {d: d}\nsplits: {train: 0.5, test: 0.5, order: d}"
    rows = read(tmp_path, data, **{"t.jsonl": lines})
    assert rows.raw("d").astype("datetime64[D]").tolist() == [date(2024, 1, 2), date(2024, 1, 1)]
    assert rows.splits["train"].tolist() == [1]


@pytest.mark.parametrize("source", [*FILES, "sql"])
def test_a_run_reads_a_source_of_every_kind(tmp_path, source):
    database(tmp_path)
    written = SQL if source == "sql" else source
    checked = specified(tmp_path, f"source: {written}\n{KEYS}", **({source: FILES[source]} if source in FILES else {}))
    assert run(checked, Place(at=tmp_path / "run"), watch=lambda live: ()).status == "completed"
