"""Models over windows, tokens and rows that are compared, asked about new tables and texts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from typer.testing import CliRunner

import runexp
from runexp.cli.verbs import VERBS, app_with
from windows.specs import FORECAST, LANGUAGE, finished

FORECASTS = """
source: rows.csv
features: {x: [value]}
targets: {ahead: value}
splits: {train: 0.7, test: 0.3, order: time}
windows: {size: 6, predict: 2, group_by: series}
transforms: [{on: [x, ahead], use: standard_scaler}]
"""
TEXT = """
source: text.txt
tokenizer: {use: char, unknown: other}
features: {tokens: text}
targets: {ahead: text}
splits: {train: 0.8, test: 0.2, order: true}
windows: {size: 8, stride: 8, predict: next}
"""
PAIRS = """
runexp: 1
name: pairs
seed: 4
execution: {device: cpu, threads: 1}
data:
  d:
    source: sklearn.datasets.load_digits
    features: {x: "pixel_[0-3]_*"}
    targets: {label: target}
    splits: {train: 0.1, test: 0.9}
    transforms: [{on: x, use: sklearn.preprocessing.MinMaxScaler}]
nodes:
  encoder: {inputs: d.x, use: torch.nn.Linear, with: {out_features: 4}}
  both: {inputs: [encoder.anchor, encoder.pair], merge: product}
  score: {inputs: both, layers: [torch.nn.Linear: {out_features: 1}, torch.nn.Flatten: {start_dim: 0}]}
losses: {same: {node: score, use: bce_with_logits, inputs: [outputs, sampler.weights]}}
samplers: {twos: {use: pairs, match: {label: {within: 1}}, closeness: true, size: 64}}
phases:
  train: {kind: train, batches: twos, epochs: 1, losses: [same], optimizer: {use: adam}}
