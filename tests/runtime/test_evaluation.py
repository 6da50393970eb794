"""Evaluations change nothing, and give scikit-learn's numbers."""

import random

import numpy as np
import pytest
import torch
from sklearn import metrics as judged

from runexp.diagnostics import SpecError
from runtime.tables import columns, final, opened, run, same, weights

NORMED = """\
nodes:
  net:
    inputs: t.x
    layers:
      - torch.nn.Linear: {out_features: 8}
      - torch.nn.BatchNorm1d
      - torch.nn.Dropout: {p: 0.5}
      - torch.nn.Linear: {out_features: 3}
losses: {ce: {node: net, use: cross_entropy, inputs: [outputs, targets.kind]}}
callbacks: {validate: {use: evaluation, split: val, metrics: [accuracy], batch_size: 5}}
phases:
  train: {kind: train, epochs: 3, losses: [ce], batches: {size: 16}, optimizer: {use: adam, with: {lr: 0.01}}}
  test: {kind: eval, split: val, losses: [ce], batch_size: 4}
"""


def generators():
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()


def modes(runtime):
    return [
        (name, part.training, [parameter.requires_grad for parameter in part.parameters()])
        for name, module in runtime.graph.modules.items()
        for part in module.modules()
    ]


def test_an_evaluation_amid_training_changes_no_weight_buffer_mode_or_random_number(tmp_path):
    plan, runtime = opened(tmp_path, NORMED)
    training = runtime.open_train(plan.phase("train"))
    before = weights(runtime), modes(runtime), generators()
    program = runtime.open_eval(plan.phase("test"))
    for context in map(Context, program.draw()):
        program.step(context)
    program.finish()
    assert same(before[0], weights(runtime))
    assert before[1:] == (modes(runtime), generators())
    training.close()


class Context:
    """A step of an evaluation: its chunk alone."""

    def __init__(self, batches):
        self.batches = batches


def test_training_ends_with_the_same_bits_whether_it_is_evaluated_or_not(tmp_path):
    plan, runtime = opened(tmp_path, NORMED)
    run(plan, runtime, "train")
    plain = weights(runtime)
    text = NORMED.replace("epochs: 3,", "epochs: 3, callbacks: [validate],")
    plan, runtime = opened(tmp_path, text)
    run(plan, runtime, "train")
    assert same(plain, weights(runtime))


def test_an_evaluation_gives_the_numbers_of_the_weights_as_they_are_now(tmp_path):
    plan, runtime = opened(tmp_path, NORMED)
    for _ in range(2):
        run(plan, runtime, "train")
        found = final(run(plan, runtime, "test"), "test")["loss"]
        x, y = columns(runtime, "val", "x", "kind")
        with torch.no_grad():
            expected = torch.nn.functional.cross_entropy(runtime.graph.modules["net"](x), y)
        assert found == pytest.approx(expected.item(), rel=1e-6)


def measured(folder, n, loss, target, metrics, *, layer=""):
    text = f"""\
nodes:
  net: {{inputs: t.x, layers: [{{torch.nn.Linear: {{out_features: {n}}}}}{layer}]}}
losses: {{judged: {{node: net, use: {loss}, inputs: [outputs, targets.{target}]}}}}
phases:
  train: {{kind: train, epochs: 2, losses: [judged], optimizer: {{use: adam, with: {{lr: 0.02}}}}}}
  test: {{kind: eval, split: val, losses: [judged], metrics: {metrics}, batch_size: 6}}
"""
    plan, runtime = opened(folder, text)
    found = final(run(plan, runtime), "test")
    x, y = columns(runtime, "val", "x", target)
    with torch.no_grad():
        return found, runtime.graph.modules["net"](x), y.numpy()


def test_metrics_of_binary_logits_are_those_of_scikit_learn(tmp_path):
    found, output, y = measured(
        tmp_path, 1, "bce_with_logits", "flag", "[accuracy, f1_macro, roc_auc, brier, log_loss]"
    )
    chance = torch.sigmoid(output)[:, 0].numpy()
    assert found["accuracy"] == judged.accuracy_score(y, chance > 0.5)
    assert found["f1_macro"] == judged.f1_score(y, chance > 0.5, average="macro")
    assert found["roc_auc"] == judged.roc_auc_score(y, chance)
    assert found["brier"] == pytest.approx(judged.brier_score_loss(y, chance), rel=1e-6)
    assert found["log_loss"] == pytest.approx(judged.log_loss(y, chance), rel=1e-6)


