"""`runexp sweep`, `run --replicates`, and what the other verbs make of their folders."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

import runexp
from runexp.api.checking import check
from runexp.observe.trial_progress import LiveTrials
from runexp.results.trials import Objective, SweepResults, Trial

TWO = """
sampler: grid
parameters: {vars.neighbours: [1, 9]}
objective: test.accuracy
"""


def test_a_line_a_trial_while_they_run_then_the_table_and_the_best(write, cli):
    write(TWO)
    done = cli("sweep", "small.yaml")
    assert done.exit_code == 0
    told = done.stderr.splitlines()
    assert told[0].startswith("2 trials; they go to ")
    assert [line.split("  ")[:2] for line in told[1:]] == [["trial 0", "completed"], ["trial 1", "completed"]]
    assert all("test.accuracy" in line and "neighbours=" in line for line in told[1:])
    assert "best  trial" in done.stdout
    assert "best.yaml" in done.stdout
    listed = cli("list")
    assert listed.stdout.count("sweep-") == 1
    folder = next(Path("runs/small").iterdir())
    assert cli("show", folder.name).stdout.splitlines()[2:5] == done.stdout.splitlines()[2:5]
    assert len(json.loads(cli("list", "--runs", folder / "trials", "--format", "json").stdout)["runs"]) == 2
    trial = json.loads(next(folder.glob("trials/*/trial.json")).read_text())
    assert trial["sweep"] == folder.name
    refused = cli("resume", folder.name)
    assert refused.exit_code == 2
    assert "the command that began them" in refused.stderr


def test_json_is_one_document_that_names_the_best(write, cli):
    write(TWO)
    done = cli("sweep", "small.yaml", "--format", "json")
    document = json.loads(done.stdout)
    trials = {trial["number"]: trial for trial in document["trials"]}
    assert document["status"] == "completed"
    assert max(trial["values"] for trial in trials.values()) == trials[document["best"]]["values"]


def test_run_runs_a_spec_with_a_sweep_once_and_says_so(write, cli):
    write(TWO)
    done = cli("run", "small.yaml")
    assert done.exit_code == 0
    assert "`runexp sweep small.yaml` runs its trials" in done.stderr
    (folder,) = Path("runs/small").iterdir()
    assert not folder.name.startswith("sweep")


def test_sweep_wants_a_section_of_that_name(write, cli):
    path = write(TWO)
    path.write_text(path.read_text().partition("sweep:")[0])
    done = cli("sweep", "small.yaml")
    assert done.exit_code == 2
    assert "no section `sweep`" in done.stderr


def test_a_sweep_where_no_trial_completes_exits_with_1(write, cli):
    write(TWO.replace("[1, 9]", "[500, 900]"))
    assert cli("sweep", "small.yaml", "--quiet").exit_code == 1


def test_repeats_have_seeds_of_their_own_and_show_the_spread(write, cli):
    path = write(TWO)
    path.write_text(path.read_text().partition("sweep:")[0])
    assert cli("run", "small.yaml", "--run-dir", "once", "--quiet").exit_code == 0
    done = cli("run", "small.yaml", "--replicates", "3", "--format", "json")
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    numbers = [trial["metrics"]["test.accuracy"] for trial in document["trials"]]
    assert json.loads(Path("once/summary.json").read_text())["metrics"]["test"]["accuracy"] == numbers[0]
    assert document["spread"]["test.accuracy"]["mean"] == pytest.approx(sum(numbers) / 3)
    assert len({trial["changes"]["seed"] for trial in document["trials"]}) == 3
    folder = Path(document["folder"])
    stamps = {file: file.stat().st_mtime_ns for file in folder.glob("trials/*/summary.json")}
    more = cli("run", "small.yaml", "--replicates", "4")
    assert {file: file.stat().st_mtime_ns for file in stamps} == stamps
    assert len(list(folder.glob("trials/*"))) == 4
    assert "mean" in more.stdout


def test_from_python_a_sweep_is_a_table(write):
    experiment = runexp.compile(runexp.load(write(TWO)))
    results = experiment.sweep(runs="runs")
    table = results.to_arrow()
    assert table.column_names[:5] == ["number", "id", "status", "seconds", "vars.neighbours"]
    assert table.num_rows == 2
    assert list(results.to_pandas()["vars.neighbours"]) == [1, 9]
    assert runexp.open_sweep(results.folder).trials == results.trials
    assert "2 trials" in repr(results)
    assert experiment.replicate(2, runs="runs").spread("test.accuracy").n == 2


def test_on_a_terminal_one_table_has_the_trials_that_run_and_their_newest_numbers():
    screen = StringIO()
    watcher = LiveTrials(Console(file=screen, force_terminal=True, width=100, color_system=None))
    watcher.begin(SweepResults("small", "running", (Objective("train.val_loss", "min"),), ()), 2)
    watcher.receive(Trial(0, "a", {"vars.lr": 0.1}, "running", (), {"train.val_loss": 0.75}, None, "train 3/10"))
    watcher.receive(Trial(1, "b", {"vars.lr": 0.2}, "completed", (0.5,), {"train.val_loss": 0.5}, 2.0))
    watcher.close()
    shown = screen.getvalue()
    assert "trial 1  completed  train.val_loss 0.5  lr=0.2  2.0 s  best so far" in shown
    assert "train 3/10  val_loss 0.75" in shown
    assert "1/2" in shown


@pytest.mark.parametrize("key", [".", "[]"])
def test_an_unknown_address_is_told_beside_a_key_that_is_none(key, write):
    path = write("sampler: grid\nparameters: {nodes.nix.p: [1]}\nobjective: test.accuracy")
    path.write_text(f'{path.read_text()}"{key}": 3\n')
    assert [found.code for found in check(path).diagnostics] == ["unknown-path", "unknown-key"]
