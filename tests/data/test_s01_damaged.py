"""S-01: what is wrong with a source or its columns is said with file, line and column of the table."""

from __future__ import annotations

import gzip
import os

import pyarrow as pa
import pytest

from data.plans import (
    build,
    csv_file,
    features,
    file,
    made,
    parquet_file,
    plan,
    refused,
    tag,
    target,
    the_one,
)

SOURCE = "data.d.source"
FEATURES = "data.d.features.x"


def test_a_missing_file_is_said_with_the_nearest_name(tmp_path):
    csv_file(tmp_path, "a\n1\n", "wines.csv")
    found = the_one(refused(plan(file(tmp_path / "wine.csv"), features("a"))), "missing-file", SOURCE)
    assert "did you mean `wines.csv`?" in found.help


@pytest.mark.parametrize(
    "name", ["no/such/folder/a.csv", "a\0b.csv", "x" * 5000 + ".csv"], ids=["folder", "nul", "long"]
)
def test_an_impossible_path_is_a_diagnostic(tmp_path, name):
    codes = {found.code for found in refused(plan(file(f"{tmp_path}/{name}"), features("a")))}
    assert codes <= {"missing-file", "unreadable-file"}


def test_a_folder_or_a_pipe_is_not_read(tmp_path):
    (tmp_path / "d.csv").mkdir()
    os.mkfifo(tmp_path / "p.csv")
    for name, what in (("d.csv", "is a folder"), ("p.csv", "is not a regular file")):
        found = the_one(refused(plan(file(tmp_path / name), features("a"))), "unreadable-file", SOURCE)
        assert what in found.message


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        pytest.param("", "unreadable-file", "`table.csv` is empty", id="empty"),
        pytest.param("a,b\n", "empty-source", "a header and no rows", id="header only"),
        pytest.param("a,b\n1,2\n\n3\n4,5\n", "unreadable-file", "line 4 has 1 values", id="short row"),
        pytest.param(
            'a,b\n"1\n1",2\n3,4,5\n',
            "unreadable-file",
            "line 4 has 3 values",
            id="long row after a quoted break",
        ),
        pytest.param("a,b,a\n1,2,3\n", "duplicate-column", "line 1 names column `a` twice", id="duplicate column"),
        pytest.param(b"\xff\xfea\x00,\x00b\x00\n\x001\x00,\x002\x00\n\x00", "unreadable-file", "", id="utf-16"),
        pytest.param("a\0,b\n1,2\n", "unreadable-file", "line 1 holds a NUL", id="nul in the header"),
    ],
)
def test_a_damaged_csv_is_refused_with_its_line(tmp_path, text, code, says):
    found = the_one(refused(plan(csv_file(tmp_path, text), features("a"))), code, SOURCE)
    assert says in found.message


