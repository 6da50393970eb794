"""`runexp init --from-data`: what it makes of tables, and that what it drafts runs."""

from __future__ import annotations

import gzip
import math
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from runexp.api.checking import check
from runexp.api.formatting import format_text
from runexp.api.running import Place, run


def table(n_rows=60, **columns):
    """CSV text: two features, and the columns given as functions of the row's number."""
    made = {"a": math.sin, "b b": lambda row: row % 7 / 2, **columns}
    rows = [",".join(str(make(row)) for make in made.values()) for row in range(n_rows)]
    return "\n".join([",".join(made), *rows]) + "\n"


@pytest.fixture
def draft(call, tmp_path):
    """Draft a spec for a CSV text; the spec's text, and the same as plain data."""

    def drafted(text, *options, target="y"):
        (tmp_path / "my table.csv").write_text(text, encoding="utf-8")
        outcome = call("init", "--from-data", "my table.csv", "--target", target, "-o", "s.yaml", *options)
        assert outcome.exit_code == 0, outcome.stderr
        written = (tmp_path / "s.yaml").read_text(encoding="utf-8")
        return written, YAML(typ="safe", pure=True).load(written)

    return drafted


def assert_runs(path, tmp_path):
    """A drafted spec is valid, in our style, and runs a few epochs."""
    checked = check(path, overrides=["phases.train.epochs=1"])
    assert checked.diagnostics == ()
    assert format_text(checked.files[str(path)], str(path)) == checked.files[str(path)]
    finished = run(checked, Place(tmp_path / "runs"), watch=lambda live: ())
    assert finished.status == "completed"
    return finished


SHARED = Path("/work/shared/data")
REAL = [
    pytest.param("sklearn/diabetes.csv", ["--target", "y"], "r2", id="diabetes"),
    pytest.param("sklearn/cancer.csv", ["--target", "y", "--id", "sid"], "accuracy", id="cancer"),
    pytest.param("moving_pictures/sample_metadata.tsv", ["--target", "body-site"], "accuracy", id="moving pictures"),
    pytest.param(
        "moving_pictures/sample_metadata.tsv",
        ["--target", "body-site", "--group", "subject", "--id", "sample-id"],
        "accuracy",
        id="moving pictures by subject",
    ),
]


@pytest.mark.skipif(not SHARED.is_dir(), reason="no folder of shared data sets on this machine")
@pytest.mark.parametrize(("path", "options", "metric"), REAL)
def test_a_real_table_gives_a_spec_that_is_valid_and_runs(call, tmp_path, path, options, metric):
    outcome = call("init", "--from-data", SHARED / path, "-o", "s.yaml", *options)
    assert outcome.exit_code == 0, outcome.stderr
    assert metric in str(assert_runs("s.yaml", tmp_path).results.summary())


TARGETS = [
    pytest.param(lambda row: "ab"[row % 2], "cross_entropy", 2, id="text"),
    pytest.param(lambda row: row % 3, "cross_entropy", 3, id="few whole numbers"),
    pytest.param(lambda row: f"{row % 3}.0", "cross_entropy", 3, id="few whole numbers with a point"),
    pytest.param(lambda row: 1 + row % 3, "cross_entropy", 4, id="classes from 1"),
    pytest.param(lambda row: "true" if row % 2 else "false", "cross_entropy", 2, id="true or false"),
    pytest.param(lambda row: row * 3, "mse", 1, id="many whole numbers"),
    pytest.param(lambda row: row / 7, "mse", 1, id="fractions"),
    pytest.param(lambda row: -1 if row % 2 else 1, "mse", 1, id="negative numbers"),
]


@pytest.mark.parametrize(("target", "loss", "n_outputs"), TARGETS)
def test_the_target_decides_between_classes_and_numbers(draft, tmp_path, target, loss, n_outputs):
    text, spec = draft(table(y=target))
    assert [made["use"] for made in spec["losses"].values()] == [loss]
    assert spec["nodes"]["head"]["with"]["out_features"] == n_outputs
    assert f"# {'Classification' if n_outputs > 1 else 'Regression'} of `y`: it " in text
    assert_runs("s.yaml", tmp_path)


def test_what_is_left_out_is_named_with_its_reason(draft, tmp_path):
    text, spec = draft(
        table(
            y=lambda row: row / 7,
            row_id=lambda row: row,
            word=lambda row: ["x", "y"][row % 2],
            same=lambda row: 4,
            gaps=lambda row: "" if row == 3 else row / 2,
            empty=lambda row: "",
            day=lambda row: f"2024-01-{1 + row % 28:02}",
            fold=lambda row: row % 5,
            endless=lambda row: "inf" if row == 3 else row / 2,
        )
    )
    assert next(iter(spec["data"].values()))["features"]["inputs"] == ["a", "b b"]
    for line in (
        "#   row_id: an id: all values differ",
        "#   word: text, 2 different values: x, y",
        "#   same: the same value in every row",
        "#   gaps: no value in 1 of 60 rows",
        "#   empty: empty",
        "#   day: dates",
        "#   fold: numbers of folds",
        "#   endless: not a number in every row",
    ):
        assert line in text.splitlines()
    assert_runs("s.yaml", tmp_path)


def test_a_column_of_splits_is_taken_by_its_own_words(draft, tmp_path):
    words = ["training", "training", "Valid", "holdout"]
    _, spec = draft(table(y=lambda row: row / 7, part=lambda row: words[row % 4]))
    assert next(iter(spec["data"].values()))["splits"] == {"column": "part"}
    assert spec["callbacks"]["validate"]["split"] == "Valid"
    assert (spec["phases"]["train"]["split"], spec["phases"]["test"]["split"]) == ("training", "holdout")
    assert_runs("s.yaml", tmp_path)


