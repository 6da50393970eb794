"""Losses and metrics over the steps of a sequence, and sums over chunks that keep no outputs."""

from __future__ import annotations

import math
import weakref

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score

from data.plans import shared
from runexp.diagnostics import SpecError
from runexp.runtime.language import CausalLM, perplexity
from windows.specs import LANGUAGE, finished, opened
from windows.test_tokens import DATA

TEXT = "it was the best of times, it was the worst of times\n" * 6


class Context:
    """A step of an evaluation: its chunk alone."""

    def __init__(self, batches):
        self.batches = batches


def outcome(plan, runtime, label="test"):
    program = runtime.open_eval(plan.phase(label))
    for context in map(Context, program.draw()):
        program.step(context)
    return program.finish()


def whole(runtime, split="test"):
    """Logits and codes of a split, the direct way."""
    codes = [torch.from_numpy(runtime.sets["d"].view(split).array(key)) for key in ("tokens", "ahead")]
    with torch.no_grad():
        return runtime.graph.modules["net"](codes[0]), codes[1]


def test_causal_lm_is_the_cross_entropy_of_all_tokens():
    logits, codes = torch.randn(3, 5, 7), torch.randint(7, (3, 5))
    expected = torch.nn.functional.cross_entropy(logits.movedim(-1, 1), codes)
    assert CausalLM()(logits, codes).item() == pytest.approx(expected.item())


def test_a_mean_is_over_the_tokens_that_count():
    """S-17: masked tokens give no loss and no gradient; where none counts, the loss is 0."""
    logits, codes = torch.randn(2, 4, 5, requires_grad=True), torch.randint(5, (2, 4))
    mask = torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0]])
    loss = CausalLM()(logits, codes, mask)
    expected = torch.nn.functional.cross_entropy(logits[mask == 1], codes[mask == 1])
    assert loss.item() == pytest.approx(expected.item())
    loss.backward()
    assert (logits.grad[mask == 0] == 0).all()
    assert CausalLM()(logits, codes, torch.zeros(2, 4)).item() == 0


def test_perplexity_is_the_exponential_of_the_mean_and_infinite_beyond_floats():
    logits, codes = np.random.default_rng(0).normal(size=(2, 3, 4)), np.ones((2, 3), dtype=np.int64)
    expected = math.exp(CausalLM()(torch.from_numpy(logits), torch.from_numpy(codes)).item())
    assert perplexity(codes, logits) == pytest.approx(expected)
    assert perplexity(codes, logits, np.ones((2, 3))) == pytest.approx(expected)
    assert perplexity(codes, logits * 1e6 - 1e6 * np.eye(4)[1]) == math.inf


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_the_held_out_text_gives_the_same_numbers_whatever_the_batch_size(tmp_path, size):
    """S-19: the last chunk is shorter, and counts for less."""
    plan, runtime = opened(tmp_path, DATA, LANGUAGE.replace("batch_size: 3", f"batch_size: {size}"), t__txt=TEXT)
    found = outcome(plan, runtime)
    logits, codes = whole(runtime)
    assert found["lm"] == found["loss"] == pytest.approx(CausalLM()(logits, codes).item(), rel=1e-6)
    assert found["perplexity"] == pytest.approx(math.exp(found["lm"]), rel=1e-6)
    assert found["accuracy"] == accuracy_score(codes.flatten(), logits.argmax(-1).flatten())
    assert outcome(plan, runtime) == found


def test_no_logits_are_kept_where_sums_do(tmp_path):
    rest = LANGUAGE.replace("metrics: [perplexity, accuracy]", "metrics: [perplexity]").replace("_size: 3", "_size: 1")
    plan, runtime = opened(tmp_path, DATA, rest, t__txt=TEXT)
    program = runtime.open_eval(plan.phase("test"))
    alive = []
    runtime.graph.modules["net"].register_forward_hook(lambda module, given, output: alive.append(weakref.ref(output)))
    most = 0
    for context in map(Context, program.draw()):
        program.step(context)
        most = max(most, sum(one() is not None for one in alive))
    assert len(alive) > 20
    assert most <= 1
    assert program.finish()["perplexity"] > 1


CLASSES = """\
nodes:
  net: {inputs: d.x, use: torch.nn.Linear, with: {out_features: 3}}
losses: {judged: {node: net, use: cross_entropy, with: {%s}, inputs: [outputs, targets.kind]}}
phases:
  test: {kind: eval, split: all, losses: [judged], batch_size: 7}
"""


