"""`list`, `show` and `compare` of sweeps, repeats and folds, also in narrow windows."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from report_html.sweeps import LOSS, TRIALS, one_objective, repeats, two_objectives, write_sweep
from run_store.conftest import call
from runexp.results.trials import SweepResults
from runexp.store.run_files import read_record


@pytest.fixture
def store(runs):
    """The runs, a sweep and repeats beside them."""
    write_sweep(runs / "net" / "sweep-1", one_objective())
    folder = write_sweep(runs / "net" / "replicates-1", repeats())
    (folder / "base.json").write_text('{"base": "1", "kind": "replicates"}')
    return runs


def narrow(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))


def test_a_list_tells_what_is_one_run_and_what_is_many(store, monkeypatch):
    narrow(monkeypatch, 100)
    lines = call("list").output.splitlines()
    assert lines[0].split()[:3] == ["id", "name", "kind"]
    assert {line.split()[2] for line in lines[1:]} == {"run", "sweep", "repeats"}
    only = call("list", "--where", 'kind = "sweep"').output.splitlines()
    assert len(only) == 2 and only[1].startswith("sweep-1")


def test_a_list_of_runs_alone_has_no_column_for_that(runs):
    assert "kind" not in call("list").output.splitlines()[0]


def test_folds_are_known_by_the_first_event_before_any_summary(tmp_path):
    first = {"seq": 0, "time": "2026-01-01T00:00:00.000Z", "event": "RunStarted", "name": "n", "seed": 1}
    (tmp_path / "events.jsonl").write_text(json.dumps(first | {"phases": ["fold-0/train", "fold-1/train"]}) + "\n")
    assert read_record(tmp_path, "").kind == "folds"


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_the_trials_of_a_sweep_fit_the_window(store, monkeypatch, columns):
    narrow(monkeypatch, columns)
    shown = call("show", "net/sweep-1").output
    lines = shown.splitlines()
    head = next(line for line in lines if line.split()[:2] == ["trial", "status"])
    assert "test.loss" in head and all(len(line) <= columns for line in lines if "/" not in line)
    first = lines[lines.index(head) + 1]
    assert first.split()[:3] == ["0", "completed", "1.0000"]
    assert "Tanh" in shown and ("lr=0.0001" in shown) == (columns < 60)
    assert "folder" in shown and "2026-01-01" in shown and "\x1b" not in shown


def test_a_sweep_says_who_was_told_of_it_and_its_tags(store):
    (store / "net/sweep-1/tracking.json").write_text('{"MLflow": {"complete": true, "problem": ""}}')
    assert call("tag", "net/sweep-1", "keep").exit_code == 0
    shown = call("show", "net/sweep-1").output
    assert "tracked by" in shown and "MLflow" in shown and "keep" in shown


def test_a_trial_says_which_one_it_is_and_what_it_changes(folders):
    told = {"sweep": "sweep-1", "trial": 4, "changes": {"vars.lr": 0.1, "nodes.n.layers[1]": "torch.nn.ReLU"}}
    (folders[0] / "trial.json").write_text(json.dumps(told))
    assert "4 of sweep-1: vars.lr 0.1, nodes.n.layers[1] torch.nn.ReLU" in call("show", folders[0]).output
    (folders[0] / "trial.json").write_text('{"trial": 4}')
    assert call("show", folders[0]).exit_code == 0


def test_a_sweep_is_compared_by_its_best_trial(store):
    first, second = sorted((store / "wine").iterdir())
    trials = store / "net/sweep-1/trials"
    trials.mkdir()
    second.rename(trials / one_objective().best.id)
    done = call("compare", first, "net/sweep-1")
    assert done.exit_code == 0 and one_objective().best.id in done.output.splitlines()[1]
    assert "phases.train.optimizer.with.lr" in done.output and "train.val_loss" in done.output


@pytest.mark.parametrize(
    ("results", "said"),
    {
        "several objectives": (two_objectives(), "has no best trial; compare trials of its front, such as"),
        "repeats": (repeats(), "has no best trial; compare those below"),
        "none completed": (SweepResults("net", "failed", (LOSS,), TRIALS[4:]), "no trial of"),
    }.values(),
    ids=["several objectives", "repeats", "none completed"],
)
def test_a_sweep_without_a_best_trial_says_what_could_be_compared(tmp_path, folders, results, said):
    folder = write_sweep(tmp_path / "many", results)
    done = call("compare", folder, folders[0])
    assert done.exit_code == 2 and said in done.output


def test_long_values_of_a_comparison_stand_in_lines_of_their_own(folders, monkeypatch):
    narrow(monkeypatch, 40)
    for number, folder in enumerate(folders[:2]):
        lock = json.loads((folder / "lock.json").read_text())
        lock["git"] = {"commit": f"{number}" * 40, "dirty": False}
        (folder / "lock.json").write_text(json.dumps(lock))
    lines = call("compare", folders[0], folders[1]).output.splitlines()
    at = lines.index("  git.commit")
    assert lines[at + 1].split()[0] == "A" and "B" not in lines[at + 1]


def test_a_sweep_that_has_just_begun_is_shown_as_one_without_trials(tmp_path):
    folder = write_sweep(tmp_path / "new", replace(one_objective(), status="running", trials=()))
    done = call("show", folder)
    assert done.exit_code == 0 and "0 trials: none" in done.output