def test_without_rows_to_validate_on_nothing_stops_early(draft, tmp_path):
    _, spec = draft(table(y=lambda row: row / 7, split=lambda row: "test" if row % 4 == 0 else "train"))
    assert "callbacks" not in spec
    assert_runs("s.yaml", tmp_path)


def test_classes_keep_their_proportions_unless_one_is_too_rare(draft, tmp_path):
    _, spec = draft(table(y=lambda row: row % 2))
    assert next(iter(spec["data"].values()))["splits"]["stratify_by"] == "y"
    text, spec = draft(table(y=lambda row: "rare" if row == 0 else "ab"[row % 2]), "--force")
    assert "stratify_by" not in next(iter(spec["data"].values()))["splits"]
    assert "the rarest class has 1 row" in text
    assert_runs("s.yaml", tmp_path)


def test_groups_and_ids_become_tags_and_groups_stay_together(draft, tmp_path):
    rows = table(y=lambda row: row % 2, who=lambda row: f"p{row % 6}", key=lambda row: f"k{row}")
    _, spec = draft(rows, "--group", "who", "--id", "key")
    (data,) = spec["data"].values()
    assert data["splits"] == {"train": 0.7, "val": 0.15, "test": 0.15, "group_by": "who"}
    assert data["tags"] == {"id": "key", "group": "who"}
    assert_runs("s.yaml", tmp_path)


@pytest.mark.parametrize("suffix", [".tsv", ".csv.gz", ".parquet"])
def test_every_kind_of_table_is_read(call, tmp_path, suffix):
    text, path = table(y=lambda row: row % 2), tmp_path / f"t{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.csv.read_csv(pa.BufferReader(text.encode())), path)
    elif suffix == ".tsv":
        path.write_text(text.replace(",", "\t"), encoding="utf-8")
    else:
        path.write_bytes(gzip.compress(text.encode()))
    assert call("init", "--from-data", path.name, "--target", "y").exit_code == 0
    assert_runs("t.yaml", tmp_path)


def test_a_line_of_types_below_the_header_is_no_row(call, tmp_path):
    lines = table(y=lambda row: row % 2).replace(",", "\t").splitlines()
    directive = "\t".join(["#q2:types", "numeric", "numeric"])
    (tmp_path / "m.tsv").write_text("\n".join([lines[0], directive, *lines[1:]]) + "\n", encoding="utf-8")
    assert call("init", "--from-data", "m.tsv", "--target", "y").exit_code == 0
    assert ": 60 rows, 2 features." in (tmp_path / "m.yaml").read_text(encoding="utf-8")
    assert_runs("m.yaml", tmp_path)


def test_the_spec_finds_its_table_from_another_folder(call, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "t.csv").write_text(table(y=lambda row: row % 2), encoding="utf-8")
    assert call("init", "--from-data", "data/t.csv", "--target", "y", "-o", "specs/t.yaml").exit_code == 0
    assert "source: ../data/t.csv" in (tmp_path / "specs" / "t.yaml").read_text(encoding="utf-8")
    assert_runs("specs/t.yaml", tmp_path)


def test_hostile_names_of_columns_are_written_safely(draft, tmp_path):
    names = ["a: b", "#c", "*", "yes", "it's", "x,y", "${vars.z}", "-", "é"]
    header = ",".join(f'"{name}"' for name in [*names, "target y"])
    rows = "\n".join(",".join(str(math.sin(row + 7 * column)) for column in range(len(names) + 1)) for row in range(40))
    _, spec = draft(f"{header}\n{rows}\n", target="target y")
    assert next(iter(spec["data"].values()))["features"]["inputs"] == names


WRONG = [
    pytest.param(table(y=lambda row: row), ["--target", "z"], "unknown-column", id="no such target"),
    pytest.param(table(y=lambda row: row), ["--target", "y", "--group", "q"], "unknown-column", id="no such group"),
    pytest.param(table(y=lambda row: 1), ["--target", "y"], "constant-target", id="a target that never varies"),
    pytest.param(table(y=lambda row: "" if row == 2 else row), ["--target", "y"], "missing-values", id="a gap"),
    pytest.param(table(y=lambda row: "?" if row == 2 else row), ["--target", "y"], "non-numeric-column", id="a word"),
    pytest.param(table(4, y=lambda row: row), ["--target", "y"], "too-few-rows", id="four rows"),
    pytest.param("w,y\n" + "w1,1\nw2,2\n" * 9, ["--target", "y"], "no-features", id="no numbers"),
    pytest.param("a,y\n1,2\n3\n", ["--target", "y"], "unreadable-file", id="a torn line"),
    pytest.param("a,a,y\n1,2,3\n", ["--target", "y"], "duplicate-column", id="a column twice"),
    pytest.param("", ["--target", "y"], "unreadable-file", id="an empty file"),
    pytest.param(table(y=lambda row: row), ["--target", "y", "--id", "b b"], "duplicate-id", id="ids that repeat"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "options", "code"), WRONG)
def test_a_table_nothing_can_be_learnt_from_exits_2_with_its_place(call, tmp_path, text, options, code):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    outcome = call("init", "--from-data", "t.csv", *options)
    assert outcome.exit_code == 2
    assert f"error[{code}]" in outcome.stderr
    assert "t.csv" in outcome.stderr
    assert not (tmp_path / "t.yaml").exists()


def test_a_file_that_is_no_table_is_refused(call, tmp_path):
    shutil.copy(__file__, tmp_path / "t.py")
    outcome = call("init", "--from-data", "t.py", "--target", "y")
    assert outcome.exit_code == 2
    assert "error[unknown-source]" in outcome.stderr
