"""Estimators that learn from the batches of a train phase, by `partial_fit`."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import IncrementalPCA
from sklearn.linear_model import SGDClassifier

from resume.runs import begin, go_on
from runexp.api.checking import check
from runexp.api.opening import StoredRun
from runexp.api.previewing import Length, Preview
from runexp.api.running import build
from runexp.engine.experiment import Experiment

SPEC = """\
runexp: 1
name: parts
seed: 3
execution: {device: cpu, threads: 1}
data:
  d:
    source: sklearn.datasets.load_digits
    features: {x: pixel_*}
    targets: {kind: target}
    splits: {train: 0.5, val: 0.3, rest: 0.2}
nodes:
  pca: {inputs: d.x, use: sklearn.decomposition.IncrementalPCA, with: {n_components: 8}}
  clf: {inputs: pca, use: sklearn.linear_model.SGDClassifier, method: predict, with: {random_state: 5}}
callbacks:
  look: {use: evaluation, split: val, metrics: [{use: accuracy, node: clf}]}
phases:
  compress: {kind: train, nodes: [pca], epochs: 1, batches: {size: 128, shuffle: false}}
  learn:
    kind: train
    nodes: [clf]
    epochs: 3
    batches: {size: 64}
    callbacks: [look%s]
    checkpoints: {max_to_keep: 2, monitor: val_accuracy}
  test: {kind: eval, split: rest, metrics: [{use: accuracy, node: clf}], record: [predictions]}
"""

STOP = "{use: early_stopping, monitor: val_accuracy, patience: 1"


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC % "")
    return path


def test_the_numbers_are_those_of_scikit_learns_own_loop(spec):
    """S-24: the same batches in the same order give the same estimator, bit for bit."""
    checked = check(spec)
    runtime = build(checked)
    drawn = []
    open_train = runtime.open_train

    def watched(plan):
        program = open_train(plan)
        step = program.step
        program.step = lambda context: (
            drawn.append((plan.label, [one.numpy() for one in context.batches])),
            step(context),
        )
        return program

    runtime.open_train = watched
    events = list(Experiment(checked.linked, runtime).run())
    assert events[-1].status == "completed", events[-1]
    pca, clf = IncrementalPCA(n_components=8), SGDClassifier(random_state=5)
    features = runtime.sets["d"]
    rows = features.splits["train"]
    for start in range(0, len(rows), 128):
        pca.partial_fit(features.array("x")[rows][start : start + 128])
    assert np.array_equal(runtime.graph.estimators["pca"].components_, pca.components_)
    classes = np.unique(features.array("kind")[rows])
    batches = [batch for label, batch in drawn if label == "learn"]
    assert len(batches) == 3 * -(-len(rows) // 64)
    for batch in batches:
        values = next(one for one in batch if one.ndim == 2)
        clf.partial_fit(values, next(one for one in batch if one.ndim == 1), classes=classes)
    assert np.array_equal(runtime.graph.estimators["clf"].coef_, clf.coef_)
    test = features.splits["rest"]
    said = clf.predict(pca.transform(features.array("x")[test]).astype(np.float32))
    assert events[-2].metrics["accuracy"] == np.mean(said == features.array("kind")[test])


@pytest.mark.parametrize("after", [12, *(pytest.param(after, marks=pytest.mark.slow) for after in (3, 30))])
def test_a_run_that_was_broken_off_goes_on_exactly(after, spec, tmp_path):
    """S-40: in the first phase, amid an epoch of the second; estimators are kept by skops."""
    assert begin(spec, tmp_path / "whole").status == "completed"
    assert begin(spec, tmp_path / "run", after=after).status == "interrupted"
    assert go_on(tmp_path / "run").status == "completed"
    whole, run = StoredRun(tmp_path / "whole"), StoredRun(tmp_path / "run")
    assert run.summary() == whole.summary()
    assert (run.folder / "metrics.csv").read_text() == (whole.folder / "metrics.csv").read_text()
    assert run.predictions("test").to_arrow().equals(whole.predictions("test").to_arrow())


def test_a_preview_leaves_an_estimator_as_it_was(spec):
    """S-30: also one that has learned before."""
    preview = Preview(check(spec), "learn")
    assert preview.waits_for == ("pca",)
    run = preview.run(Length(n_epochs=1, with_earlier=True), watch=lambda live: ())
    assert run.status == "completed"
    assert preview.waits_for == ("pca",)


def test_early_stopping_ends_it_and_evaluations_see_each_epoch(spec, tmp_path):
    """S-35."""
    stop = ", {use: early_stopping, monitor: val_accuracy, patience: 1, min_delta: 0.9}"
    spec.write_text((SPEC % stop).replace("epochs: 3", "epochs: 9"))
    assert begin(spec, tmp_path / "run").status == "completed"
    learned = StoredRun(tmp_path / "run")["learn"]
    assert learned.n_epochs == 2
    series = learned.metrics.series("val_accuracy").values()
    assert len(series) == 2
    assert series[0] != series[1]


@pytest.mark.parametrize(
    ("old", "new", "code", "told"),
    [
        ("nodes: [clf]", "nodes: [clf, pca]", "wrong-node", "which this phase changes"),
        ("IncrementalPCA", "PCA", "wrong-node", "has no `partial_fit`"),
        ("nodes: [clf]", "nodes: [clf]\n    accumulate: 2", "exclusive-keys", "`accumulate` is about gradients"),
        ("callbacks: [look]", "callbacks: [look, {use: ema}]", "wrong-value", "looks at weights"),
        ("look]", f"look, {STOP}, restore_best: true}}]", "wrong-value", "restores weights"),
        ("split: val, m", "split: val, at_start: true, m", "unfitted-node", "has learned nothing"),
        ("look]", "look, {use: early_stopping, monitor: train_loss, patience: 1}]", "unknown-monitor", "train_loss"),
        ("    nodes: [clf]\n", "", "missing-key", "lacks the key `losses`"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_there_is_refused_at_its_line(old, new, code, told, spec):
    """S-49."""
    text = SPEC % ""
    assert old in text
    spec.write_text(text.replace(old, new, 1))
    errors = [found for found in check(spec).diagnostics if found.is_error]
    assert code in {found.code for found in errors}
    assert any(told in found.message for found in errors)


def test_an_estimator_without_targets_learns_too(spec, tmp_path):
    """S-24."""
    spec.write_text(
        (SPEC % "").split("nodes:\n")[0]
        + "nodes:\n  means: {inputs: d.x, use: sklearn.cluster.MiniBatchKMeans, method: predict}\n"
        + "phases:\n  learn: {kind: train, nodes: [means], epochs: 2, batches: {size: 128}}\n"
    )
    assert begin(spec, tmp_path / "run").status == "completed"
