"""The table of metrics holds every number of the run, in both forms, or does not exist."""

from __future__ import annotations

import csv
import math
import os
import shutil
from array import array

import pyarrow.parquet as pq
import pytest

from observe.cases import Recorder, epoch_of, short_run
from runexp.events import BatchesRecorded, EpochFinished, RunFinished, WarningRaised
from runexp.observe.metrics_table import MetricsTable
from runexp.observe.pump import pump
from runexp.plan.values import FrozenMap

COLUMNS = ["phase", "kind", "epoch", "batch", "step", "name", "value"]


def rows_of(folder):
    return [tuple(row.values()) for row in pq.read_table(folder / "metrics.parquet").to_pylist()]


def csv_of(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return list(csv.reader(file))


def test_every_number_of_a_run_is_a_row(tmp_path):
    pump(short_run(), [MetricsTable(tmp_path)])
    rows = rows_of(tmp_path)
    assert pq.read_schema(tmp_path / "metrics.parquet").names == COLUMNS
    assert rows[:2] == [
        ("train", "batch", 0, 0, None, "loss", 1.0),
        ("train", "batch", 0, 1, None, "loss", 0.5),
    ]
    assert ("train", "batch", 2, 3, None, "lr", 0.003) in rows
    assert ("train", "evaluation", 1, None, 8, "val_loss", 0.25) in rows
    assert ("train", "epoch", 1, None, 8, "train_loss", 0.5) in rows
    assert ("train", "final", None, None, 12, "val_loss", 0.25) in rows
    assert ("test", "final", None, None, 0, "test_acc", 0.97) in rows
    assert len(rows) == 3 * (2 * 4 + 1 + 3) + 2 + 2


def test_the_csv_says_what_the_parquet_says(tmp_path):
    pump(short_run(), [MetricsTable(tmp_path)])
    head, *lines = csv_of(tmp_path)
    assert head == COLUMNS
    read = [
        (phase, kind, *(int(text) if text else None for text in places), name, float(value))
        for phase, kind, *places, name, value in lines
    ]
    assert read == rows_of(tmp_path)


def test_long_runs_are_written_block_by_block_and_read_back_in_order(tmp_path):
    n_epochs, n_batches = 40, 2_000
    events = [event for epoch in range(n_epochs) for event in epoch_of("train", epoch, n_batches)]
    pump(iter([*events, RunFinished("completed")]), [MetricsTable(tmp_path)])
    file = pq.ParquetFile(tmp_path / "metrics.parquet")
    assert 2 <= file.num_row_groups <= 4
    table = file.read()
    losses = table.filter((table["kind"].to_numpy() == "batch") & (table["name"].to_numpy() == "loss"))
    assert losses["value"].to_pylist() == [1 / (1 + step) for step in range(n_epochs * n_batches)]
    assert losses["batch"].to_pylist() == list(range(n_batches)) * n_epochs
    assert len(csv_of(tmp_path)) == table.num_rows + 1


def test_numbers_that_are_not_finite_stay_what_they_are(tmp_path):
    block = BatchesRecorded("t", 0, 5, array("q", [1]), {"loss": array("d", [math.nan])})
    end = EpochFinished("t", 0, 1, FrozenMap({"loss": math.inf}))
    pump(iter([block, end, RunFinished("failed")]), [MetricsTable(tmp_path)])
    values = [row[-1] for row in rows_of(tmp_path)]
    assert math.isnan(values[0])
    assert values[1] == math.inf
    assert rows_of(tmp_path)[0][:4] == ("t", "batch", 0, 5)


def test_a_run_without_numbers_has_an_empty_table(tmp_path):
    pump(iter([RunFinished("completed")]), [MetricsTable(tmp_path)])
    assert rows_of(tmp_path) == []
    assert csv_of(tmp_path) == [COLUMNS]


def test_the_files_appear_at_the_end_and_leave_nothing_beside_them(tmp_path):
    table = MetricsTable(tmp_path)
    assert not (tmp_path / "metrics.parquet").exists()
    table.close()
    assert sorted(os.listdir(tmp_path)) == ["metrics.csv", "metrics.parquet"]


def test_an_interrupted_run_keeps_what_it_had(tmp_path):
    def engine():
        yield from epoch_of("train", 0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pump(engine(), [MetricsTable(tmp_path)])
    assert len(rows_of(tmp_path)) == 2 * 4 + 1 + 3


def test_a_table_with_a_hole_is_given_up_and_the_run_says_so(tmp_path):
    bad = EpochFinished("t", 0, 1, FrozenMap({"loss": "many"}))  # as a faulty metric would give it
    log = Recorder()
    pump(iter([*epoch_of("t", 0), bad, RunFinished("completed")]), [MetricsTable(tmp_path), log])
    assert [type(event) for event in log.events[-3:]] == [EpochFinished, WarningRaised, RunFinished]
    assert os.listdir(tmp_path) == []


def test_a_table_that_cannot_be_put_in_its_place_is_a_warning_before_the_end(tmp_path):
    (tmp_path / "run").mkdir()
    table, log = MetricsTable(tmp_path / "run"), Recorder()
    shutil.rmtree(tmp_path / "run")
    pump(short_run(), [table, log])
    assert [type(event) for event in log.events[-2:]] == [WarningRaised, RunFinished]
    assert "MetricsTable could not finish" in log.events[-2].message
