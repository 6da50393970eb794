"""`validate --deep` finds what does not fit in the graph and its losses, in words, without running anything."""

from __future__ import annotations

import pytest
import torch

from deep.specs import PARTS, SPEC, deep, rows, the_one, tried, written
from runexp.api.checking import check
from runexp.api.deep import check_deep

LINEAR = "{{inputs: d.x, use: torch.nn.Linear, with: {{out_features: {}}}}}"


def test_ten_outputs_against_one_number_are_told_in_shapes(tmp_path):
    seen = tried(tmp_path, node=LINEAR.format(10), loss="mse", metrics="[]")
    found = the_one(seen, "shape-mismatch", "losses.judged")
    assert found.message == "`head` gives (16, 10), `judged` compares it with targets.kind (16,)"
    assert found.help.startswith("`cross_entropy` for integer classes?")


def test_a_single_number_wanted_of_several_outputs_says_how_many_would_fit(tmp_path):
    parts = {"loss": "mse", "target": "mass", "metrics": "[]"}
    found = the_one(tried(tmp_path, node=LINEAR.format(3), **parts), "shape-mismatch", "losses.judged")
    assert "targets.mass (16,)" in found.message
    assert "out_features: 1" in found.help
    assert tried(tmp_path, node=LINEAR.format(1), **parts) == ()


def test_too_few_classes_are_refused(tmp_path):
    found = the_one(tried(tmp_path, node=LINEAR.format(2)), "wrong-classes", "losses.judged")
    assert found.message == "`head` gives 2 classes, and targets.kind holds labels from 0 to 2"


def test_classes_with_decimals_are_refused(tmp_path):
    found = the_one(tried(tmp_path, target="mass", metrics="[]"), "wrong-classes", "losses.judged")
    assert "targets.mass holds decimals" in found.message


def test_a_layer_that_does_not_take_what_it_is_given_is_refused_at_its_node(tmp_path):
    node = "{inputs: d.x, use: torch.nn.Linear, with: {in_features: 5, out_features: 3}}"
    found = the_one(tried(tmp_path, node=node), "shape-mismatch", "nodes.head")
    assert "`in_features` is 5, and its input has 2" in found.message
    assert "is given d.x (rows, 2)" in found.label


def test_decimals_given_to_an_embedding_are_refused(tmp_path):
    node = "{inputs: d.x, use: torch.nn.Embedding, with: {num_embeddings: 9, embedding_dim: 3}}"
    found = the_one(tried(tmp_path, node=node), "shape-mismatch", "nodes.head")
    assert "`dtype: int64`" in found.help


def test_values_that_an_embedding_has_no_row_for_are_refused_at_its_node(tmp_path):
    node = (
        "{{inputs: d.x, layers: [{{torch.nn.Embedding: {{num_embeddings: {}, embedding_dim: 3}}}}, torch.nn.Flatten]}}"
    )
    parts = {"features": "{x: {columns: [id], dtype: int64}}", "splits": "{train: 0.7, test: 0.3, order: true}"}
    found = the_one(tried(tmp_path, node=node.format(10), **parts), "failed-rows", "nodes.head")
    assert "is 10, and d.x has indices up to 59" in found.message
    assert "`num_embeddings: 60` would fit" in found.help
    assert tried(tmp_path, node=node.format(60), **parts) == ()


def test_what_a_layer_asserts_is_a_mistake_of_its_node(tmp_path):
    node = "{inputs: d.x, use: torch.nn.TransformerEncoderLayer, with: {nhead: 3}}"
    found = the_one(tried(tmp_path, node=node), "shape-mismatch", "nodes.head")
    assert "divisible by num_heads" in found.message


def test_a_layer_with_several_outputs_is_refused(tmp_path):
    node = "{inputs: d.x, use: torch.nn.LSTM, with: {input_size: 1, hidden_size: 3}}"
    features = "{x: {columns: [width, height], shape: [2, 1]}}"
    found = the_one(tried(tmp_path, node=node, features=features), "several-outputs", "nodes.head")
    assert found.label == "of two rows: (2, 2, 3), (1, 2, 3), (1, 2, 3)"


def test_rows_are_never_taken_for_steps(tmp_path):
    node = "{inputs: d.x, use: torch.nn.GRU, with: {hidden_size: 3}}"
    found = the_one(tried(tmp_path, node=node), "shape-mismatch", "nodes.head")
    assert "no axis of steps" in found.message


def test_a_metric_that_cannot_be_computed_is_refused(tmp_path):
    found = the_one(tried(tmp_path, metrics="[roc_auc]"), "undefined-metric", "phases.test.metrics[0]")
    assert "multi_class" in found.message
    several = tried(tmp_path, metrics="[roc_auc, f1, accuracy]")
    assert [item.path for item in several] == ["phases.test.metrics[0]", "phases.test.metrics[1]"]


def test_whole_numbers_given_to_a_layer_of_decimals_are_refused(tmp_path):
    node = "{inputs: d.t, use: torch.nn.Linear, with: {out_features: 3}}"
    found = the_one(tried(tmp_path, tags="{t: [id]}", node=node), "shape-mismatch", "nodes.head")
    assert "`dtype: float32`" in found.help


def test_a_loss_of_chances_says_which_one_takes_any_number(tmp_path):
    two_kinds = written([[*row[:3], row[3] % 2, row[4]] for row in rows()])
    parts = {"loss": "bce", "node": LINEAR.format(1), "metrics": "[]"}
    found = the_one(tried(tmp_path, two_kinds, **parts), "shape-mismatch", "losses.judged")
    assert "`bce_with_logits`" in found.help


