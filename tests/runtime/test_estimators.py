"""Scikit-learn estimators as nodes: alone, before networks and behind them."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.preprocessing import StandardScaler

from runexp.diagnostics import SpecError
from runexp.events import NodeFitted
from runexp.runtime.columns import Columns
from runexp.runtime.graph.forward import Forward
from runtime.tables import columns, final, opened, run, same, weights

CHAIN = """\
nodes:
  scale: {inputs: t.x, use: sklearn.preprocessing.StandardScaler}
  pca: {inputs: scale, use: sklearn.decomposition.PCA, with: {n_components: 2}}
  logistic: {inputs: pca, use: sklearn.linear_model.LogisticRegression, with: {C: 0.5}}
  net: {inputs: pca, use: torch.nn.Linear, with: {out_features: 3}}
losses: {ce: {node: net, use: cross_entropy, inputs: [outputs, targets.kind]}}
phases:
  fit: {kind: fit, targets: {logistic: targets.kind}}
  train: {kind: train, epochs: 2, losses: [ce], optimizer: {use: adam, with: {lr: 0.05}}}
  refit: {kind: fit, nodes: [scale, pca], split: val}
  test: {kind: eval, split: val, losses: [ce], batch_size: 4}
  classic: {kind: eval, split: val, metrics: [{use: accuracy, node: logistic, inputs: [outputs, targets.kind]},
                                              {use: f1_macro, node: logistic, inputs: [outputs, targets.kind]}]}
"""


def by_hand(runtime, split="train"):
    train, target = (column.numpy() for column in columns(runtime, split, "x", "kind"))
    scale = StandardScaler().fit(train)
    pca = PCA(2).fit(scale.transform(train).astype(np.float32))
    reduced = pca.transform(scale.transform(train).astype(np.float32)).astype(np.float32)
    return scale, pca, LogisticRegression(C=0.5).fit(reduced, target)


def test_a_pipeline_of_estimators_gives_scikit_learns_own_numbers(tmp_path):
    plan, runtime = opened(tmp_path, CHAIN)
    run(plan, runtime, "fit")
    found = final(run(plan, runtime, "classic"), "classic")
    scale, pca, logistic = by_hand(runtime)
    x, y = (column.numpy() for column in columns(runtime, "val", "x", "kind"))
    labels = logistic.predict(pca.transform(scale.transform(x)))
    assert found["accuracy"] == accuracy_score(y, labels)
    assert found["f1_macro"] == f1_score(y, labels, average="macro")


def test_a_network_behind_an_estimator_is_built_once_that_is_fitted(tmp_path):
    plan, runtime = opened(tmp_path, CHAIN)
    assert runtime.graph.modules == {}
    events = run(plan, runtime, "fit")
    assert [event.node for event in events if isinstance(event, NodeFitted)] == ["scale", "pca", "logistic"]
    assert runtime.graph.modules["net"].in_features == 2


def test_an_estimator_behind_a_network_is_fitted_on_what_the_network_gives(tmp_path):
    text = """\
nodes:
  net: {inputs: t.x, use: torch.nn.Linear, with: {out_features: 3}}
  pca: {inputs: net, use: sklearn.decomposition.PCA, with: {n_components: 2}}
  head: {inputs: pca, use: torch.nn.Linear, with: {out_features: 3}}
losses: {ce: {node: head, use: cross_entropy, inputs: [outputs, targets.kind]}}
phases:
  fit: {kind: fit}
  train: {kind: train, epochs: 1, nodes: [head], losses: [ce], optimizer: {use: sgd, with: {lr: 0.1}}}
  test: {kind: eval, split: val, losses: [ce], batch_size: 5}
"""
    plan, runtime = opened(tmp_path, text)
    found = final(run(plan, runtime), "test")["loss"]
    train, x, y = *columns(runtime, "train", "x"), *columns(runtime, "val", "x", "kind")
    net, head = runtime.graph.modules["net"], runtime.graph.modules["head"]
    with torch.no_grad():
        pca = PCA(2).fit(net(train).numpy())
        reduced = torch.from_numpy(pca.transform(net(x).numpy()).astype(np.float32))
        assert found == pytest.approx(torch.nn.functional.cross_entropy(head(reduced), y).item(), rel=1e-5)


def test_two_inputs_by_keyword_reach_the_network_under_their_names_while_fitting_too(tmp_path):
    text = """\
nodes:
  a: {inputs: t.x, use: torch.nn.Linear, with: {out_features: 3}}
  b: {inputs: t.x, use: torch.nn.Linear, with: {out_features: 5}}
  both:
    inputs: {input2: b, input1: a}
    use: torch.nn.Bilinear
    with: {in1_features: 3, in2_features: 5, out_features: 4}
  pca: {inputs: both, use: sklearn.decomposition.PCA, with: {n_components: 2}}
