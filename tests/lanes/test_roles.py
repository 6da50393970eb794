"""Rows drawn together: a node is called once for each role, with the same weights (S-06)."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lanes.specs import compiled, opened, run, same, steps, write_table
from runexp.diagnostics import SpecError
from runexp.events import PhaseFinished

SPEC = """\
runexp: 1
name: roles
seed: 3
execution: {device: cpu, threads: 1}
data:
  a: {source: a.csv, features: {x: "x*"}, targets: {y: y, kind: kind}, splits: {train: 0.5, val: 0.5}}
samplers:
  triples: {use: triplets, match: {kind: {same: true}}, size: 8}
  close: {use: pairs, match: {y: {within: 2.0}}, size: 8, closeness: true}
nodes:
  encoder: {inputs: a.x, layers: [{torch.nn.Linear: {out_features: 4}}, torch.nn.Tanh]}
  head: {inputs: encoder, use: torch.nn.Linear, with: {out_features: 3}}
losses:
  apart: {node: encoder, use: torch.nn.TripletMarginLoss, inputs: [outputs.anchor, outputs.positive, outputs.negative]}
  ce: {node: head, use: cross_entropy, inputs: [outputs.anchor, targets.kind.anchor], weight: 0.5}
phases:
  train: {kind: train, epochs: 2, batches: triples, losses: [apart, ce], optimizer: {use: sgd, with: {lr: 0.1}}}
"""


@pytest.fixture
def table(tmp_path):
    write_table(tmp_path / "a.csv", 60)
    return tmp_path


def weights(runtime):
    modules = runtime.graph.modules.items()
    return {f"{node}.{name}": value.clone() for node, module in modules for name, value in module.state_dict().items()}


def refused(folder, text):
    with pytest.raises(SpecError) as found:
        compiled(folder, text)
    return [(one.code, f"{one.message} {one.help}") for one in found.value.diagnostics]


def test_a_siamese_step_gives_the_weights_of_the_loop_by_hand_bit_for_bit(table):
    plan, runtime = opened(table, SPEC)
    start = runtime.snapshot()
    run(plan, runtime)
    ours = weights(runtime)
    runtime.restore(start)
    encoder, head = (runtime.graph.modules[name].train().requires_grad_(True) for name in ("encoder", "head"))
    optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1, fused=True)
    program = runtime.open_train(plan.phase("train"))
    apart = nn.TripletMarginLoss()
    for epoch in range(2):
        for step in steps(program, epoch):
            *drawn, label = step.batches.values
            anchor, positive, negative = map(encoder, drawn)
            logits = head(anchor)
            total = apart(anchor, positive, negative) + 0.5 * nn.functional.cross_entropy(logits, label)
            total.backward()
            optimizer.step()
            optimizer.zero_grad()
    assert same(ours, weights(runtime))


def test_anchors_and_positives_are_of_one_kind_and_negatives_of_another(table):
    plan, runtime = opened(table, SPEC)
    features = runtime.sets["a"]
    kind = {tuple(x): k for x, k in zip(features.array("x").tolist(), features.array("kind").tolist(), strict=True)}
    program = runtime.open_train(plan.phase("train"))
    n_seen = 0
    for step in steps(program):
        anchors, positives, negatives = (value.tolist() for value in step.batches.values[:3])
        for anchor, positive, negative in zip(anchors, positives, negatives, strict=True):
            assert anchor != positive
            assert kind[tuple(anchor)] == kind[tuple(positive)] != kind[tuple(negative)]
            n_seen += 1
    assert n_seen == 30


def test_pairs_can_be_evaluated_and_do_not_depend_on_the_chunk_or_on_who_asks(table):
    """S-19, S-23: the sampler of the phase, drawn once in a fixed order; the same pairs in an eval phase."""
    more = """\
  test: {kind: eval, split: val, losses: [apart, ce], sampler: triples}
  test_small: {kind: eval, split: val, losses: [apart, ce], sampler: triples, batch_size: 3}
callbacks:
  judge: {use: evaluation, split: val, batch_size: 7, metrics: [{use: accuracy, node: head}]}
