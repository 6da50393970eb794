"""Once more on everything: after the folds the same phases learn from the whole pool, and nothing judges them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from folds.tables import N_ROWS, ran, spec
from resume.runs import Interrupting, assert_same
from runexp.api.checking import check
from runexp.api.opening import open_run
from runexp.api.resuming import open_run as open_broken_off
from runexp.api.resuming import resume
from runexp.cli.app import app
from runexp.engine.control import Control
from runexp.results import UnknownNameError
from runexp.runtime.data import load_transformer

CV = "{folds: 3, refit: true}"


def weights(run, label=""):
    return (run / "checkpoints" / label / "final" / "weights.safetensors").read_bytes()


@pytest.fixture(scope="module")
def refitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refit")
    return ran(spec(folder, CV, watched="val"), folder / "run"), folder


def test_the_refit_learns_from_every_row_and_leaves_the_final_weights(refitted):
    finished, folder = refitted
    assert finished.status == "completed"
    refit = finished.results.cv.get_refit()
    assert (finished.results.cv.refit.n_train, finished.results.cv.refit.status) == (N_ROWS, "completed")
    assert list(refit) == ["train"]  # what judged the held-out part is left out
    assert refit["train"].n_epochs == 2
    assert "val_loss" not in refit["train"].numbers
    assert weights(folder / "run") != weights(folder / "run", "fold-0")
    lines = (folder / "table.csv").read_text().splitlines()[1:]
    x = np.array([[float(cell) for cell in line.split(",")[1:4]] for line in lines])
    scaler = load_transformer(folder / "run/artifacts/transforms/t/x-0.skops")
    assert scaler.mean_ == pytest.approx(x.mean(axis=0))


def test_the_refit_is_what_a_plain_run_on_all_rows_would_be(refitted):
    """S-45: it starts from the state that folds start from, which is that of a run without folds."""
    _, folder = refitted
    text = (folder / "spec.yaml").read_text().partition("cv:")[0]
    text = text.replace("    callbacks: [{use: evaluation, split: val}]\n", "")
    text = text.replace("    transforms:", "    splits: {column: all}\n    transforms:")
    text = text.replace("  score: {kind: eval, split: val, losses: [ce], metrics: [accuracy]}\n", "")
    alone = folder / "alone"
    alone.mkdir()
    lines = (folder / "table.csv").read_text().splitlines()
    marked = [f"{line},{'train' if number else 'all'}" for number, line in enumerate(lines)]
    (alone / "table.csv").write_text("\n".join(marked) + "\n")
    (alone / "spec.yaml").write_text(text)
    assert ran(alone / "spec.yaml", alone / "run").status == "completed"
    assert weights(alone / "run") == weights(folder / "run")


def test_the_folds_are_those_of_a_run_without_a_refit(refitted, tmp_path):
    finished, folder = refitted
    without = ran(spec(tmp_path, "{folds: 3}", watched="val"), tmp_path / "run")
    assert without.results.cv.spreads() == finished.results.cv.spreads()
    assert [weights(folder / "run", f"fold-{fold}") for fold in range(3)] == [
        weights(tmp_path / "run", f"fold-{fold}") for fold in range(3)
    ]
    with pytest.raises(UnknownNameError, match="no fold `refit`"):
        without.results.cv.get_refit()


def test_a_finished_run_tells_of_its_refit(refitted):
    """S-44."""
    _, folder = refitted
    cv = open_run(folder / "run").results.cv
    assert cv.refit.n_train == N_ROWS
    assert list(cv.get_refit()) == ["train"]
    assert len(cv) == 3
    summary = json.loads((folder / "run/summary.json").read_text())
    assert summary["cv"]["refit"]["status"] == "completed"
    assert summary["metrics"]["refit/train"]["train_loss"] == cv.get_refit()["train"].numbers["train_loss"]


def test_with_an_inner_validation_part_the_refit_stops_by_rows_of_its_own(tmp_path):
    """A split outside of the pool is judged as in every fold."""
    cv = "{folds: 3, refit: true, data: {t: {pool: [train, val], val_size: 0.25}}, held_out: held}"
    path = spec(tmp_path, cv, splits="{column: part}", watched="val", held_out="test")
    stop = "{use: early_stopping, monitor: val_loss, patience: 1, restore_best: true}"
    path.write_text(path.read_text().replace("split: val}]", f"split: val}}, {stop}]"))
    finished = ran(path, tmp_path / "run")
    assert finished.status == "completed"
    refit = finished.results.cv.get_refit()
    assert finished.results.cv.refit.n_train == 41  # of 54: 6 rows are `test`
    assert set(refit) == {"train", "score"}
    assert "val_loss" in refit["train"].numbers
    assert refit["score"].numbers["accuracy"] > 0.3


def test_a_refit_that_was_broken_off_goes_on(refitted, tmp_path):
    _, folder = refitted
    control = Control()
    interrupted = ran(
        folder / "spec.yaml", tmp_path / "run", watch=lambda live: [Interrupting(control, 36)], control=control
    )
    assert interrupted.status == "interrupted"
    assert interrupted.results.cv.refit.status == "interrupted"
    assert resume(open_broken_off(tmp_path / "run"), watch=lambda live: ()).status == "completed"
    assert_same(tmp_path / "run", folder / "run", numbered=False)


def test_what_follows_the_held_out_part_is_refused_with_the_reason(tmp_path):
    path = spec(tmp_path, CV, watched="val")
    text = path.read_text().replace(
        "split: val}]", "split: val}, {use: early_stopping, monitor: val_loss, patience: 1}]"
    )
    path.write_text(text.replace("0.05}}", "0.05}}\n    schedule: {use: plateau, monitor: val_loss, patience: 0}"))
    found = [item for item in check(path).diagnostics if item.code == "unknown-monitor"]
    assert [item.message for item in found] == [
        "a refit holds nothing out, and `plateau` of `train` follows `val_loss`, measured on `val`",
        "a refit holds nothing out, and `early_stopping` of `train` follows `val_loss`, measured on `val`",
    ]
    assert "val_size" in found[0].help


def test_a_phase_that_learns_from_the_held_out_part_is_refused(tmp_path):
    path = spec(tmp_path, CV)
    path.write_text(path.read_text().replace("    kind: train\n", "    kind: train\n    split: val\n"))
    messages = [item.message for item in check(path).diagnostics]
    assert "a refit holds nothing out, and the phase `train` learns from `val`" in messages


def test_the_page_of_a_run_and_the_plan_show_the_refit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = spec(tmp_path, CV)
    runner = CliRunner(env={"COLUMNS": "100"})
    assert "refit once more, on everything" in " ".join(runner.invoke(app, ["plan", str(path)]).stdout.split())
    outcome = runner.invoke(app, ["run", str(path), "--run-dir", "run"])
    assert "refit  trained on 60 rows" in outcome.stdout
    assert "refit: 60 rows to learn from, none held out" in outcome.stderr