def test_metrics_of_binary_probabilities_are_those_of_scikit_learn(tmp_path):
    found, output, y = measured(tmp_path, 1, "bce", "flag", "[accuracy, roc_auc]", layer=", torch.nn.Sigmoid")
    chance = output[:, 0].numpy()
    assert found["accuracy"] == judged.accuracy_score(y, chance > 0.5)
    assert found["roc_auc"] == judged.roc_auc_score(y, chance)


@pytest.mark.parametrize(
    ("loss", "layer"),
    [("cross_entropy", ""), ("nll", ", {torch.nn.LogSoftmax: {dim: 1}}")],
    ids=["logits", "logarithms of chances"],
)
def test_metrics_of_several_classes_are_those_of_scikit_learn(loss, layer, tmp_path):
    wanted = "[accuracy, f1_macro, balanced_accuracy, log_loss, roc_auc_ovr]"
    found, output, y = measured(tmp_path, 3, loss, "kind", wanted, layer=layer)
    chances, labels = torch.softmax(output.double(), 1).numpy(), output.argmax(1).numpy()
    assert found["accuracy"] == judged.accuracy_score(y, labels)
    assert found["f1_macro"] == judged.f1_score(y, labels, average="macro")
    assert found["balanced_accuracy"] == judged.balanced_accuracy_score(y, labels)
    assert found["log_loss"] == pytest.approx(judged.log_loss(y, chances), rel=1e-5)
    assert found["roc_auc_ovr"] == pytest.approx(judged.roc_auc_score(y, chances, multi_class="ovr"))


def test_metrics_of_two_classes_by_two_outputs_are_those_of_scikit_learn(tmp_path):
    found, output, y = measured(tmp_path, 2, "cross_entropy", "flag", "[accuracy, roc_auc]")
    assert found["accuracy"] == judged.accuracy_score(y, output.argmax(1).numpy())
    assert found["roc_auc"] == judged.roc_auc_score(y, torch.softmax(output, 1)[:, 1].numpy())


def test_metrics_of_numbers_are_those_of_scikit_learn(tmp_path):
    found, output, y = measured(tmp_path, 1, "mse", "value", "[r2, mae, rmse]")
    values = output[:, 0].numpy()
    assert found["r2"] == pytest.approx(judged.r2_score(y, values), rel=1e-6)
    assert found["mae"] == pytest.approx(judged.mean_absolute_error(y, values), rel=1e-6)
    assert found["rmse"] == pytest.approx(judged.root_mean_squared_error(y, values), rel=1e-6)


def test_metrics_of_several_flags_are_those_of_scikit_learn(tmp_path):
    found, output, y = measured(tmp_path, 2, "bce_with_logits", "flags", "[accuracy, f1_macro, hamming]")
    labels = (output > 0).numpy().astype(int)
    assert found["accuracy"] == judged.accuracy_score(y, labels)
    assert found["f1_macro"] == judged.f1_score(y, labels, average="macro")
    assert found["hamming"] == judged.hamming_loss(y, labels)


def test_a_metric_of_classes_over_numbers_is_refused_before_anything_starts(tmp_path):
    with pytest.raises(SpecError) as caught:
        measured(tmp_path, 1, "mse", "value", "[accuracy]")
    assert [(item.code, item.path) for item in caught.value.diagnostics] == [("wrong-metric", "phases.test.metrics[0]")]


def test_a_metric_that_is_undefined_on_a_split_says_which_and_where(tmp_path):
    with pytest.raises(SpecError) as caught:
        measured(tmp_path, 1, "mse", "value", "[{use: log_loss, node: net, inputs: [outputs, targets.value]}]")
    found = caught.value.diagnostics
    assert [(item.code, item.path) for item in found] == [("undefined-metric", "phases.test.metrics[0]")]
    assert "`log_loss`" in found[0].message
