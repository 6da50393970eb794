"""Every loss of the catalog on data that suits it, and data that suits none."""

import pytest
import torch

from runexp.catalog import lookup, names
from runexp.diagnostics import SpecError
from runtime.tables import HEAD, columns, final, opened, run

# loss → outputs of the network, layer behind it, target, arguments
SUITED = {
    "torch.nn.BCELoss": (1, "torch.nn.Sigmoid", "flag"),
    "torch.nn.BCEWithLogitsLoss": (1, "", "flag"),
    "torch.nn.CrossEntropyLoss": (3, "", "kind"),
    "torch.nn.HingeEmbeddingLoss": (1, "", "sign"),
    "torch.nn.HuberLoss": (1, "", "value"),
    "torch.nn.KLDivLoss": (3, "torch.nn.LogSoftmax: {dim: 1}", "share"),
    "torch.nn.L1Loss": (1, "", "value"),
    "torch.nn.MSELoss": (1, "", "value"),
    "torch.nn.MultiLabelMarginLoss": (2, "", "flags"),
    "torch.nn.MultiLabelSoftMarginLoss": (2, "", "flags"),
    "torch.nn.MultiMarginLoss": (3, "", "kind"),
    "torch.nn.NLLLoss": (3, "torch.nn.LogSoftmax: {dim: 1}", "kind"),
    "torch.nn.PoissonNLLLoss": (1, "", "chance"),
    "torch.nn.SmoothL1Loss": (1, "", "value"),
    "torch.nn.SoftMarginLoss": (1, "", "sign"),
}
MORE_INPUTS = {
    "torch.nn.CTCLoss", "torch.nn.CosineEmbeddingLoss", "torch.nn.GaussianNLLLoss", "torch.nn.LinearCrossEntropyLoss",
    "torch.nn.MarginRankingLoss", "torch.nn.TripletMarginLoss", "torch.nn.TripletMarginWithDistanceLoss", "causal_lm",
    "contrastive", "pairwise_distance",  # over pairs of rows: tests/pairs
}  # fmt: skip


def spec(n, loss, target, *, layer="", losses="[judged]", more="", batch_size=10, inputs="t.x", evals=""):
    return f"""\
nodes:
  net:
    inputs: {inputs}
    layers:
      - torch.nn.Linear: {{out_features: {n}}}
      {f"- {layer}" if layer else ""}
losses:
  judged: {{node: net, use: {loss}, inputs: [outputs, {target}]}}
{more}
phases:
  train: {{kind: train, epochs: 1, batches: {{size: 16}}, losses: {losses}, optimizer: {{use: sgd, with: {{lr: 0.1}}}}}}
  test: {{kind: eval, split: val, losses: {losses}, batch_size: {batch_size}{evals}}}
"""


def test_every_loss_of_the_catalog_is_tried_or_wants_more_than_output_and_target():
    assert {lookup(name, "loss").name for name in names("loss")} == SUITED.keys() | MORE_INPUTS


@pytest.mark.parametrize("loss", SUITED)
def test_a_loss_that_wants_output_and_target_gives_what_torch_gives(loss, tmp_path):
    n, layer, target = SUITED[loss]
    plan, runtime = opened(tmp_path, spec(n, loss, f"targets.{target}", layer=layer))
    found = final(run(plan, runtime), "test")["judged"]
    x, y = columns(runtime, "val", "x", target)
    with torch.no_grad():
        output = runtime.graph.modules["net"](x)
        expected = getattr(torch.nn, loss.rpartition(".")[2])()(output, _as_wanted(y, output, n))
    assert found == pytest.approx(expected.item(), rel=1e-6)


def _as_wanted(target, output, n):
    if n == 1:
        return target[:, None].to(output.dtype)
    return target.to(output.dtype) if target.is_floating_point() else target


@pytest.mark.parametrize(
    ("n", "loss", "target", "code"),
    [
        pytest.param(2, "mse", "targets.value", "shape-mismatch", id="two outputs, one number"),
        pytest.param(1, "mse", "targets.flags", "shape-mismatch", id="one output, two numbers"),
        pytest.param(2, "multi_label_soft_margin", "targets.flag", "shape-mismatch", id="two outputs, one flag"),
        pytest.param(2, "cross_entropy", "targets.kind", "wrong-classes", id="a class too many"),
        pytest.param(3, "cross_entropy", "targets.sign", "wrong-classes", id="a class below 0"),
        pytest.param(3, "nll", "targets.value", "wrong-classes", id="classes with decimals"),
        pytest.param(2, "cross_entropy", "targets.flags", "shape-mismatch", id="two classes a row"),
    ],
)
def test_a_target_that_does_not_fit_is_refused_where_the_loss_was_written(n, loss, target, code, tmp_path):
    with pytest.raises(SpecError) as caught:
        opened(tmp_path, spec(n, loss, target))
    found = caught.value.diagnostics
    assert [(item.code, item.path, item.span.line) for item in found] == [(code, "losses.judged", 18)]


