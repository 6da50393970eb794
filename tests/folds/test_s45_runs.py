"""Each fold from the same start on its own rows, told as one run; nothing of a fold outlives it (S-45, S-47)."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from folds.tables import N_ROWS, ran, spec
from runexp.engine.control import Control
from runexp.events import EVENT_TYPES, EpochFinished, FoldFinished, FoldStarted
from runexp.runtime.data import load_transformer

STOPPED = "{folds: 3, data: {t: {stratify_by: kind, val_size: 0.2}}}"


def weights(run, fold):
    return (run / "checkpoints" / f"fold-{fold}" / "final" / "weights.safetensors").read_bytes()


def events(run):
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "time"} for line in lines]


@pytest.fixture(scope="module")
def run_of_three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("three")
    return ran(spec(folder, STOPPED, held_out="test", watched="val"), folder / "run"), folder / "run"


def test_a_run_of_folds_leaves_what_each_of_them_made(run_of_three):
    finished, folder = run_of_three
    assert finished.status == "completed"
    for fold in range(3):
        assert (folder / f"checkpoints/fold-{fold}/final/weights.safetensors").is_file()
        assert (folder / f"artifacts/fold-{fold}/transforms/t/x-0.skops").is_file()
    assert not (folder / "splits.parquet").exists()
    summary = json.loads((folder / "summary.json").read_text())
    assert [fold["status"] for fold in summary["cv"]["folds"]] == ["completed"] * 3
    accuracies = [fold["metrics"]["score.accuracy"] for fold in summary["cv"]["folds"]]
    assert summary["metrics"]["score"]["accuracy"] == pytest.approx(np.mean(accuracies))
    assert summary["cv"]["spread"]["score.accuracy"]["std"] == pytest.approx(np.std(accuracies, ddof=1))


def test_the_rows_of_every_fold_are_kept(run_of_three):
    _, folder = run_of_three
    table = pq.read_table(folder / "folds.parquet").to_pylist()
    assert len(table) == 3 * N_ROWS
    assert {line["split"] for line in table} == {"train", "val", "test"}
    assert sorted(line["row"] for line in table if line["split"] == "test") == list(range(N_ROWS))
    assert all(line["id"] == f"r{line['row']}" for line in table)


def test_transforms_learn_from_the_rows_of_their_fold_alone(run_of_three):
    """S-03."""
    _, folder = run_of_three
    rows = pq.read_table(folder / "folds.parquet").to_pylist()
    lines = (folder.parent / "table.csv").read_text().splitlines()[1:]
    x = np.array([[float(cell) for cell in line.split(",")[1:4]] for line in lines])
    for fold in range(3):
        train = [line["row"] for line in rows if line["fold"] == fold and line["split"] == "train"]
        scaler = load_transformer(folder / f"artifacts/fold-{fold}/transforms/t/x-0.skops")
        assert scaler.mean_ == pytest.approx(x[train].mean(axis=0))


def test_held_out_rows_have_the_prediction_of_the_fold_that_did_not_see_them(run_of_three):
    """S-46: the accuracy of the predictions on file is that of the folds."""
    finished, folder = run_of_three
    table = pq.read_table(folder / "predictions/out_of_fold.parquet").to_pylist()
    assert sorted(line["row"] for line in table) == list(range(N_ROWS))
    for facts in finished.results.cv.facts:
        mine = [line for line in table if line["fold"] == facts.index]
        right = np.mean([line["head.class"] == line["targets.kind"] for line in mine])
        assert right == pytest.approx(finished.results.cv.numbers("score.accuracy")[facts.index])
        assert all(np.argmax(line["head"]) == line["head.class"] for line in mine)
        assert all(line["id"] == f"r{line['row']}" for line in mine)
    assert list((folder / "predictions").iterdir()) == [folder / "predictions/out_of_fold.parquet"]


def test_the_random_state_of_the_process_is_afterwards_what_it_was(tmp_path):
    """S-45: nothing leaks back."""
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    before = torch.get_rng_state().clone(), np.random.get_state()[1].copy(), random.getstate()
    ran(spec(tmp_path, "{folds: 2}"), tmp_path / "run")
    torch.rand(0)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert random.getstate() == before[2]


def test_a_fold_is_what_a_run_on_its_rows_alone_would_be(tmp_path):
    """No fold knows of another: the last of four ends as a run does whose splits are its rows."""
    path = spec(tmp_path, "{data: {t: {column: fold}}}")
    ran(path, tmp_path / "folds")
    lines = (tmp_path / "table.csv").read_text().splitlines()
    parts = ["only", *("val" if line.split(",")[8] == "3" else "train" for line in lines[1:])]
    (tmp_path / "table.csv").write_text(
        "\n".join(f"{line},{part}" for line, part in zip(lines, parts, strict=True)) + "\n"
    )
    alone = (
        path.read_text().partition("cv:")[0].replace("    transforms:", "    splits: {column: only}\n    transforms:")
    )
    (tmp_path / "alone.yaml").write_text(alone)
    finished = ran(tmp_path / "alone.yaml", tmp_path / "alone")
    assert finished.status == "completed"
    assert weights(tmp_path / "folds", 3) == (tmp_path / "alone/checkpoints/final/weights.safetensors").read_bytes()


def test_folds_start_alike_unless_each_is_to_have_a_seed_of_its_own(tmp_path):
    path = spec(tmp_path, "{folds: 2}")
    still = ["phases.train.optimizer.with.lr=1e-30", "phases.train.optimizer.with.weight_decay=0.0"]
    path.write_text(path.read_text().replace("lr: 0.05", "lr: 1e-30, weight_decay: 0.0"))
    ran(path, tmp_path / "same", *still)
    ran(path, tmp_path / "others", *still, "cv.new_seed=true")
    assert weights(tmp_path / "same", 0) == weights(tmp_path / "same", 1)
    assert weights(tmp_path / "others", 0) != weights(tmp_path / "others", 1)
    rows = [(tmp_path / name / "folds.parquet").read_bytes() for name in ("same", "others")]
    assert rows[0] == rows[1]


def test_processes_give_what_one_after_the_other_gives_bit_for_bit(tmp_path):
    """S-47: weights, numbers, predictions, events and their order."""
    path = spec(tmp_path, "{folds: 3}")
    ran(path, tmp_path / "one")
    finished = ran(path, tmp_path / "two", "cv.execution=processes", "cv.workers=2")
    assert finished.status == "completed"
    for name in ("metrics.csv", "folds.parquet", "predictions/out_of_fold.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    assert [weights(tmp_path / "one", fold) for fold in range(3)] == [
        weights(tmp_path / "two", fold) for fold in range(3)
    ]
    ours, theirs = events(tmp_path / "one"), events(tmp_path / "two")
    assert ours[1:] == theirs[1:]  # the first tells the plan, in which the execution stands


BROKEN = {"features: {x: [x0, x1, x2]}": "features: {x: [x0, x1, x2], word: {columns: word, categorical: ordinal}}"}


def broken(folder, cv="{folds: 4, shuffle: false}"):
    """Row 7 alone has its word: the fold that holds it out has never learnt it."""
    path = spec(folder, cv)
    for old, new in BROKEN.items():
        path.write_text(path.read_text().replace(old, new))
    return path


def test_a_fold_that_fails_is_named_and_does_not_lose_the_others(tmp_path):
    path = broken(tmp_path)
    lines = (tmp_path / "table.csv").read_text().splitlines()
    lines[8], lines[-1] = lines[8].replace("rare", "often"), lines[-1].replace("often", "rare")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    finished = ran(path, tmp_path / "run")
    assert finished.status == "failed"
    assert finished.finished.error.startswith("1 of 4 folds failed (fold-3); fold-3: ")
    assert "`rare`" in finished.finished.error
    assert [facts.status for facts in finished.results.cv.facts] == ["completed"] * 3 + ["failed"]
    assert set(finished.results.cv.numbers("score.accuracy")) == {0, 1, 2}
    assert json.loads((tmp_path / "run/status.json").read_text())["state"] == "failed"
    assert pq.read_table(tmp_path / "run/predictions/out_of_fold.parquet").num_rows == 45


def test_what_is_wrong_with_the_first_fold_is_found_before_anything_is_written(tmp_path):
    with pytest.raises(Exception, match="`rare`"):
        ran(broken(tmp_path), tmp_path / "run")
    assert not (tmp_path / "run").exists()


class _Watching:
    """Asks for something at the first event of a kind."""

    def __init__(self, kind, ask):
        self.wants = frozenset({kind})
        self._ask = ask

    def receive(self, stamped):
        ask, self._ask = self._ask, lambda: None
        ask()

    def close(self):
        pass


@pytest.mark.parametrize("execution", ["sequential", pytest.param("processes", marks=pytest.mark.slow)])
def test_a_signal_ends_the_run_after_the_batch_and_no_other_fold_begins(tmp_path, execution):
    control = Control()
    cv = (
        f"{{folds: 4, execution: {execution}}}"
        if execution == "sequential"
        else ("{folds: 4, execution: processes, workers: 1}")
    )
    path = spec(tmp_path, cv)
    path.write_text(path.read_text().replace("epochs: 2", "epochs: 2000"))
    ask = _Watching(EpochFinished, lambda: control.interrupt("SIGINT"))
    finished = ran(path, tmp_path / "run", watch=lambda live: [ask], control=control)
    assert (finished.status, finished.finished.error) == ("interrupted", "SIGINT")
    told = [line["event"] for line in events(tmp_path / "run")]
    assert told.count("FoldStarted") == told.count("FoldFinished") == 1
    assert [facts.status for facts in finished.results.cv.facts] == ["interrupted"]


@pytest.mark.slow
def test_a_worker_that_is_killed_fails_its_fold_alone(tmp_path):
    """S-47: another process takes what is left."""
    path = spec(tmp_path, "{folds: 3, execution: processes, workers: 1}")
    text = path.read_text().replace("epochs: 2", "epochs: 100")
    path.write_text(text)
    finished = ran(path, tmp_path / "run", watch=lambda live: [_Watching(EpochFinished, kill_workers)])
    assert finished.status == "failed"
    assert [facts.status for facts in finished.results.cv.facts] == ["failed", "completed", "completed"]
    assert "its process ended by signal 9" in finished.finished.error


def kill_workers():
    """Kill the processes that this one has started for folds."""
    own = os.getpid()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_text()
        except OSError:
            continue
        if int(fields[1]) == own and "runexp.strategies.worker" in command:
            os.kill(int(entry.name), signal.SIGKILL)


def test_events_of_folds_have_names_that_a_log_knows():
    assert {FoldStarted, FoldFinished} <= set(EVENT_TYPES.values())
