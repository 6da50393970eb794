"""Runs in Python: opened from their folders, without running anything (S-41 to S-44)."""

from __future__ import annotations

import json

import pytest

import runexp
from runexp.observe.stored_log import StoredLog
from runexp.results import UnknownNameError


def test_results_of_a_finished_run_open_from_its_folder(folders):
    """S-44, with the words of S-41 and S-42."""
    run = runexp.open_run(folders[0].name)
    train = run["train"]
    by_epoch = train.losses("ce").collapse("batch", "mean").values()
    assert by_epoch == pytest.approx(train.metrics.series("train_ce").values())
    assert run["train"].losses("head").values() == train.losses("ce").values()
    assert run.summary() == json.loads((folders[0] / "summary.json").read_text())["metrics"]
    assert run.results.results.get_eval_result().label == "test"
    assert (run.name, run.status, run.spec["vars"]) == ("wine", "completed", {"lr": 0.01})
    assert "wine" in repr(run) and "<table>" in run._repr_html_()
    with pytest.raises(UnknownNameError):
        run["tset"]


def test_every_number_comes_out_as_a_table_the_same_from_the_log_and_from_the_file(folders):
    run = runexp.open_run(folders[0])
    file = run.to_arrow().to_pylist()
    (folders[0] / "metrics.parquet").unlink()
    log = runexp.open_run(folders[0]).to_arrow().to_pylist()

    def key(row):
        return [str(value) for value in row.values()]

    assert sorted(file, key=key) == sorted(log, key=key)
    assert run["train"].losses("ce").to_arrow().column_names == ["epoch", "batch", "ce"]


def test_batches_stay_in_the_log_until_they_are_asked_for(folders):
    log = folders[0] / "events.jsonl"
    run = runexp.open_run(folders[0])
    assert run["train"].n_epochs == len(run["train"].metrics.series("val_loss")) == 3
    text = log.read_text().replace('"columns":', '"kolumns":')  # what is read later is seen to be damaged
    log.write_text(text)
    assert run["train"].loss_names == ()


def test_opening_a_run_reads_each_line_that_is_whole_and_names_the_others(folders):
    log = folders[0] / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:3], b"{nonsense}\n", b'{"event":"Unheard"}\n', *lines[3:], b'{"torn']))
    stored = StoredLog(log)
    assert [problem.partition(":")[2][:1] for problem in stored.problems] == ["4", "5"]
    run = runexp.open_run(folders[0])
    assert run["train"].n_epochs == 3
    assert len(run.problems) == 2


def test_an_empty_log_is_no_log(folders):
    (folders[0] / "events.jsonl").write_bytes(b"")
    assert runexp.open_run(folders[0]).results.summary() == runexp.open_run(folders[0]).summary()


def test_runs_are_listed_and_compared_with_the_words_of_the_command_line(folders):
    found = runexp.list_runs(where="vars.lr < 1", sort="-vars.lr")
    assert [run.seed for run in found] == [2, 1]
    assert found.to_dict()["id"] == [run.id for run in found]
    assert set(found.to_dict()) >= {"status", "test.accuracy"}
    comparison = runexp.compare_runs(folders[0], folders[1])
    assert {row.address: row.values for row in comparison.spec}["vars.lr"] == (0.01, 0.1)
    assert "vars.lr" in comparison._repr_html_()
