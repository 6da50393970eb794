"""Losses over the pairs of a batch: each pair once, none of a row with itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck

from pairs.points import HEAD, labelled, numbers, write_points
from runexp.runtime.objectives import ContrastiveLoss, PairwiseDistanceLoss

SEEDS = st.integers(0, 2**31)


def distance(one, other, kind, p):
    if kind == "cosine":
        return 1 - one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    return np.sum(np.abs(one - other) ** p) ** (1 / p)


@given(
    seed=SEEDS, n=st.integers(2, 9), kind=st.sampled_from(["euclidean", "cosine"]), p=st.sampled_from([1.0, 2.0, 3.0])
)
def test_the_pairwise_loss_is_the_naive_double_loop_over_live_rows(seed, n, kind, p):
    """S-17: a mean over what counts."""
    rng = np.random.default_rng(seed)
    x, block, mask = rng.normal(size=(n, 3)), rng.uniform(size=(n, n)), rng.integers(0, 2, n)
    block = (block + block.T) / 2
    pairs = [(i, j) for i in range(n) for j in range(i) if mask[i] and mask[j]]
    expected = np.mean([(distance(x[i], x[j], kind, p) - block[i, j]) ** 2 for i, j in pairs] or [0.0])
    loss = PairwiseDistanceLoss(kind, p)
    found = loss(torch.tensor(x), torch.tensor(block), mask=torch.tensor(mask))
    assert found.item() == pytest.approx(expected, rel=1e-6, abs=1e-9)
    live = np.flatnonzero(mask)
    alone = loss(torch.tensor(x[live]), torch.tensor(block[np.ix_(live, live)]))
    assert alone.item() == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(seed=SEEDS, n=st.integers(2, 9), margin=st.floats(0.1, 3))
def test_the_contrastive_loss_is_the_naive_double_loop_by_labels_or_by_a_matrix(seed, n, margin):
    rng = np.random.default_rng(seed)
    x, labels = rng.normal(size=(n, 3)), rng.integers(0, 3, n)
    terms = []
    for i in range(n):
        for j in range(i):
            d = distance(x[i], x[j], "euclidean", 2)
            terms.append(d**2 / 2 if labels[i] == labels[j] else max(0, margin - d) ** 2 / 2)
    loss, output = ContrastiveLoss(margin=margin), torch.tensor(x)
    together = torch.tensor(labels[:, None] == labels[None, :]).float()
    assert loss(output, torch.tensor(labels)).item() == pytest.approx(np.mean(terms), rel=1e-6)
    assert loss(output, together).item() == pytest.approx(np.mean(terms), rel=1e-6)


def test_gradients_are_right_and_finite_where_outputs_coincide():
    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    block = torch.rand(5, 5, dtype=torch.float64)
    assert gradcheck(PairwiseDistanceLoss(), (x, block))
    same = torch.ones(4, 3, requires_grad=True)
    PairwiseDistanceLoss()(same, torch.ones(4, 4)).backward()
    assert torch.isfinite(same.grad).all()


@pytest.mark.parametrize("n", [0, 1])
def test_a_batch_without_pairs_costs_nothing(n):
    x = torch.randn(n, 3, requires_grad=True)
    loss = PairwiseDistanceLoss()(x, torch.zeros(n, n))
    loss.backward()
    assert loss.item() == 0
    assert (x.grad == 0).all()


def test_a_block_of_another_size_is_refused():
    with pytest.raises(ValueError, match="values between 3 rows are 3 x 3"):
        PairwiseDistanceLoss()(torch.randn(3, 2), torch.zeros(2, 2))


def test_contrastive_learns_from_a_target_of_a_spec(tmp_path):
    write_points(tmp_path)
    (tmp_path / "near.csv").write_text(labelled())
    head = HEAD.replace("tags:", "targets: {{half: part}}\n    tags:").replace(
        "use: pairwise_distance, inputs: [outputs, near]",
        "use: contrastive, with: {{margin: 2.0}}, inputs: [outputs, targets.half]",
    )
    found = numbers(tmp_path, head=head)
    assert found["test"]["apart"] > 0
