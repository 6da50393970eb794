"""`runexp predict`: a table in, a table out, equal to what the loaded model says."""

import sys

import pandas as pd
import pytest
from sklearn.datasets import load_digits
from typer.testing import CliRunner

import runexp
from runexp.api.predicting import CannotRead, Wanted, predict_file
from runexp.cli.verbs import VERBS, app_with
from tracking.cases import run_spec


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_spec(tmp_path_factory.mktemp("predict"))


@pytest.fixture(scope="module")
def frame():
    pixels, labels = load_digits(return_X_y=True, as_frame=True)
    return pixels.assign(truth=labels)


def _call(*arguments):
    return CliRunner().invoke(app_with(VERBS), ["predict", *map(str, arguments)])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_in_gives_a_table_out(run, frame, tmp_path, kind):
    source, target = tmp_path / f"in.{kind}", tmp_path / f"out.{kind}"
    getattr(frame, f"to_{kind}")(source, index=False)
    done = _call(run.folder, source, "--output", target, "--keep", "truth")
    assert done.exit_code == 0, done.output
    found = getattr(pd, f"read_{kind}")(target)
    own = runexp.load_model(run.folder).predict(frame).only
    assert (found["truth"] == frame["truth"]).all()
    assert (found["head.class"] == own.labels).all()
    assert found["head.probability.3"].to_numpy() == pytest.approx(own.probabilities[:, 3])


def test_large_tables_are_read_in_blocks(run, frame, tmp_path):
    many = pd.concat([frame] * 40)  # 71,880 rows
    many.to_parquet(tmp_path / "in.parquet", index=False)
    written = predict_file(runexp.load_model(run.folder), Wanted(tmp_path / "in.parquet"), tmp_path / "out.parquet")
    found = pd.read_parquet(tmp_path / "out.parquet")["head.class"].to_numpy().reshape(40, -1)
    assert written.n_rows == 71_880
    assert (found == found[0]).all()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("in.csv", "pixel_0_0\n1\n", "`in.csv` has no column `pixel_0_1` and 62 more"),
        ("in.parquet", "no parquet", "in.parquet cannot be read"),
        ("in.xlsx", "", "neither .csv, .tsv, .parquet nor .txt"),
    ],
)
def test_what_does_not_fit_is_told_and_leaves_nothing(run, tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    done = _call(run.folder, tmp_path / name, "--output", tmp_path / "out.csv")
    assert done.exit_code == 2
    assert said in done.output.replace("\n", " ")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_that_is_not_there_is_told(run, tmp_path):
    with pytest.raises(CannotRead, match="cannot be read"):
        predict_file(runexp.load_model(run.folder), Wanted(tmp_path / "none.csv"), sys.stdout.buffer)


def test_a_model_that_is_not_there_is_told(tmp_path):
    done = _call("models:/none", tmp_path / "in.csv", "--runs", tmp_path)
    assert done.exit_code == 2
    assert "no model `none` is registered" in done.output
