"""The models of a cross-validation in use: one fold, all folds together, the refit."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

import runexp
from folds.tables import ran, spec
from runexp.cli.verbs import VERBS, app_with

REGRESSION = """
runexp: 1
name: regression
seed: 2
execution: {device: cpu, threads: 1}
data:
  t:
    source: table.csv
    features: {x: [x0, x1, x2]}
    targets: {y: time}
    transforms: [{on: [x, y], use: standard_scaler}]
nodes:
  pca: {inputs: t.x, use: sklearn.decomposition.PCA, with: {n_components: 2}}
  head: {inputs: pca, use: torch.nn.Linear, with: {out_features: 1}}
losses: {fit: {node: head, use: mse}}
phases:
  reduce: {kind: fit, nodes: [pca]}
  train: {kind: train, epochs: 2, losses: [fit], optimizer: {use: adam, with: {lr: 0.05}}}
  score: {kind: eval, split: val, losses: [fit], metrics: [mae], record: [predictions]}
cv: {folds: 3}
"""
VOTES = """
runexp: 1
name: votes
seed: 2
execution: {device: cpu, threads: 1}
data: {t: {source: table.csv, features: {x: [x0, x1, x2]}, targets: {group: group}}}
nodes: {tree: {inputs: t.x, use: sklearn.tree.DecisionTreeClassifier, with: {max_depth: 3}}}
phases:
  grow: {kind: fit, nodes: [tree]}
  score: {kind: eval, split: val, metrics: [accuracy], record: [predictions]}
