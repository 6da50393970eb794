"""What a person sees of folds: at validate, in plan and preview, on the terminal and as JSON."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from folds.tables import spec
from runexp.cli.app import app


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *args: CliRunner(env={"COLUMNS": "100"}).invoke(app, [str(arg) for arg in args])


def test_a_run_ends_with_a_table_of_the_folds(call, tmp_path):
    outcome = call("run", spec(tmp_path, "{folds: 3, data: {t: {stratify_by: kind}}}"), "--run-dir", "run")
    assert outcome.exit_code == 0
    lines = [line.split() for line in outcome.stdout.splitlines()]
    start = lines.index(["score"])
    assert lines[start + 1] == ["loss", "accuracy"]
    assert [line[:2] for line in lines[start + 2 : start + 5]] == [["fold", str(fold)] for fold in range(3)]
    assert [line[0] for line in lines[start + 5 : start + 9]] == ["mean", "std", "95", "95"]
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert float(lines[start + 5][2]) == pytest.approx(summary["metrics"]["score"]["accuracy"], abs=1e-4)
    assert "fold 1 of 3: 40 rows to learn from, 20 held out" in outcome.stderr


def test_as_json_the_last_line_holds_the_spread(call, tmp_path):
    outcome = call("run", spec(tmp_path, "{folds: 2}"), "--run-dir", "run", "--format", "json", "--quiet")
    last = json.loads(outcome.stdout.splitlines()[-1])
    assert (last["status"], last["cv"]["folds"]) == ("completed", 2)
    assert set(last["cv"]["spread"]["score.accuracy"]) == {"n", "mean", "std", "low", "high"}
    events = [json.loads(line)["event"] for line in outcome.stdout.splitlines()[:-1]]
    assert events.count("FoldStarted") == events.count("FoldFinished") == 2


def test_a_fold_that_fails_makes_the_exit_code_1_and_is_named(call, tmp_path):
    path = spec(tmp_path, "{folds: 4, shuffle: false}")
    text = path.read_text().replace("x2]}", "x2], word: {columns: word, categorical: ordinal}}")
    path.write_text(text)
    table = (tmp_path / "table.csv").read_text().splitlines()
    table[8], table[-1] = table[8].replace("rare", "often"), table[-1].replace("often", "rare")
    (tmp_path / "table.csv").write_text("\n".join(table) + "\n")
    outcome = call("run", path, "--run-dir", "run")
    assert outcome.exit_code == 1
    assert "fold 3 failed" in outcome.stdout
    assert "`rare`" in outcome.stderr
    assert "fold 2 " in outcome.stdout


def test_plan_tells_how_rows_are_folded(call, tmp_path):
    cv = "{folds: 4, repeats: 2, data: {t: {group_by: group, val_size: 0.2}}}"
    shown = call("plan", spec(tmp_path, cv, held_out="test", watched="val")).stdout
    assert "4 folds · shuffled by the seed · 2 times" in shown
    assert "groups of group" in shown
    assert "train learns · test is held out · val is 0.2" in shown
    assert "fitted on train" in shown


def test_preview_takes_the_rows_of_another_fold_if_asked(call, tmp_path):
    """The last of four, of which the first holds fewer rows out."""
    path = spec(tmp_path, "{data: {t: {column: fold}}}", watched="val")
    outcome = call("preview", path, "--phase", "score", "--fold", "3", "--quiet", "--dry")
    assert outcome.exit_code == 0
    assert "eval on val, 15 rows" in outcome.stdout
    assert "the rows are those of fold 3" in outcome.stdout
    outcome = call("preview", path, "--phase", "score", "--fold", "4", "--quiet", "--dry")
    assert (outcome.exit_code, outcome.stderr) == (2, "error: there is no fold 4: the last of these 4 is 3\n")


def test_preview_of_a_fold_without_folds_is_refused(call, tmp_path):
    path = spec(tmp_path, "{folds: 2}", splits="{train: 0.7, val: 0.3}", watched="val")
    path.write_text(path.read_text().partition("cv:")[0])
    outcome = call("preview", path, "--phase", "score", "--fold", "1", "--quiet", "--dry")
    assert (outcome.exit_code, outcome.stderr) == (2, "error: there is no fold 1: the spec has no `cv`\n")


def test_preview_takes_the_rows_of_the_first_fold(call, tmp_path):
    outcome = call("preview", spec(tmp_path, "{folds: 3}"), "--phase", "train", "--steps", "2", "--quiet")
    assert outcome.exit_code == 0
    assert "train on train, 40 rows" in outcome.stdout
    assert "the rows are those of the first fold" in outcome.stdout


def test_validate_deep_counts_rows_groups_and_classes(call, tmp_path):
    right = call("validate", "--deep", spec(tmp_path, "{folds: 5, data: {t: {stratify_by: kind}}}"))
    assert right.exit_code == 0, right.stderr
    wrong = call("validate", "--deep", spec(tmp_path, "{folds: 12, data: {t: {group_by: group}}}"))
    assert wrong.exit_code == 2
    assert "error[bad-folds]: 12 folds need 12 groups, and `group` has 10" in wrong.stderr


def test_folds_that_cannot_be_made_start_nothing(call, tmp_path):
    outcome = call("run", spec(tmp_path, "{folds: 12, data: {t: {group_by: group}}}"), "--run-dir", "run")
    assert outcome.exit_code == 2
    assert "bad-folds" in outcome.stderr
    assert not (tmp_path / "run").exists()


OWN = """\
import numpy as np


class Odd:
    def __init__(self, n):
        self.n = n

    def split(self, X, y=None, groups=None):
        rows = np.arange(len(X))
        for k in range(self.n):
            yield rows[rows % self.n != k], rows[rows % self.n == k]
"""


@pytest.mark.parametrize("execution", ["sequential", pytest.param("processes", marks=pytest.mark.slow)])
def test_a_splitter_of_the_users_divides_rows(call, tmp_path, execution):
    (tmp_path / "odds.py").write_text(OWN)
    path = spec(tmp_path, f"{{folds: {{use: odds.Odd, with: {{n: 3}}}}, execution: {execution}}}")
    path.write_text(path.read_text().replace("seed: 3", "seed: 3\nimports: [odds]"))
    outcome = call("run", path, "--run-dir", "run")
    assert outcome.exit_code == 0, outcome.stderr
    assert "fold 2 of 3: 40 rows to learn from, 20 held out" in outcome.stderr
