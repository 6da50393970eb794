"""Specs over series, from text to numbers."""

from __future__ import annotations

import gzip

import pytest

from data.plans import shared
from runexp.api.checking import check
from runexp.api.deep import check_deep
from runexp.cli.app import app
from windows.specs import FORECAST, finished, series, write_spec

SERIES = """\
source: t.csv
features: {x: [a, b]}
targets: {y: a}
splits: {train: 0.6, test: 0.4, order: t}
transforms: [{on: x, use: standard_scaler}]
windows: {size: 8, predict: 3, group_by: g}
"""
CONVOLUTION = FORECAST.replace(
    "torch.nn.Flatten, torch.nn.Linear",
    "torch.nn.Conv1d: {out_channels: 8, kernel_size: 3}, torch.nn.ReLU, torch.nn.Flatten, torch.nn.Linear",
)


@pytest.mark.parametrize(
    ("windows", "rest"),
    [
        pytest.param("size: 8", FORECAST, id="flatten and linear"),
        pytest.param("size: 8, rows: last", CONVOLUTION, id="convolution"),
    ],
)
def test_a_forecast_is_learnt_from_windows(tmp_path, windows, rest):
    made = finished(tmp_path, SERIES.replace("size: 8", windows), rest, t__csv=series(200))
    assert made.results.summary()["test"]["r2"] > 0.95


def test_the_plan_and_the_preview_show_windows(tmp_path, capsys, monkeypatch):
    spec = write_spec(tmp_path, SERIES, FORECAST, t__csv=series(60))
    for command in (["plan", str(spec)], ["preview", str(spec), "--phase", "train", "--dry"]):
        with pytest.raises(SystemExit) as ended:
            app(command)
        assert ended.value.code in (0, None)
    shown = capsys.readouterr().out
    assert "8 rows, every 1 · in order of t · within a group of g and one split" in shown
    assert "the value 3 rows after the last" in shown
    assert "batch x 8 x 2" in shown


def test_a_deep_check_tells_leaks_from_what_lies_ahead(tmp_path):
    """The value of a window's last row is in the window; the value three rows later is not."""
    for predict, codes in (("predict: 3", set()), ("predict: each", {"target-among-features"})):
        data = SERIES.replace("predict: 3", predict)
        found = check_deep(check(write_spec(tmp_path, data, FORECAST, t__csv=series(60)))).checked.diagnostics
        assert codes == {one.code for one in found} & {"target-among-features"}
        assert codes or not found


def test_cells_of_real_batteries_stay_apart(tmp_path):
    """The pulses of the shared data, as one series a cell: windows of two pulses, the next state of health."""
    path = shared("hppc", "hppc.csv.gz")
    with gzip.open(path) as file:
        columns = file.readline().decode().strip().split(",")
    data = f"""\
source: {path}
features: {{x: "v*"}}
targets: {{soh: soh}}
tags: {{cell: cell}}
splits: {{column: split}}
transforms: [{{on: [x, soh], use: standard_scaler}}]
windows: {{size: 2, group_by: cell}}
"""
    made = finished(tmp_path, data, FORECAST.replace("epochs: 15", "epochs: 5"))
    assert "cell" in columns
    assert made.results.summary()["test"]["error"] < 1