def test_a_truncated_gzip_is_refused(tmp_path):
    packed = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(5000)))
    source = csv_file(tmp_path, packed[: len(packed) // 2], "t.csv.gz")
    the_one(refused(plan(source, features("a"))), "unreadable-file", SOURCE)


def test_compressed_and_tab_separated_files_are_read(tmp_path):
    packed = build(plan(csv_file(tmp_path, gzip.compress(b"a,b\n1,2\n"), "t.csv.gz"), features("*")))
    tabs = build(plan(csv_file(tmp_path, "a\tb\n1\t2\n", "t.tsv"), features("*")))
    assert packed.raw("x").tolist() == tabs.raw("x").tolist() == [[1, 2]]


def test_text_that_is_not_utf8_is_refused_with_its_line(tmp_path):
    source = csv_file(tmp_path, "a,w\n1,x\n2,é\n".encode("latin-1"))
    found = the_one(refused(plan(source, features("a"), tag("w"))), "unreadable-file", "data.d.tags.t")
    assert "column `w` of `table.csv` holds text that is not UTF-8 in row 1 (line 3)" in found.message


def test_a_nul_in_a_text_is_refused_with_its_line(tmp_path):
    source = csv_file(tmp_path, "a,w\n1,x\n2,y\0\n")
    found = the_one(refused(plan(source, features("a"), tag("w"))), "unreadable-file", "data.d.tags.t")
    assert "a NUL character in row 1 (line 3)" in found.message


def test_an_unknown_column_is_said_with_the_nearest_and_those_there_are(tmp_path):
    source = csv_file(tmp_path, "length,width,y\n1,2,3\n")
    diagnostics = refused(plan(source, features("lenght"), target("z*"), tag("yy")))
    assert {(found.code, found.path) for found in diagnostics} == {
        ("unknown-column", FEATURES),
        ("unknown-column", "data.d.targets.y"),
        ("unknown-column", "data.d.tags.t"),
    }
    hint = next(found.help for found in diagnostics if found.path == FEATURES)
    assert hint == "did you mean `length`? columns: length, width, y"


def test_a_word_among_numbers_is_refused_with_row_and_line(tmp_path):
    source = csv_file(tmp_path, "a,b\n1,1\n\nNA,2\noops,3\n")
    found = the_one(refused(plan(source, features("a"))), "non-numeric-column", FEATURES)
    assert "column `a` holds `oops` in row 2 (line 5) of `table.csv`" in found.message


def test_a_word_among_the_numbers_of_a_target_is_no_class(tmp_path):
    source = csv_file(tmp_path, "a,y\n1,1.5\n2,2.5\n3,oops\n")
    found = the_one(refused(plan(source, features("a"), target("y"))), "non-numeric-column", "data.d.targets.y")
    assert "`oops` in row 2 (line 4)" in found.message


def test_a_decimal_comma_is_explained(tmp_path):
    source = csv_file(tmp_path, 'a,b\n"1,5",1\n')
    found = the_one(refused(plan(source, features("a"))), "non-numeric-column", FEATURES)
    assert found.help == "write decimals with a point"


def test_missing_values_are_refused_with_the_first_row_and_how_many(tmp_path):
    source = csv_file(tmp_path, "a,b,y\n1,2,u\n,2,\n3,nan,u\n,5,u\n")
    diagnostics = refused(plan(source, features("*[ab]"), target("y")))
    assert sorted(found.message for found in diagnostics) == [
        "column `a` of `table.csv` has no value in row 1 (line 3) and in 1 other",
        "column `b` of `table.csv` has no value in row 2 (line 4)",
        "column `y` of `table.csv` has no value in row 1 (line 3)",
    ]
    assert {found.code for found in diagnostics} == {"missing-values"}


def test_infinite_values_are_refused(tmp_path):
    source = csv_file(tmp_path, "a,b\n1,2\n3,-inf\n")
    found = the_one(refused(plan(source, features("a", "b"))), "non-finite-values", FEATURES)
    assert "column `b` holds `-inf` in row 1 (line 3)" in found.message


def test_nulls_nans_and_missing_lists_of_a_parquet_file_are_refused(tmp_path):
    columns = {
        "i": pa.array([1, None]),
        "f": pa.array([float("nan"), 1.0]),
        "l": pa.array([None, [1.0, 2.0]]),
        "n": pa.nulls(2),
        "w": pa.array(["u", None]),
    }
    keys = (
        features("i"),
        features("f", name="f"),
        features("l", name="l"),
        features("n", name="n"),
        target("w"),
    )
    diagnostics = refused(plan(parquet_file(tmp_path, columns), *keys))
    assert [found.code for found in diagnostics] == ["missing-values"] * 5
    assert {found.message.split(" has ")[1] for found in diagnostics} == {
        "no value in row 0",
        "no value in row 1",
        "no value in row 0 and in 1 other",
    }


def test_a_broken_file_does_not_flood(tmp_path):
    names = ",".join(f"c{i}" for i in range(40))
    source = csv_file(tmp_path, f"{names}\n{',' * 39}\n")
    assert len(refused(plan(source, features("c*")))) == 5


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        ([1.5, 2.0], "int64"),
        ([0, 2], "bool"),
        ([1, 2**31], "int32"),
        ([1e300, 1.0], "float32"),
        ([2.0**63, 1], "int64"),
    ],
)
def test_a_type_that_cannot_hold_the_values_is_refused(tmp_path, column, dtype):
    source = parquet_file(tmp_path, {"a": column})
    the_one(refused(plan(source, features("a", dtype=dtype))), "lossy-dtype", FEATURES)


