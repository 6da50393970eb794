"""Nodes that make several inputs one (S-09)."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from runexp.diagnostics import SpecError
from runexp.runtime.modules.merging import Merge
from runtime.tables import opened, run

A, B = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 5.0]])


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("concat", [[1, 2, 3, 5]]),
        ("stack", [[[1, 2], [3, 5]]]),
        ("sum", [[4, 7]]),
        ("mean", [[2, 3.5]]),
        ("max", [[3, 5]]),
        ("product", [[3, 10]]),
    ],
)
def test_each_merge_is_what_its_name_says(how, expected):
    assert Merge(how)(A, B).tolist() == expected


def test_shorter_inputs_are_filled_up_where_asked():
    assert Merge("sum", padding=0.0)(A, torch.tensor([[3.0]])).tolist() == [[4, 2]]
    long, short = torch.ones(1, 3, 2), torch.ones(1, 1, 2)
    assert Merge("concat", padding=-1.0)(long, short)[0, :, 2:].tolist() == [[1, 1], [-1, -1], [-1, -1]]
    assert Merge("concat", axis=1)(long, short).shape == (1, 4, 2)


@pytest.mark.parametrize("how", ["sum", "stack", "max"])
def test_rows_of_other_shapes_are_refused_with_the_shapes(how):
    with pytest.raises(ValueError, match=r"\(2,\), \(1,\)"):
        Merge(how)(A, torch.ones(1, 1))


@given(st.integers(1, 4), st.integers(1, 4), st.integers(2, 3), st.sampled_from(["concat", "sum", "stack", "product"]))
def test_rows_stay_apart(width, n_rows, n_inputs, how):
    inputs = [torch.randn(n_rows, width) for _ in range(n_inputs)]
    whole = Merge(how)(*inputs)
    for row in range(n_rows):
        assert torch.equal(whole[row], Merge(how)(*[value[row : row + 1] for value in inputs])[0])


NODES = """\
nodes:
  left: {inputs: t.x, use: linear, with: {out_features: 4}}
  right: {inputs: t.one, use: linear, with: {out_features: WIDTH}}
  both: {inputs: [left, right], merge: HOW}
  head: {inputs: both, use: linear, with: {out_features: 3}}
losses: {ce: {node: head, use: cross_entropy, inputs: [outputs, targets.kind]}}
phases:
  train: {kind: train, epochs: 1, losses: [ce], optimizer: {use: adam}}
"""


@pytest.mark.parametrize(("how", "width"), [("concat", 2), ("sum", 4), ("stack, axis: -1", 4)])
def test_a_graph_with_two_branches_trains_both(how, width, tmp_path):
    text = NODES.replace("HOW", how).replace("WIDTH", str(width))
    if "stack" in how:
        text = text.replace("use: linear, with: {out_features: 3}", "layers: [flatten, linear: {out_features: 3}]")
    plan, runtime = opened(tmp_path, text)
    before = {key: value.clone() for key, value in runtime.graph.modules["right"].state_dict().items()}
    run(plan, runtime)
    assert not torch.equal(before["weight"], runtime.graph.modules["right"].weight)


def test_branches_that_do_not_fit_are_a_mistake_at_the_node(tmp_path):
    with pytest.raises(SpecError) as refused:
        opened(tmp_path, NODES.replace("HOW", "sum").replace("WIDTH", "2"))
    (found,) = refused.value.diagnostics
    assert (found.code, found.path) == ("shape-mismatch", "nodes.both")
    assert "(4,), (2,)" in found.message