cv: {folds: 3}
"""


def _recorded(folder, cv):
    path = spec(folder, cv)
    text = (
        path.read_text()
        .replace("split: train}", "split: val}")
        .replace("metrics: [accuracy]}", "metrics: [accuracy], record: [predictions]}")
    )
    path.write_text(text.replace("callbacks: [{use: evaluation, split: train}]", "callbacks: []"))
    return path


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classes")
    return ran(_recorded(folder, "{folds: 3}"), folder / "run").folder


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbers")
    spec(folder, "{folds: 3}")
    (folder / "spec.yaml").write_text(REGRESSION)
    return ran(folder / "spec.yaml", folder / "run").folder


@pytest.fixture(scope="module")
def votes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("votes")
    spec(folder, "{folds: 3}")
    (folder / "spec.yaml").write_text(VOTES)
    return ran(folder / "spec.yaml", folder / "run").folder


@pytest.fixture(scope="module")
def refitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refitted")
    return ran(_recorded(folder, "{folds: 2, refit: true}"), folder / "run").folder


def _table(run):
    return pd.read_csv(run.parent / "table.csv")


def _predict(*arguments):
    return CliRunner().invoke(app_with(VERBS), ["predict", *map(str, arguments)])


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_a_fold_says_of_its_held_out_rows_what_the_run_recorded(classes, numbers, votes, fold):
    """S-46: every transform and estimator is that of the fold, and each bit is the same."""
    own = pq.read_table(classes / f"predictions/fold-{fold}/score.parquet").to_pandas()
    said = runexp.load_model(classes, fold=fold).predict(_table(classes).iloc[own["row"]]).only
    assert (said.labels == own["head.class"]).all()
    assert (said.probabilities.astype(np.float32) == np.stack(own["head.probabilities"])).all()
    own = pq.read_table(numbers / f"predictions/fold-{fold}/score.parquet").to_pandas()
    model = runexp.load_model(numbers, fold=fold)
    found = model.predict(_table(numbers).iloc[own["row"]])
    assert (found["head"].values.reshape(-1) == own["head"]).all()
    own = pq.read_table(votes / f"predictions/fold-{fold}/score.parquet").to_pandas()
    said = runexp.load_model(votes, fold=fold).predict(_table(votes).iloc[own["row"]]).only
    assert (said.labels == own["tree.class"]).all()


def test_all_folds_together_say_the_mean_and_how_far_they_are_apart(classes, numbers):
    together = runexp.load_model(classes)
    assert isinstance(together, runexp.Ensemble)
    assert list(together.members) == ["fold-0", "fold-1", "fold-2"]
    assert "3 folds" in repr(together)
    rows = _table(classes)
    each = np.stack([runexp.load_model(classes, fold=fold).predict(rows).only.probabilities for fold in range(3)])
    said = together.predict(rows).only
    assert said.probabilities == pytest.approx(each.mean(axis=0))
    assert (said.labels == each.mean(axis=0).argmax(axis=1)).all()
    chosen = each[:, np.arange(len(rows)), said.labels]
    assert said.spread == pytest.approx(chosen.std(axis=0, ddof=1))
    rows = _table(numbers)
    each = np.stack([runexp.load_model(numbers, fold=fold).predict(rows)["head"].values for fold in range(3)])
    said = runexp.load_model(numbers).predict(rows)
    assert said["head"].values == pytest.approx(each.mean(axis=0))
    assert said["head"].spread == pytest.approx(each.std(axis=0, ddof=1), rel=1e-4)
    assert list(said.to_pandas()) == ["head", "head.spread"]


def test_classifiers_that_give_classes_alone_vote(votes):
    rows = _table(votes)
    each = np.stack([runexp.load_model(votes, fold=fold).predict(rows).only.labels for fold in range(3)])
    said = runexp.load_model(votes).predict(rows).only
    assert list(said.labels) == [max(sorted(set(column)), key=list(column).count) for column in each.T]
    assert 0 < said.spread.max() < 1
    assert said.spread == pytest.approx(1 - (each == said.labels).mean(axis=0))
    assert [name for name, _ in said.columns()] == ["tree.class", "tree.spread"]


def test_what_folds_do_not_share_is_not_averaged(numbers):
    with pytest.raises(runexp.CannotLoad, match="`pca` is compared with no target"):
        runexp.load_model(numbers, nodes=["pca"])
    assert runexp.load_model(numbers, nodes=["pca"], fold=1).predict(_table(numbers)).only.values.shape == (60, 2)


def test_the_refit_is_what_is_meant_where_there_is_one(refitted):
    rows = _table(refitted)
    plain = runexp.load_model(refitted)
    assert "the refit" in repr(plain)
    assert (
        plain.predict(rows).only.values == runexp.load_model(refitted, fold="refit").predict(rows).only.values
    ).all()
    assert plain.predict(rows).only.labels is not None  # the evaluation that judged it was one of the folds'
    assert len(runexp.load_model(refitted, fold="all")) == 2


def test_on_the_command_line_a_fold_is_chosen_and_told(classes, tmp_path):
    table = classes.parent / "table.csv"
    done = _predict(classes, table, "-o", tmp_path / "all.parquet", "--keep", "id")
    assert done.exit_code == 0, done.output
    assert "60 rows by Ensemble('folded', 3 folds: t.x -> head)" in done.output
    found = pd.read_parquet(tmp_path / "all.parquet")
    assert list(found)[:2] == ["id", "head.class"] and list(found)[-1] == "head.spread"
    done = _predict(classes, table, "-o", tmp_path / "one.csv", "--fold", 2)
    assert "fold 2" in done.output and "head.spread" not in (tmp_path / "one.csv").read_text()


@pytest.mark.parametrize(
    ("fold", "said"),
    [("7", "no model of fold 7; folds that have one: 0, 1, 2"), ("refit", "has no refit"), ("x", "`x` is no fold")],
)
def test_a_fold_that_is_not_there_is_told_and_nothing_written(classes, tmp_path, fold, said):
    done = _predict(classes, classes.parent / "table.csv", "-o", tmp_path / "out.csv", "--fold", fold)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
    assert not list(tmp_path.iterdir())


def test_a_run_without_folds_has_none(tmp_path):
    path = _recorded(tmp_path, "{folds: 3}")
    text = (
        path.read_text()
        .partition("cv:")[0]
        .replace("    transforms:", "    splits: {train: 0.8, val: 0.2}\n    transforms:")
    )
    path.write_text(text)
    run = ran(path, tmp_path / "run").folder
    with pytest.raises(runexp.CannotLoad, match="is no cross-validation"):
        runexp.load_model(run, fold=0)


def test_a_fold_that_failed_is_left_out_and_named(classes, tmp_path):
    run = shutil.copytree(classes, tmp_path / "run")
    summary = json.loads((run / "summary.json").read_text())
    summary["cv"]["folds"][1]["status"] = "failed"
    (run / "summary.json").write_text(json.dumps(summary))
    assert "2 of 3 folds, without fold-1" in repr(runexp.load_model(run))
    (run / "summary.json").unlink()
    with pytest.raises(runexp.CannotLoad, match="has not come to its end"):
        runexp.load_model(run)
    assert runexp.load_model(run, fold=1).kind == "fold 1"


def test_bundles_hold_all_folds_or_one(numbers, tmp_path):
    rows = _table(numbers)
    runexp.export_model(numbers, "bundle", tmp_path / "all")
    runexp.export_model(numbers, "bundle", tmp_path / "one", fold=1)
    own = runexp.load_model(numbers).predict(rows)["head"]
    again = runexp.load_model(tmp_path / "all").predict(rows)["head"]
    assert (again.values == own.values).all() and (again.spread == own.spread).all()
    one = runexp.load_model(numbers, fold=1).predict(rows)["head"].values
    assert (runexp.load_model(tmp_path / "one").predict(rows)["head"].values == one).all()
    assert (runexp.load_model(tmp_path / "all", fold=1).predict(rows)["head"].values == one).all()
    with pytest.raises(runexp.CannotLoad, match="holds one model"):
        runexp.load_model(tmp_path / "one", fold=2)


def test_other_forms_hold_the_folds_apart_or_say_that_they_cannot(numbers, tmp_path):
    runexp.export_model(numbers, "safetensors", tmp_path / "all.safetensors")
    assert sorted(load_file(tmp_path / "all.safetensors"))[:2] == ["fold-0.head.bias", "fold-0.head.weight"]
    runexp.export_model(numbers, "skops", tmp_path / "estimators")
    assert (tmp_path / "estimators/fold-2/pca.skops").is_file()
    with pytest.raises(
        runexp.CannotLoad, match="a network is one model, and these are 3 folds: `--fold 0` exports one"
    ):
        runexp.export_model(numbers, "torch", tmp_path / "all.pt2")
    assert not (tmp_path / "all.pt2").exists()