def test_lists_of_unequal_length_are_refused_with_the_row(tmp_path):
    source = parquet_file(tmp_path, {"l": [[1, 2], [3, 4], [5]]})
    found = the_one(refused(plan(source, features("l"))), "ragged-shape", FEATURES)
    assert "a list of 1 values where row 0 has 2 in row 2" in found.message


def test_a_shape_that_the_columns_do_not_fill_is_refused():
    found = the_one(refused(plan(made("load_digits"), features("pixel_*", shape=(8, 9)))), "ragged-shape", FEATURES)
    assert found.message == "a row of `x` has 64 values, which do not fill its shape 8x9"


def test_duplicate_ids_are_refused_with_both_rows(tmp_path):
    source = csv_file(tmp_path, "a,s\n1,p\n2,q\n3,p\n")
    found = the_one(refused(plan(source, features("a"), tag("s", name="id"))), "duplicate-id", "data.d.tags.id")
    assert "row 0 (line 2) and row 2 (line 4)" in found.message


def test_every_damaged_byte_of_a_parquet_file_is_found_or_harmless(tmp_path):
    values = [float(i) for i in range(400)]
    source = parquet_file(tmp_path, {"a": values, "w": [f"w{i % 7}" for i in range(400)]})
    whole = (tmp_path / "table.parquet").read_bytes()
    data = plan(source, features("a"), tag("w"))
    good = build(data)
    refusals = 0
    for place in range(0, len(whole), 7):
        (tmp_path / "table.parquet").write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        refusals += _refusal_or_same(data, good)
    assert refusals > len(whole) / 7 / 2


def _refusal_or_same(data, good):
    try:
        rows = build(data)
    except Exception as error:
        assert type(error).__name__ == "SpecError", repr(error)
        assert {found.code for found in error.diagnostics} <= _DAMAGE
        return 1
    assert rows.raw("x").tolist() == good.raw("x").tolist()
    return 0


_DAMAGE = {
    "unreadable-file",
    "unknown-column",
    "empty-source",
    "non-numeric-column",
    "missing-values",
    "lossy-dtype",
}


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, 0.99])
def test_a_truncated_parquet_file_is_refused(tmp_path, keep):
    source = parquet_file(tmp_path, {"a": list(range(1000))})
    path = tmp_path / "table.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(len(whole) * keep)])
    the_one(refused(plan(source, features("a"))), "unreadable-file", SOURCE)


def test_columns_that_are_no_numbers_at_all_are_refused(tmp_path):
    columns = {"s": [{"p": 1}], "b": pa.array([b"\xff"]), "d": pa.array([0], pa.date32())}
    keys = [features(name, name=name) for name in columns]
    diagnostics = refused(plan(parquet_file(tmp_path, columns), *keys))
    assert sorted(found.code for found in diagnostics) == [
        "non-numeric-column",
        "non-numeric-column",
        "unreadable-file",
    ]


@pytest.mark.parametrize("function", ["clear_data_home", "fetch_openml", "load_files", "load_nothing"])
def test_only_the_sets_that_ship_and_the_generators_are_called(function):
    the_one(refused(plan(made(function, data_home="/nonexistent"), features("x"))), "unknown-source", SOURCE)


def test_arguments_a_generator_refuses_are_located():
    found = the_one(refused(plan(made("make_moons", n_samples=-5), features("x*"))), "bad-arguments", SOURCE)
    assert "n_samples" in found.message
    the_one(refused(plan(made("make_moons", n_sample=5), features("x*"))), "bad-arguments", SOURCE)
    the_one(refused(plan(made("load_iris", as_frame=True), features("*"))), "bad-arguments", SOURCE)
    the_one(
        refused(plan(made("make_biclusters", shape=[3], n_clusters=2), features("x*"))),
        "bad-arguments",
        SOURCE,
    )


def test_users_text_does_not_break_a_message(tmp_path):
    source = csv_file(tmp_path, "a\n1\n\x1b[31m[/red]{0}%s" + "z" * 500 + "\n")
    found = the_one(refused(plan(source, features("a"))), "non-numeric-column", FEATURES)
    assert "\x1b" not in found.message
    assert len(found.message) < 200
