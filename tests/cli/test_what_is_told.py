"""What a run or a preview says of embeddings, text classes, evaluations, and estimators around others."""

from __future__ import annotations

import pytest

HEAD = """\
runexp: 1
name: told
data:
  d:
    source: table.csv
    features: {x: {columns: x, dtype: int64}, y: y}
    targets: {kind: kind}
    splits: {train: 0.7, test: 0.3, stratify_by: kind}
"""
EMBEDDED = """\
nodes:
  head:
    inputs: d.x
    layers: [{torch.nn.Embedding: {num_embeddings: 10, embedding_dim: 3}}, torch.nn.Flatten]
losses: {ce: {node: head, use: cross_entropy}}
phases:
  train: {kind: train, epochs: 1, losses: [ce], optimizer: {use: adamw}}
"""
LINEAR = """\
nodes:
  head: {inputs: d.y, use: torch.nn.Linear, with: {out_features: 3}}
losses: {ce: {node: head, use: cross_entropy}}
phases:
  test: {kind: eval, split: test, losses: [ce], batch_size: 4}
"""
SEARCH = """\
nodes:
  best:
    inputs: d.y
    use: sklearn.model_selection.GridSearchCV
    with:
      param_grid: {"last__C": [0.1, 1.0]}
      cv: 2
      estimator:
        use: sklearn.pipeline.Pipeline
        with:
          steps:
            - [scale, {use: sklearn.preprocessing.StandardScaler}]
            - [last, {use: sklearn.linear_model.LogisticRegression}]
phases:
  fit: {kind: fit}
  test: {kind: eval, split: test, metrics: [accuracy]}
"""


@pytest.fixture
def write(tmp_path):
    """Write a spec beside a table of thirty rows."""
    rows = [f"{row},{row / 3},{word}" for row in range(30) for word in [("dog", "ant", "cat")[row % 3]]]
    (tmp_path / "table.csv").write_text("\n".join(["x,y,kind", *rows]) + "\n")

    def written(text):
        (tmp_path / "spec.yaml").write_text(HEAD + text)
        return "spec.yaml"

    return written


def test_an_embedding_with_too_few_rows_is_a_mistake_of_the_spec_before_anything_runs(cli, write, tmp_path):
    ended = cli("run", write(EMBEDDED))
    assert ended.exit_code == 2
    assert "`num_embeddings` of the node `head` is 10, and d.x has indices up to 29" in ended.stderr
    assert "`num_embeddings: 30` would fit" in ended.stderr
    assert not (tmp_path / "runs").exists()


def test_an_embedding_that_has_a_row_for_each_index_runs(cli, write):
    assert cli("run", write(EMBEDDED.replace("num_embeddings: 10", "num_embeddings: 30")), "-q").exit_code == 0


def test_a_preview_shows_which_word_each_class_is_and_the_batches_of_an_evaluation(cli, write):
    shown = cli("preview", write(LINEAR), "--phase", "test", "--dry").stdout
    assert "3 batches of up to 4 rows\n" in shown
    assert "d.kind: 0 ant, 1 cat, 2 dog\n" in shown


def test_a_search_over_a_pipeline_takes_method_and_target_of_the_last_step(cli, write):
    spec = write(SEARCH)
    plan = cli("plan", spec).stdout
    assert "method predict" in plan
    assert "best ← d.kind" in plan
    assert cli("run", spec, "-q").exit_code == 0


def test_a_pipeline_that_ends_in_a_transformer_transforms_and_learns_no_target(cli, write):
    text = SEARCH.replace("[last, {use: sklearn.linear_model.LogisticRegression}]", "[last, {use: pca}]")
    text = text.replace('{"last__C": [0.1, 1.0]}', '{"last__n_components": [1]}').partition("  test:")[0]
    plan = cli("plan", write(text)).stdout
    assert "method transform" in plan
    assert "best ←" not in plan.partition("phases")[2]


def test_a_method_that_the_last_step_lacks_is_refused(cli, write):
    text = SEARCH.replace("sklearn.linear_model.LogisticRegression", "sklearn.svm.LinearSVC")
    ended = cli("validate", write(text.replace("    inputs: d.y", "    inputs: d.y\n    method: predict_proba")))
    assert ended.exit_code == 2
    assert "has no method `predict_proba`" in ended.stderr