@pytest.mark.parametrize(
    "options", ["", "ignore_index: 2", "weight: [1.0, 2.0, 5.0]", "label_smoothing: 0.1", "reduction: sum"]
)
def test_sums_over_chunks_are_what_all_rows_at_once_give(tmp_path, options):
    """S-19: what is not a mean over elements known by their number is computed over all rows, as ever."""
    rows = "x,kind\n" + "".join(f"{row % 11},{(row * row) % 3 if row > 9 else 2}\n" for row in range(50))
    plan, runtime = opened(
        tmp_path, "source: t.csv\nfeatures: {x: x}\ntargets: {kind: kind}", CLASSES % options, t__csv=rows
    )
    features = runtime.sets["d"]
    with torch.no_grad():
        output = runtime.graph.modules["net"](features.tensor("x", "cpu"))
    given = {"weight": torch.tensor([1.0, 2, 5])} if "weight" in options else {}
    if "ignore" in options:
        given = {"ignore_index": 2}
    given |= {"label_smoothing": 0.1} if "smooth" in options else {"reduction": "sum"} if "sum" in options else {}
    expected = torch.nn.functional.cross_entropy(output, features.tensor("kind", "cpu"), **given)
    assert outcome(plan, runtime)["judged"] == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("before", "after", "code", "message"),
    [
        pytest.param('"${classes:d.ahead}"', "5", "wrong-classes", "gives 5 logits a step", id="too few outputs"),
        pytest.param(
            "      - torch.nn.Linear",
            "      - torch.nn.Flatten\n      - torch.nn.Linear",
            "shape-mismatch",
            "targets.ahead is (rows, 4)",
            id="flat",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_starts(tmp_path, before, after, code, message):
    plan, runtime = opened(tmp_path, DATA, LANGUAGE.replace(before, after), t__txt=TEXT)
    with pytest.raises(SpecError) as refused:
        runtime.open_eval(plan.phase("test"))
    (found,) = refused.value.diagnostics
    assert found.code == code
    assert message in found.message


def test_a_mask_of_tokens_is_an_input_like_others(tmp_path):
    rows = "code,ahead\n" + "".join(f"{row % 4},{'' if row % 5 == 0 else row % 4}\n" for row in range(60))
    data = """\
source: t.csv
features: {tokens: {columns: code, dtype: int64, shape: []}}
targets: {ahead: {columns: ahead, dtype: int64, missing: mask}}
splits: {train: 0.5, test: 0.5, order: true}
windows: {size: 6, predict: next}
"""
    rest = LANGUAGE.replace(
        "use: causal_lm", "use: causal_lm, inputs: {input: outputs, target: targets.ahead, mask: tags.ahead_mask}"
    )
    rest = rest.replace("embedding_dim: 8", "num_embeddings: 4, embedding_dim: 8").replace(
        "[perplexity, accuracy]", "[{use: perplexity, inputs: [outputs, targets.ahead, tags.ahead_mask]}]"
    )
    plan, runtime = opened(tmp_path, data, rest, t__csv=rows)
    logits, codes = whole(runtime)
    mask = torch.from_numpy(runtime.sets["d"].view("test").array("ahead_mask").copy())
    assert 0 < mask.mean() < 1
    expected = CausalLM()(logits, codes, mask).item()
    found = outcome(plan, runtime)
    assert found["lm"] == pytest.approx(expected, rel=1e-6)
    assert found["perplexity"] == pytest.approx(math.exp(expected), rel=1e-6)


def test_a_network_for_characters_needs_only_to_be_named(tmp_path):
    """The number of tokens is that of the data which feeds it."""
    rest = LANGUAGE[LANGUAGE.index("losses") :]
    node = "nodes: {net: {inputs: d.tokens, use: char_transformer, with: {width: 8, num_heads: 2, num_layers: 1}}}\n"
    made = finished(tmp_path, DATA, node + rest, t__txt=TEXT)
    assert made.results.summary()["test"]["perplexity"] < len(set(TEXT))


def test_a_small_model_learns_shakespeare(tmp_path):
    """A bigram model of characters: it must come near the entropy of pairs, 2.45 nats."""
    path = shared("tinyshakespeare", "input.txt")
    data = f"""\
source: {path}
tokenizer: char
features: {{tokens: text}}
targets: {{ahead: text}}
splits: {{train: 0.9, test: 0.1, order: true}}
windows: {{size: 128, stride: 128, predict: next}}
"""
    rest = LANGUAGE.replace("embedding_dim: 8", "embedding_dim: 65").replace("batch_size: 3", "batch_size: 256")
    made = finished(tmp_path, data, rest.replace("epochs: 2, batches: {size: 8}", "steps: 150, batches: {size: 32}"))
    test = made.results.summary()["test"]
    assert test["lm"] < 2.6
    assert test["perplexity"] == pytest.approx(math.exp(test["lm"]))