def test_labels_given_by_keyword_are_checked_too(tmp_path):
    text = spec(2, "cross_entropy", "targets.kind").replace(
        "[outputs, targets.kind]", "{target: targets.kind, input: outputs}"
    )
    with pytest.raises(SpecError) as caught:
        opened(tmp_path, text)
    assert [item.code for item in caught.value.diagnostics] == ["wrong-classes"]


def test_two_losses_read_the_same_target_each_in_its_own_form(tmp_path):
    more = """\
  number: {node: level, use: mse, inputs: [outputs, targets.kind]}
"""
    text = spec(3, "cross_entropy", "targets.kind", more=more, losses="[number, judged]")
    text = text.replace(
        "losses:\n  judged", "  level: {inputs: t.x, use: torch.nn.Linear, with: {out_features: 1}}\nlosses:\n  judged"
    )
    text = text.replace("batch_size: 10", "batch_size: 10, metrics: [{use: accuracy, node: net}]")
    plan, runtime = opened(tmp_path, text)
    found = final(run(plan, runtime), "test")
    x, y = columns(runtime, "val", "x", "kind")
    with torch.no_grad():
        modules = runtime.graph.modules
        assert found["judged"] == pytest.approx(
            torch.nn.functional.cross_entropy(modules["net"](x), y).item(), rel=1e-6
        )
        assert found["number"] == pytest.approx((modules["level"](x)[:, 0] - y).square().mean().item(), rel=1e-6)
        assert found["accuracy"] == pytest.approx((modules["net"](x).argmax(1) == y).double().mean().item())


def test_a_feature_that_is_also_a_target_reaches_the_network_as_it_is(tmp_path):
    # Compared with (N, 1) the column (N,) gets an axis more; the embedding must not see it.
    text = spec(1, "mse", "t.kind", inputs="code").replace(
        "nodes:\n",
        "nodes:\n  code: {inputs: t.kind, use: torch.nn.Embedding, with: {num_embeddings: 3, embedding_dim: 2}}\n",
    )
    plan, runtime = opened(tmp_path, text)
    assert final(run(plan, runtime), "test")["judged"] > 0


def test_losses_count_by_their_weights(tmp_path):
    more = "  second: {node: net, use: l1, inputs: [outputs, targets.value], weight: 0.25}\n"
    plan, runtime = opened(tmp_path, spec(1, "mse", "targets.value", more=more, losses="[judged, second]"))
    found = final(run(plan, runtime), "test")
    assert found["loss"] == pytest.approx(found["judged"] + 0.25 * found["second"])


@pytest.mark.parametrize("options", ["", ", with: {weight: [0.2, 1.0, 5.0]}", ", with: {reduction: sum}"])
def test_a_loss_over_a_split_does_not_depend_on_the_batch_size(options, tmp_path):
    numbers = []
    for size in (1, 7, 23, 1000):
        plan, runtime = opened(tmp_path, spec(3, f"cross_entropy{options}", "targets.kind", batch_size=size))
        numbers.append(final(run(plan, runtime), "test")["loss"])
    assert numbers == pytest.approx([numbers[0]] * 4, rel=1e-6)


OTHER_SET = """\
  other:
    source: table.csv
    features: {x3: [x3]}
    targets: {copy: kind}
    splits: {column: part}
"""


def test_an_evaluation_reads_columns_of_another_feature_set(tmp_path):
    text = spec(3, "cross_entropy", "other.copy", evals=", metrics: [{use: accuracy, inputs: [outputs, other.copy]}]")
    text = text.replace("epochs: 1,", "epochs: 1, callbacks: [{use: evaluation, split: val}],")
    plan, runtime = opened(tmp_path, text, head=HEAD + OTHER_SET)
    events = run(plan, runtime)
    assert final(events, "test")["loss"] == final(events, "train")["val_loss"]


def test_a_loss_cannot_be_called_like_the_learning_rate(tmp_path):
    text = spec(1, "mse", "targets.value").replace("judged:", "lr:").replace("[judged]", "[lr]")
    with pytest.raises(SpecError) as caught:
        opened(tmp_path, text)
    assert {item.code for item in caught.value.diagnostics} == {"label-clash"}
