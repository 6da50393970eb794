"""Tables as newcomers have them: what fits is predicted, what does not is told with its place, and nothing is left."""

from __future__ import annotations

import pandas as pd
import pytest
from typer.testing import CliRunner

from folds.tables import ran, spec
from runexp.cli.verbs import VERBS, app_with


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    path = spec(folder, "{folds: 3}", splits="{train: 0.8, val: 0.2}")
    text = path.read_text().partition("cv:")[0].replace("callbacks: [{use: evaluation, split: train}]", "callbacks: []")
    path.write_text(text)
    return ran(path, folder / "run").folder


def _rows(run):
    return pd.read_csv(run.parent / "table.csv")[["x0", "x1", "x2"]]


def _predict(*arguments):
    return CliRunner().invoke(app_with(VERBS), ["predict", *map(str, arguments)])


def test_order_and_number_of_columns_do_not_matter(run, tmp_path):
    rows = _rows(run)
    rows.to_csv(tmp_path / "plain.csv", index=False)
    rows[["x2", "x0", "x1"]].assign(note="é", kind=9).to_parquet(tmp_path / "other.parquet", index=False)
    for name in ("plain.csv", "other.parquet"):
        done = _predict(run, tmp_path / name, "-o", tmp_path / f"{name}.out.csv")
        assert done.exit_code == 0, done.output
    assert (tmp_path / "plain.csv.out.csv").read_text() == (tmp_path / "other.parquet.out.csv").read_text()


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda rows: rows.drop(columns=["x0", "x2"]), (), "`in.csv` has no column `x0` and 1 more, which `x` is read"),
        (lambda rows: rows.astype(object).replace(rows.iloc[3, 1], "tall"), (), "holds `tall` in row 3 of `in.csv`"),
        (lambda rows: rows.mask(rows == rows.iloc[3, 1]), (), "`x1` of `in.csv` has no value in row 3"),
        (lambda rows: rows.replace(rows.iloc[5, 2], float("inf")), (), "holds `inf` in row 5 of `in.csv`"),
        (lambda rows: rows[:0], (), "in.csv has no rows"),
        (lambda rows: pd.concat([rows, rows[["x1"]]], axis=1), (), "`in.csv` has column `x1` twice"),
        (lambda rows: rows, ("--keep", "none"), "has no column `none` to keep"),
        (lambda rows: rows.assign(**{"head.class": 1}), ("--keep", "head.class"), "`head.class` cannot be kept"),
        (lambda rows: rows, ("--node", "haed"), "no node `haed`; nodes: head"),
        (lambda rows: rows, ("--fold", "0"), "is no cross-validation"),
        (lambda rows: rows, ("--device", "none"), "no device `none` here"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place_and_leaves_nothing(run, tmp_path, change, options, said):
    change(_rows(run)).to_csv(tmp_path / "in.csv", index=False)
    done = _predict(run, tmp_path / "in.csv", "-o", tmp_path / "out.csv", *options)
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.output.split())
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_rows_are_counted_through_the_blocks_of_a_file(run, tmp_path):
    rows = pd.concat([_rows(run)] * 1200, ignore_index=True)  # more than one block
    rows.loc[70_000, "x1"] = None
    rows.to_parquet(tmp_path / "in.parquet", index=False)
    done = _predict(run, tmp_path / "in.parquet", "-o", tmp_path / "out.parquet")
    assert done.exit_code == 2
    assert "has no value in row 70000" in " ".join(done.output.split())
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]