"""
    plan, runtime = opened(table, SPEC.replace("lr: 0.1}}}", "lr: 0.1}}, callbacks: [judge]}") + more)
    final = {event.phase: dict(event.metrics) for event in run(plan, runtime) if isinstance(event, PhaseFinished)}
    assert final["test"] == pytest.approx(final["test_small"], rel=1e-5)
    assert final["test"]["apart"] == pytest.approx(final["train"]["val_apart"], rel=1e-5)
    rows = torch.from_numpy(runtime.sets["a"].splits["val"])
    x, kind = (runtime.sets["a"].tensor(key, "cpu")[rows] for key in ("x", "kind"))
    encoder, head = runtime.graph.modules["encoder"], runtime.graph.modules["head"]
    right = head(encoder(x)).argmax(1) == kind
    assert final["train"]["val_accuracy"] == pytest.approx(right.double().mean().item())  # every row is an anchor once


def test_weights_of_pairs_reach_losses(table, tmp_path):
    (tmp_path / "spec.yaml").unlink(missing_ok=True)
    text = SPEC.replace("batches: triples, losses: [apart, ce]", "batches: close, losses: [weighed]").replace(
        "losses:\n", "losses:\n  weighed: {node: encoder, use: gaussian_nll, inputs: {input: outputs.anchor, "
        "target: features.x.anchor, var: sampler.weights}}\n",
    )  # fmt: skip
    found = compiled(table, text.replace("out_features: 4", "out_features: 2")).phase("train").losses[0]
    assert [str(route) for route in found.routes] == ["encoder.outputs.anchor", "a.x.anchor", "sampler.weights"]


def test_a_node_may_take_the_calls_of_another_by_role(table):
    """Then it runs once: a classifier of pairs."""
    text = SPEC.replace("batches: triples, losses: [apart, ce]", "batches: close, losses: [near]")
    both = "{inputs: {input1: encoder.anchor, input2: encoder.pair}, use: torch.nn.Bilinear, with: %s}"
    sizes = "{in1_features: 4, in2_features: 4, out_features: 1}"
    text = text.replace("{inputs: encoder, use: torch.nn.Linear, with: {out_features: 3}}", both % sizes)
    lines = [line for line in text.splitlines() if not line.startswith("  ce:")]
    text = "\n".join(lines).replace("losses:\n  apart", f"losses:\n  near: {NEAR}\n  apart")
    plan, runtime = opened(table, text)
    final = [dict(event.metrics) for event in run(plan, runtime) if isinstance(event, PhaseFinished)]
    assert final[0]["train_near"] < 10
    assert runtime.graph.modules["head"].weight.grad is None


NEAR = "{node: head, use: mse, inputs: [outputs, targets.y.pair]}"
REFERENCES = [
    pytest.param("outputs.positive", "outputs.postive", "unknown-role", "did you mean `positive`", id="misspelled"),
    pytest.param("outputs.anchor, targets.kind.anchor", "outputs, targets.kind.anchor", "ambiguous-role",
                 "`outputs.anchor`", id="outputs of which"),
    pytest.param("targets.kind.anchor", "targets.kind", "ambiguous-role", "`targets.kind.anchor`",
                 id="target of which"),
    pytest.param("targets.kind.anchor", "targets.kind.ancor", "unknown-role", "did you mean `anchor`", id="of no role"),
    pytest.param("outputs.negative]", "outputs.negative, sampler.weights]", "unknown-reference", "closeness",
                 id="no weights"),
    pytest.param("batches: triples, ", "", "unknown-role", "a sampler of pairs, triplets", id="rows drawn alone"),
    pytest.param("batches: triples", "batches: triple", "unknown-sampler", "did you mean `triples`",
                 id="no such sampler"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "code", "text"), REFERENCES)
def test_a_reference_to_what_is_not_drawn_is_told_with_the_nearest_name(before, after, code, text, table):
    assert before in SPEC
    found = refused(table, SPEC.replace(before, after, 1))
    assert code in [each for each, _ in found]
    assert text in " ".join(words for each, words in found if each == code)


def test_a_triplet_network_learns_digits(tmp_path):
    text = """\
    runexp: 1
    name: digits
    execution: {device: cpu, threads: 1}
    data:
      digits:
        source: sklearn.datasets.load_digits
        features: {pixels: pixel_*}
        targets: {label: target}
        splits: {train: 0.7, val: 0.3, stratify_by: label}
        transforms: [{on: pixels, use: sklearn.preprocessing.StandardScaler}]
    samplers:
      triples: {use: triplets, match: {label: {same: true}}, size: 64}
    nodes:
      encoder: {inputs: digits.pixels, layers: [{torch.nn.Linear: {out_features: 64}}, torch.nn.ReLU, {torch.nn.Linear: {out_features: 8}}]}
    losses:
      apart: {node: encoder, use: torch.nn.TripletMarginLoss, inputs: [outputs.anchor, outputs.positive, outputs.negative]}
    phases:
      before: {kind: eval, split: val, losses: [apart], sampler: triples}
      train: {kind: train, epochs: 6, batches: triples, losses: [apart], optimizer: {use: adam, with: {lr: 3e-3}}}
      after: {kind: eval, split: val, losses: [apart], sampler: triples}
    """  # noqa: E501 - a spec as users write it
    plan, runtime = opened(tmp_path, text)
    final = {event.phase: dict(event.metrics) for event in run(plan, runtime) if isinstance(event, PhaseFinished)}
    assert final["after"]["apart"] < 0.15 * final["before"]["apart"]
    features = runtime.sets["digits"]
    train, val = (torch.from_numpy(features.splits[split]) for split in ("train", "val"))
    with torch.no_grad():
        places = runtime.graph.modules["encoder"](features.tensor("pixels", "cpu"))
    label = features.tensor("label", "cpu")
    nearest = torch.cdist(places[val], places[train]).argmin(dim=1)
    assert (label[train][nearest] == label[val]).double().mean() > 0.9