def test_chances_cannot_be_compared_with_three_classes(tmp_path):
    found = the_one(
        tried(tmp_path, loss="bce_with_logits", node=LINEAR.format(1), metrics="[]"), "wrong-classes", "losses.judged"
    )
    assert "`cross_entropy`" in found.help


def test_module_and_estimator_are_checked_in_either_order(tmp_path):
    (tmp_path / "table.csv").write_text(written(rows()))
    assert deep(tmp_path, UPSIDE_DOWN.format("accuracy")) == ()
    the_one(deep(tmp_path, UPSIDE_DOWN.format("roc_auc")), "undefined-metric", "phases.test.metrics[0]")


UPSIDE_DOWN = """\
runexp: 1
name: upside-down
data:
  d:
    source: table.csv
    features: {{x: [width, height]}}
    targets: {{kind: kind}}
    splits: {{train: 0.7, test: 0.3}}
nodes:
  encoder: {{inputs: d.x, use: torch.nn.Linear, with: {{out_features: 4}}}}
  svc: {{inputs: encoder, use: sklearn.svm.SVC}}
phases:
  fit: {{kind: fit, nodes: [svc]}}
  test: {{kind: eval, split: test, metrics: [{}]}}
"""


HYBRID = """\
runexp: 1
name: hybrid
data:
  d:
    source: table.csv
    features: {{x: [width, height]}}
    targets: {{kind: kind}}
    splits: {{train: 0.7, test: 0.3}}
nodes:
  pca: {{inputs: d.x, use: sklearn.decomposition.PCA, with: {{n_components: {n_components}}}}}
  head: {{inputs: pca, use: torch.nn.Linear, with: {{{with_}}}}}
losses:
  ce: {{node: head, use: cross_entropy}}
phases:
  fit: {{kind: fit, nodes: [pca]}}
  train: {{kind: train, batches: {{size: 16}}, epochs: 1, losses: [ce], optimizer: {{use: adam}}}}
  test: {{kind: eval, split: test, losses: [ce], metrics: [accuracy]}}
"""


def hybrid(folder, **parts):
    (folder / "table.csv").write_text(written(rows(3000)))
    return deep(folder, HYBRID.format(**{"n_components": 2, "with_": "out_features: 3", **parts}))


def test_what_an_estimator_gives_is_learnt_from_a_few_rows(tmp_path):
    assert hybrid(tmp_path) == ()
    found = the_one(hybrid(tmp_path, with_="in_features: 5, out_features: 3"), "shape-mismatch", "nodes.head")
    assert "is given pca (rows, 2)" in found.label
    the_one(hybrid(tmp_path, with_="out_features: 2"), "wrong-classes", "losses.ce")


def test_an_estimator_that_refuses_all_of_its_rows_is_found(tmp_path):
    (tmp_path / "table.csv").write_text(written(rows()))
    found = the_one(deep(tmp_path, HYBRID.format(n_components=3, with_="out_features: 3")), "unfittable", "nodes.pca")
    assert "n_components=3" in found.message


WIDE = "{{torch.nn.Linear: {{out_features: 20000}}}}"
LARGE = f"{{{{inputs: d.x, layers: [{WIDE}, {WIDE}, {{{{torch.nn.Linear: {{{{out_features: {{}}}}}}}}}}]}}}}"


@pytest.fixture
def no_large_tensors(monkeypatch):
    """Fail whoever makes a large parameter that takes memory."""
    made = torch.nn.Parameter.__new__

    def checked(kind, data=None, requires_grad=True):
        assert data is None or data.is_meta or data.numel() < 10_000_000
        return made(kind, data, requires_grad)

    monkeypatch.setattr(torch.nn.Parameter, "__new__", checked)


@pytest.mark.usefixtures("no_large_tensors")
def test_a_large_graph_is_checked_without_its_weights(tmp_path):
    assert tried(tmp_path, node=LARGE.format(3)) == ()
    the_one(tried(tmp_path, node=LARGE.format(2)), "wrong-classes", "losses.judged")
    found = the_one(tried(tmp_path, node=LARGE.format(4), loss="mse", metrics="[]"), "shape-mismatch", "losses.judged")
    assert "gives (16, 4)" in found.message


@pytest.mark.usefixtures("no_large_tensors")
def test_sizes_are_counted_and_too_large_a_spec_is_a_warning(tmp_path, monkeypatch):
    (tmp_path / "table.csv").write_text(written(rows()))
    (tmp_path / "spec.yaml").write_text(SPEC.format(**{**PARTS, "node": LARGE.format(3)}))
    seen = check_deep(check(tmp_path / "spec.yaml"))
    n = 2 * 20000 + 20000 + 20000 * 20000 + 20000 + 3 * 20000 + 3
    assert seen.sizes.n_parameters == n
    train, test = seen.sizes.phases
    assert (train.label, train.n_trainable, train.gradients, train.optimizer) == ("train", n, 4 * n, 8 * n)
    assert train.activations == 16 * 4 * (20000 + 20000 + 3)
    assert (test.gradients, test.optimizer) == (0, 0)
    assert train.peak > 16 * n
    assert seen.sizes.data[0].n_rows == 60
    monkeypatch.setattr("runexp.runtime.deep.sizes.memory_of", lambda device: 10**9)
    found = the_one(check_deep(check(tmp_path / "spec.yaml")).checked.diagnostics, "too-large", "phases.train")
    assert "`train` takes about 6.4" in found.message
    assert not found.is_error


def test_checking_changes_no_random_numbers(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    tried(tmp_path)
    assert torch.equal(torch.rand(3), expected)
