"""`validate --deep` finds what is wrong with the rows, where the spec names them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deep.specs import HEADER, PARTS, SPEC, deep, rows, the_one, tried, written
from runexp.api.checking import check
from runexp.api.deep import check_deep

SOURCE = "data.d.source"
FEATURES = "data.d.features.x"


def changed(column, value, at=slice(None)):
    """The good table with one column set in some rows."""
    table = rows()
    for row in table[at]:
        row[HEADER.split(",").index(column)] = value(row) if callable(value) else value
    return written(table)


def test_a_good_table_and_spec_give_nothing(tmp_path):
    assert tried(tmp_path) == ()


@pytest.mark.parametrize(
    ("table", "code", "path", "says"),
    [
        pytest.param("", "unreadable-file", SOURCE, "is empty", id="empty"),
        pytest.param(f"{HEADER}\n", "empty-source", SOURCE, "a header and no rows", id="header only"),
        pytest.param(f"{HEADER},width\n1,2,3,0,1,2\n", "duplicate-column", SOURCE, "`width` twice", id="duplicate"),
        pytest.param(f"{HEADER}\n1,2,3,0,1\n2,3,1\n", "unreadable-file", SOURCE, "line 3 has 3 values", id="ragged"),
        pytest.param(
            changed("width", "wide", slice(4, 5)), "non-numeric-column", FEATURES, "`wide` in row 4 (line 6)", id="text"
        ),
        pytest.param(
            changed("width", '"1,5"', slice(2, 3)),
            "non-numeric-column",
            FEATURES,
            "`1,5` in row 2 (line 4)",
            id="comma",
        ),
        pytest.param(changed("width", "", slice(3, 4)), "missing-values", FEATURES, "in row 3 (line 5)", id="missing"),
        pytest.param(changed("width", "nan", slice(3, 4)), "missing-values", FEATURES, "row 3 (line 5)", id="nan"),
        pytest.param(
            changed("height", "inf", slice(5, 6)), "non-finite-values", FEATURES, "`height` holds `inf`", id="infinite"
        ),
        pytest.param(
            changed("kind", 1), "one-class-target", "data.d.targets.kind", "of one class, class `1`", id="one class"
        ),
    ],
)
def test_a_damaged_table_is_one_located_mistake(tmp_path, table, code, path, says):
    found = the_one(tried(tmp_path, table), code, path)
    assert says in found.message
    assert found.is_error


def test_text_of_another_encoding_and_nul_are_located(tmp_path):
    table = changed("kind", lambda row: f"k{row[0] % 3}")
    latin = table.replace("k0", "é").encode("latin-1")
    found = the_one(tried(tmp_path, latin), "unreadable-file", "data.d.targets.kind")
    assert "not UTF-8 in row 0 (line 2)" in found.message
    found = the_one(tried(tmp_path, table.replace("k1", "k\0")), "unreadable-file", "data.d.targets.kind")
    assert "a NUL character in row 1 (line 3)" in found.message


@pytest.mark.parametrize("keep", [0.2, 0.97])
def test_a_truncated_parquet_file_is_one_mistake(tmp_path, keep):
    path = parquet(tmp_path, 60)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    the_one(tried(tmp_path, file="table.parquet"), "unreadable-file", SOURCE)


def test_a_target_among_the_features_is_shown_at_both_places(tmp_path):
    parquet(tmp_path, 60)
    found = the_one(
        tried(tmp_path, features="{x: '*i*'}", file="table.parquet"), "target-among-features", "data.d.targets.kind"
    )
    assert "`kind` is the target `kind` and one of the features" in found.message
    assert found.related[0].span.line == 6


def test_a_reconstruction_of_the_features_is_no_leak(tmp_path):
    parts = {"targets": "{kind: [width, height]}", "loss": "mse", "metrics": "[]"}
    node = "{inputs: d.x, use: torch.nn.Linear, with: {out_features: 2}}"
    assert tried(tmp_path, **parts, node=node) == ()


def test_duplicate_ids_are_refused_and_worse_where_they_stand_in_two_splits(tmp_path):
    table = changed("id", 7, slice(9, 10))
    parts = {"tags": "{id: id}"}
    found = the_one(
        tried(tmp_path, table, **parts, splits="{train: 0.5, test: 0.5, order: true}"), "duplicate-id", "data.d.tags.id"
    )
    assert "row 7 (line 9) and row 9 (line 11)" in found.message
    table = changed("id", 7, slice(50, 51))
    found = the_one(
        tried(tmp_path, table, **parts, splits="{train: 0.5, test: 0.5, order: true}"),
        "id-in-two-splits",
        "data.d.tags.id",
    )
    assert "id `7` is in split `train` (row 7 (line 9)) and in `test` (row 50 (line 52))" in found.message


def test_a_constant_column_is_a_warning(tmp_path):
    found = the_one(tried(tmp_path, changed("height", 2.0)), "constant-column", FEATURES)
    assert found.message == "1 of 2 columns of `features.x` is constant: height"
    assert not found.is_error


def test_whole_numbers_that_float32_rounds_are_a_warning_unless_they_are_scaled(tmp_path):
    table = changed("width", lambda row: 123456789 + row[0])
    found = the_one(tried(tmp_path, table), "rounded-values", FEATURES)
    assert "`123456789` in row 0 (line 2)" in found.message
    assert not found.is_error
    assert tried(tmp_path, changed("width", lambda row: 16777216 * (1 + row[0]))) == ()
    scaled = SPEC.format(**PARTS).replace("nodes:", SCALER + "nodes:", 1)
    (tmp_path / "table.csv").write_text(table)
    assert deep(tmp_path, scaled) == ()


SCALER = "    transforms: [{on: x, use: sklearn.preprocessing.StandardScaler}]\n"


def test_a_class_that_the_training_rows_lack_is_an_error_and_one_that_others_lack_a_warning(tmp_path):
    table = written(sorted(rows(), key=lambda row: row[3]))
    splits = "{train: 0.5, test: 0.5, order: true}"
    missing, lacking = tried(tmp_path, table, splits=splits, metrics="[]")
    assert (missing.code, missing.is_error) == ("absent-class", True)
    assert missing.message == "`train` has no row of class `2` of `targets.kind`; other splits have 20"
    assert (lacking.code, lacking.is_error) == ("absent-class", False)
    assert lacking.message == "`test` has no row of class `0` of `targets.kind`, and is judged without"


def test_labels_that_do_not_count_from_0_are_refused_at_the_loss(tmp_path):
    found = the_one(tried(tmp_path, changed("kind", lambda row: row[3] + 1)), "wrong-classes", "losses.judged")
    assert "labels from 1 to 3" in found.message


def test_a_gap_between_labels_is_a_warning(tmp_path):
    node = "{inputs: d.x, use: torch.nn.Linear, with: {out_features: 5}}"
    table = changed("kind", lambda row: 2 * row[3])
    found = the_one(tried(tmp_path, table, node=node), "label-gap", "data.d.targets.kind")
    assert "1, 3 never occurs" in found.message


def test_an_empty_split_is_refused(tmp_path):
    found = the_one(tried(tmp_path, splits="{train: 0.999, test: 0.001}"), "empty-split", "data.d.splits")
    assert "`test` gets no rows of 60" in found.message


def test_a_split_that_the_column_does_not_name_is_refused_at_the_phase(tmp_path):
    table = changed("id", lambda row: "train" if row[0] < 40 else "tset")
    found = the_one(tried(tmp_path, table, splits="{column: id}"), "unknown-split", "phases.test")
    assert "did you mean `tset`?" in found.help


def test_too_few_rows_for_a_full_batch_are_refused(tmp_path):
    the_one(tried(tmp_path, batches="{size: 64, drop_last: true}"), "no-batch", "phases.train")
    assert tried(tmp_path, batches="{size: 42, drop_last: true}") == ()


def test_what_is_wrong_with_a_loss_hides_nothing_of_its_phase(tmp_path):
    found = tried(tmp_path, loss="mse", metrics="[]", batches="{size: 64, drop_last: true}")
    assert [item.code for item in found] == ["shape-mismatch", "no-batch"]


@pytest.mark.usefixtures("small_machine")
def test_a_generator_is_not_asked_for_all_rows_of_a_large_set(tmp_path):
    source = "{use: sklearn.datasets.make_classification, with: {n_samples: 1000000000}}"
    parts = {"file": source, "targets": "{kind: target}", "features": "{x: 'x*'}", "target": "kind"}
    node = "{inputs: d.x, use: torch.nn.Linear, with: {out_features: 2}}"
    assert [item.code for item in tried(tmp_path, **parts, node=node)] == ["too-large"]
    narrow = "{inputs: d.x, use: torch.nn.Linear, with: {out_features: 1}}"
    assert [item.code for item in tried(tmp_path, **parts, node=narrow)] == ["wrong-classes", "too-large"]


def test_a_last_batch_of_one_row_is_refused_where_batches_are_normalised(tmp_path):
    node = "{inputs: d.x, layers: [torch.nn.BatchNorm1d, {torch.nn.Linear: {out_features: 3}}]}"
    the_one(tried(tmp_path, node=node, batches="{size: 41}"), "single-row-batch", "phases.train")
    assert tried(tmp_path, node=node, batches="{size: 21}") == ()


def test_a_column_that_a_parquet_file_lacks_and_one_that_is_no_number_are_found_together(tmp_path):
    columns = {"width": ["a", "b"], "kind": [0, 1], "mass": [1.0, 2.0]}
    pq.write_table(pa.table(columns), tmp_path / "table.parquet")
    found = tried(tmp_path, file="table.parquet", features="{x: width, y: hight, z: mass}", targets="{kind: kind}")
    assert [(item.code, item.path) for item in found if item.is_error and item.path != "data.d.splits"] == [
        ("non-numeric-column", "data.d.features.x"),
        ("unknown-column", "data.d.features.y"),
    ]


def parquet(folder, n):
    path = folder / "table.parquet"
    columns = {name: [row[i] for row in rows(n)] for i, name in enumerate(HEADER.split(","))}
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def small_machine(monkeypatch):
    """A machine of 16 GB."""
    monkeypatch.setattr("runexp.runtime.deep.sizes.memory_of", lambda device: 16 * 10**9)


@pytest.fixture
def small_reads(monkeypatch):
    """Take files of more than 20 kB for large."""
    monkeypatch.setattr("runexp.runtime.deep.sampling.LARGEST_READ", 20_000)
    monkeypatch.setattr("runexp.runtime.data.delimited._HEAD", 20_000)


@pytest.mark.usefixtures("small_reads")
@pytest.mark.parametrize("file", ["table.parquet", "table.csv"])
def test_of_a_large_file_the_first_rows_are_read_and_its_size_is_estimated(tmp_path, file):
    parquet(tmp_path, 9000)
    (tmp_path / "table.csv").write_text(written(rows(9000)))
    (tmp_path / "spec.yaml").write_text(SPEC.format(**{**PARTS, "file": file}))
    seen = check_deep(check(tmp_path / "spec.yaml"))
    assert seen.checked.diagnostics == ()
    (data,) = seen.sizes.data
    assert data.is_estimate
    assert np.isclose(data.n_rows, 9000, rtol=0.01)
    assert len(seen.sizes.notes) == 1


@pytest.mark.usefixtures("small_reads")
def test_splits_that_only_the_whole_of_a_large_file_names_are_not_missed(tmp_path):
    names = ["train" if i < 8000 else "test" for i in range(9000)]
    columns = {"width": np.random.default_rng(0).random(9000), "height": np.arange(9000.0), "kind": np.arange(9000) % 3}
    pq.write_table(pa.table({**columns, "mass": columns["width"], "part": names}), tmp_path / "table.parquet")
    assert tried(tmp_path, file="table.parquet", splits="{column: part}") == ()