phases: {fit: {kind: fit}}
"""
    plan, runtime = opened(tmp_path, text)
    run(plan, runtime)
    x = columns(runtime, "train", "x")[0]
    modules = runtime.graph.modules
    with torch.no_grad():
        expected = PCA(2).fit(modules["both"](modules["a"](x), modules["b"](x)).numpy())
    assert np.allclose(runtime.graph.estimators["pca"].components_, expected.components_, atol=1e-4)


def test_an_estimator_run_once_over_all_rows_gives_what_it_gives_batch_by_batch(tmp_path):
    plan, runtime = opened(tmp_path, CHAIN)
    run(plan, runtime, "fit")
    phase = plan.phase("train")
    made = Columns(runtime.graph, runtime.sets, "train", ["t"], phase.origin)
    assert made.hoisted(phase.nodes) == ("scale", "pca")
    forward = Forward(runtime.graph, phase.nodes)  # nothing given: every estimator runs in the batch
    batches = zip(*[made.column(slot).split(7) for slot in forward.columns], strict=True)
    outputs = torch.cat([forward(batch)[forward.slot(("node", "pca", ""))] for batch in batches])
    assert torch.allclose(outputs, made.column(("node", "pca", "")), atol=1e-6)


def test_a_batch_carries_only_the_outputs_of_estimators_that_something_reads(tmp_path):
    plan, runtime = opened(tmp_path, CHAIN)
    run(plan, runtime, "fit")
    program = runtime.open_train(plan.phase("train"))
    shapes = [tuple(column.shape[1:]) for column in next(iter(program.draw(0)))]
    program.close()
    assert shapes == [(2,), ()]


def test_an_estimator_can_feed_a_loss_directly(tmp_path):
    text = CHAIN.replace("losses: {", "losses: {apart: {node: pca, use: mse, inputs: [outputs, targets.flags]}, ")
    text = text.replace("losses: [ce], batch_size", "losses: [apart, ce], batch_size")
    plan, runtime = opened(tmp_path, text)
    run(plan, runtime, "fit")
    found = final(run(plan, runtime, "test"), "test")["apart"]
    scale, pca, _ = by_hand(runtime)
    x, flags = (column.numpy() for column in columns(runtime, "val", "x", "flags"))
    assert found == pytest.approx(np.square(pca.transform(scale.transform(x)) - flags).mean(), rel=1e-5)


def test_an_evaluation_sees_estimators_fitted_anew(tmp_path):
    plan, runtime = opened(tmp_path, CHAIN)
    run(plan, runtime, "fit")
    run(plan, runtime, "train")
    before = final(run(plan, runtime, "test"), "test")["loss"]
    run(plan, runtime, "refit")
    after = final(run(plan, runtime, "test"), "test")["loss"]
    scale, pca, _ = by_hand(runtime, "val")
    x, y = columns(runtime, "val", "x", "kind")
    reduced = torch.from_numpy(pca.transform(scale.transform(x.numpy())).astype(np.float32))
    with torch.no_grad():
        expected = torch.nn.functional.cross_entropy(runtime.graph.modules["net"](reduced), y).item()
    assert after == pytest.approx(expected, rel=1e-4)
    assert after != before


def test_a_snapshot_takes_back_estimators_fitted_and_networks_built_since(tmp_path):
    plan, runtime = opened(tmp_path, CHAIN)
    start = runtime.snapshot()
    run(plan, runtime, "fit")
    first = weights(runtime)
    run(plan, runtime, "train")
    runtime.restore(start)
    assert (runtime.graph.modules, runtime.graph.estimators, runtime.graph.frozen) == ({}, {}, set())
    run(plan, runtime, "fit")
    assert same(first, weights(runtime))


def test_a_snapshot_brings_back_an_estimator_that_was_fitted_anew_since(tmp_path):
    plan, runtime = opened(tmp_path, CHAIN)
    run(plan, runtime, "fit")
    before = final(run(plan, runtime, "test"), "test")
    kept = runtime.snapshot()
    run(plan, runtime, "refit")
    run(plan, runtime, "test")
    runtime.restore(kept)
    assert final(run(plan, runtime, "test"), "test") == before


def test_an_estimator_fitted_anew_to_another_shape_is_refused_where_a_network_stands_behind_it(tmp_path):
    text = CHAIN.replace("n_components: 2", "n_components: 0.7").replace(
        "[scale, pca], split: val", "[pca], split: val"
    )
    text = text.replace("pca: {inputs: scale", "pca: {inputs: t.x")
    plan, runtime = opened(tmp_path, text)
    run(plan, runtime, "fit")
    with pytest.raises(SpecError) as caught:
        run(plan, runtime, "refit")
    assert [(item.code, item.path) for item in caught.value.diagnostics] == [("shape-mismatch", "nodes.pca")]
