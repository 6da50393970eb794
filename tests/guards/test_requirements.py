"""Thresholds that a run has to reach: exit 1, with which were missed and by how much."""

from __future__ import annotations

import json
import math

import pytest
from typer.testing import CliRunner

from guards.specs import FOLDS, checked, ran, write_table
from runexp.cli.app import app
from runexp.plan.guards import RequirementPlan
from runexp.results.requirements import as_json, from_json, judge

GUARDS = "{require: {train.train_loss: '< 1e-9', train.lr: '>= 0.05'}}"


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_missed_threshold_leaves_with_one_and_is_told_everywhere(tmp_path):
    """The run itself is complete: there is nothing to go on with."""
    write_table(tmp_path)
    found = checked(tmp_path, GUARDS)
    folder = tmp_path / "run"
    done = invoke("run", found.path, "--run-dir", folder)
    assert done.exit_code == 1
    loss = json.loads((folder / "summary.json").read_text())["metrics"]["train"]["train_loss"]
    assert f"error: train.train_loss < 1e-09: missed with {loss:.6g}, by {loss:.3g}" in done.output
    assert json.loads((folder / "status.json").read_text())["state"] == "completed"
    told = json.loads((folder / "summary.json").read_text())["requirements"]
    assert [(one["number"], one["met"]) for one in told] == [("train.train_loss", False), ("train.lr", True)]
    assert told[0]["missed_by"] == pytest.approx(loss)
    shown = invoke("show", folder)
    assert f"train.train_loss < 1e-09: missed with {loss:.6g}" in shown.output
    assert "train.lr >= 0.05: met with 0.05" in shown.output
    assert json.loads(invoke("show", folder, "--format", "json").output)["requirements"] == told


def test_thresholds_of_folds_are_on_the_mean(tmp_path):
    write_table(tmp_path)
    finished, _ = ran(tmp_path, "{require: {train.train_loss: '< 1e-9'}}", replaced=FOLDS)
    (verdict,) = finished.missed
    mean = json.loads((tmp_path / "run/summary.json").read_text())["metrics"]["train"]["train_loss"]
    assert verdict.value == mean


def test_a_number_nobody_measures_is_said_with_the_nearest(tmp_path):
    write_table(tmp_path)
    (found,) = checked(tmp_path, "{require: {train.trainloss: '< 1'}}").diagnostics
    assert found.code == "unknown-number"
    assert "did you mean `train.train_loss`?" in found.help


def test_numbers_that_callbacks_report_may_be_demanded(tmp_path):
    write_table(tmp_path)
    own = {"losses: [fit]\n": "losses: [fit]\n    callbacks: [{use: norms}]\n"}
    assert checked(tmp_path, "{require: {train.gradient_norm: '< 1'}}", replaced=own).is_valid


@pytest.mark.parametrize("bad", [">= .", ">= 1.2.3", "=> 1", "high"])
def test_what_is_no_threshold_is_refused(tmp_path, bad):
    write_table(tmp_path)
    assert not checked(tmp_path, f"{{require: {{train.train_loss: '{bad}'}}}}").is_valid


@pytest.mark.parametrize(
    ("comparison", "value", "missed_by"),
    [(">=", 0.9, 0.1), ("<=", 1.5, 0.5), (">", 1.0, 0.0), ("==", 1.0, 0.0), (">=", math.nan, math.nan)],
)
def test_what_is_missed_is_measured(comparison, value, missed_by):
    (verdict,) = judge([RequirementPlan("a/b.c", comparison, 1.0, None)], {"a/b": {"c": value}})
    assert verdict.missed_by == pytest.approx(missed_by, nan_ok=True)
    assert verdict.is_met == (comparison == "==")
    assert str(from_json(json.loads(json.dumps(as_json([verdict]))))[0]) == str(verdict)


def test_the_plan_shows_every_guard(tmp_path):
    write_table(tmp_path)
    found = checked(tmp_path, "{time: 2 h, memory: 8 GiB, on_nan: skip, require: {train.lr: '> 0'}}")
    shown = invoke("plan", found.path).output
    for line in ("time  ends the run above 2 h", "memory  ends the run above 8 GiB", "step left out", "train.lr > 0"):
        assert line in shown