"""
N_TIMES = 40


def _rows():
    time = np.repeat(np.arange(N_TIMES), 2)
    series = np.tile([0, 1], N_TIMES)
    value = np.sin(time / 3 + series) + series
    return pd.DataFrame({"time": time, "series": series, "value": value.round(5)})


@pytest.fixture(scope="module")
def forecast(tmp_path_factory):
    rest = FORECAST.replace("epochs: 15", "epochs: 1").replace("[r2]", "[r2], record: [predictions]")
    return finished(tmp_path_factory.mktemp("forecast"), FORECASTS, rest, rows__csv=_rows().to_csv(index=False)).folder


@pytest.fixture(scope="module")
def language(tmp_path_factory):
    text = "the cat sat on the mat; " * 20
    return finished(tmp_path_factory.mktemp("language"), TEXT, LANGUAGE, text__txt=text)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "spec.yaml").write_text(PAIRS)
    return runexp.compile(runexp.load(folder / "spec.yaml")).run(runs=folder / "runs").folder


def _predict(*arguments):
    return CliRunner().invoke(app_with(VERBS), ["predict", *map(str, arguments)])


def test_windows_of_a_table_give_what_the_run_recorded_and_the_forecast_of_the_last_rows(forecast):
    found = runexp.load_model(forecast).predict(_rows()).to_pandas()
    own = runexp.open_run(forecast).predictions("test").to_pandas()
    said = dict(zip(found["row"], found["net"], strict=True))
    last = own["row"] + 2 * 5  # two series by turns: five rows of its own after the first
    assert len(own) > 5 and (own["net"] == last.map(said)).all()
    assert {2 * N_TIMES - 2, 2 * N_TIMES - 1} <= set(found["row"])  # what follows on them is not known


def test_series_are_kept_apart_and_put_in_order(forecast):
    model = runexp.load_model(forecast)
    rows = _rows()
    shuffled = rows.sample(frac=1, random_state=0)
    found = model.predict(shuffled).to_pandas()
    time, series = (shuffled[name].to_numpy()[found["row"]] for name in ("time", "series"))
    assert (np.diff(time)[np.diff(series) == 0] == 1).all() and len(found) == 2 * (N_TIMES - 5)
    alone = model.predict(rows[rows["series"] == 1]).only.values
    assert alone == pytest.approx(found["net"].to_numpy()[series == 1].reshape(alone.shape))


def test_a_table_of_windows_is_told_row_by_row_on_the_command_line(forecast, tmp_path):
    _rows().to_parquet(tmp_path / "in.parquet", index=False)
    done = _predict(forecast, tmp_path / "in.parquet", "-o", tmp_path / "out.csv", "--keep", "time", "--keep", "series")
    assert done.exit_code == 0, done.output
    found = pd.read_csv(tmp_path / "out.csv")
    assert list(found) == ["time", "series", "row", "net"]
    assert (found["time"] == _rows()["time"].to_numpy()[found["row"]]).all()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (_rows().drop(columns="series"), "no column `series`, by which windows are ordered or kept apart"),
        (_rows().drop(columns="value"), "no column `value`, which `x` is read from"),
        (_rows()[:6], "a window is 6 rows, and its longest series has 3"),
        (_rows()[:0], "has no rows"),
    ],
)
def test_rows_that_make_no_windows_are_told_and_nothing_written(forecast, tmp_path, rows, said):
    rows.to_csv(tmp_path / "in.csv", index=False)
    done = _predict(forecast, tmp_path / "in.csv", "-o", tmp_path / "out.csv")
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_text_is_as_surprising_as_it_was_in_the_run(language):
    test = ("the cat sat on the mat; " * 20)[384:]
    whole = test[: 8 * ((len(test) - 1) // 8) + 1]  # windows of eight, and what follows on the last
    said = runexp.load_model(language.folder).predict(whole).only
    assert said.perplexity == pytest.approx(language.results["test"].numbers["perplexity"], rel=1e-6)
    assert np.isnan(said.given[0]) and len(said.given) == len(whole)
    assert said.probabilities.sum(axis=1) == pytest.approx(np.ones(len(whole)))


def test_each_token_of_a_text_has_a_line(language, tmp_path):
    text = "the mat!\nthe cat"
    (tmp_path / "new.txt").write_text(text)
    done = _predict(language.folder, tmp_path / "new.txt", "-o", tmp_path / "out.parquet")
    assert done.exit_code == 0, done.output
    assert "perplexity" in done.output
    found = pd.read_parquet(tmp_path / "out.parquet")
    assert list(found) == ["row", "token", "net.probability", "net.next"]
    assert "".join(found["token"]) == text.replace("!", "\ufffd").replace("\n", "\ufffd")
    own = runexp.load_model(language.folder).predict(text).only
    chances = dict(zip(own.classes, own.probabilities[2], strict=True))
    assert found["net.probability"][3] == chances[" "]  # what `the` gave to the blank after it
    assert found["net.probability"].isna().tolist() == [True] + [False] * (len(text) - 1)


def test_parts_of_a_text_say_what_the_whole_says(language):
    model, text = runexp.load_model(language.folder), "the cat sat on the mat; the cat"
    whole = model.predict(text).only
    parts = [part.only for part in model.predict_parts(text, size=1)]
    assert np.concatenate([part.given for part in parts])[1:] == pytest.approx(whole.given[1:])
    assert len(parts) == 4 and runexp.load_model(language.folder).predict("cat").only.given.shape == (3,)


def test_a_table_is_no_text_and_a_text_no_table(language, forecast, tmp_path):
    (tmp_path / "in.csv").write_text("text\na\n")
    (tmp_path / "in.txt").write_text("value\n")
    done = _predict(language.folder, tmp_path / "in.csv")
    assert done.exit_code == 2 and "the model reads a text" in done.output
    done = _predict(forecast, tmp_path / "in.txt")
    assert done.exit_code == 2 and "no column `value`" in " ".join(done.output.split())
    with pytest.raises(runexp.SpecError, match="is read from a text"):
        runexp.load_model(language.folder).predict({"text": ["a"]})


def test_rows_are_embedded_one_by_one_and_pairs_scored(pairs, tmp_path):
    frame = load_digits(as_frame=True).data
    said = runexp.load_model(pairs).predict(frame[:20])
    assert said["encoder"].values.shape == (20, 4)
    scores = runexp.load_model(pairs, nodes=["score"])
    left, right = frame[:10], frame[10:20].reset_index(drop=True)
    both = pd.concat([left.add_suffix(".anchor"), right.add_suffix(".pair")], axis=1)
    found = scores.predict(both).only.values
    layer = scores.modules["score"][0]
    embedded = said["encoder"].values
    wanted = (embedded[:10] * embedded[10:]) @ layer.weight.numpy()[0] + layer.bias.numpy()
    assert found == pytest.approx(wanted, abs=1e-5)
    assert (scores.predict({"anchor": left, "pair": right}).only.values == found).all()
    assert {one["column"] for one in scores.signature()["inputs"]} == set(both[[c for c in both if c[6] in "0123"]])
    frame.to_csv(tmp_path / "in.csv", index=False)
    done = _predict(pairs, tmp_path / "in.csv", "--node", "score")
    assert done.exit_code == 2
    assert "no column `pixel_0_0.anchor` and 31 more" in " ".join(done.output.split())
    with pytest.raises(runexp.CannotPredict, match="equally many rows"):
        scores.predict({"anchor": left, "pair": right[:3]})


@pytest.mark.slow
def test_networks_over_windows_and_pairs_are_exported(forecast, pairs, tmp_path):
    found = runexp.export_model(forecast, "torch", tmp_path / "net.pt2")
    assert found.difference < 1e-6
    found = runexp.export_model(pairs, "onnx", tmp_path / "score.onnx", nodes=["score"])
    assert found.difference < 1e-6
    assert {one["key"] for one in found.signature["inputs"]} == {"x.anchor", "x.pair"}
