"""What is frozen stays as it is, bit for bit, until something says otherwise (S-12)."""

import pytest
import torch
from safetensors.torch import save_file

from runexp.diagnostics import SpecError
from runtime.tables import opened, run, same, weights

NET = """\
nodes:
  body: {inputs: t.x, layers: [{torch.nn.Linear: {out_features: 8}}, torch.nn.BatchNorm1d, torch.nn.ReLU]}
  head: {inputs: body, use: torch.nn.Linear, with: {out_features: 3}}
losses: {ce: {node: head, use: cross_entropy, inputs: [outputs, targets.kind]}}
phases:
"""


def phase(name, more=""):
    optimizer = "optimizer: {use: adamw, with: {lr: 0.05, weight_decay: 0.1}}"
    return f"  {name}: {{kind: train, losses: [ce], epochs: 2, {optimizer}{more}}}\n"


def changed(before, after):
    """The nodes and parameters that are not what they were."""
    return {key for key in before if not torch.equal(before[key], after[key])}


def after_each(folder, text):
    """What changed in each phase, one after the other."""
    plan, runtime = opened(folder, text)
    steps = []
    for one in plan.phases:
        before = {key: value.clone() for key, value in weights(runtime).items()}
        alone = type(plan)(plan.name, plan.description, plan.seed, plan.data, plan.nodes, (one,), plan.execution)
        run(alone, runtime)
        steps.append(changed(before, weights(runtime)))
    return steps


def test_a_frozen_node_keeps_weights_and_statistics_until_a_phase_says_otherwise(tmp_path):
    text = NET + phase("one", ", freeze: [body]") + phase("two") + phase("three", ", unfreeze: [body]") + phase("four")
    one, two, three, four = after_each(tmp_path, text)
    assert {key.partition(".")[0] for key in one} == {key.partition(".")[0] for key in two} == {"head"}
    for later in (three, four):
        assert {"body.0.weight", "body.1.running_mean", "head.weight"} <= later


def test_a_pattern_freezes_some_parameters_of_a_node_and_the_statistics_that_belong_to_them(tmp_path):
    ((moved),) = after_each(tmp_path, NET + phase("one", ", freeze: ['body.1.*', '*.bias']"))
    assert moved == {"body.0.weight", "head.weight"}


def test_a_part_of_a_frozen_node_can_be_let_train(tmp_path):
    text = NET.replace("body: {", "body: {freeze: true, ") + phase("one", ", unfreeze: ['body.0.*']")
    ((moved),) = after_each(tmp_path, text)
    assert moved == {"body.0.weight", "body.0.bias", "head.weight", "head.bias"}


def test_an_evaluation_in_between_leaves_frozen_statistics_frozen(tmp_path):
    look = ", callbacks: [{use: evaluation, split: val, losses: [ce], at_start: true}]"
    ((moved),) = after_each(tmp_path, NET + phase("one", ", freeze: ['body.1.*']" + look))
    assert not {key for key in moved if key.startswith("body.1.")}
    assert "body.0.weight" in moved


def test_a_pattern_that_takes_in_no_parameter_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(SpecError) as refused:
        opened(tmp_path, NET + phase("one", ", freeze: ['body.0.wieght']"))
    (found,) = refused.value.diagnostics
    assert found.code == "wrong-value"
    assert "body.0.weight" in found.help


def test_freezing_everything_leaves_nothing_to_do(tmp_path):
    with pytest.raises(SpecError) as refused:
        opened(tmp_path, NET + phase("one", ", freeze: [body, head]"))
    assert {one.code for one in refused.value.diagnostics} == {"nothing-to-do"}


def test_an_unknown_node_is_named_with_the_nearest(tmp_path):
    with pytest.raises(SpecError) as refused:
        opened(tmp_path, NET + phase("one", ", freeze: [boddy]"))
    assert [(one.code, "body" in one.help) for one in refused.value.diagnostics] == [("unknown-node", True)]


def saved(folder, text):
    """The weights of a run, written as a checkpoint has them."""
    plan, runtime = opened(folder, text)
    run(plan, runtime)
    tensors = {key: value.clone().contiguous() for key, value in weights(runtime).items()}
    save_file(tensors, folder / "before.safetensors")
    return tensors


def test_a_node_starts_from_the_weights_of_a_file(tmp_path):
    """S-14: whole, under the node's own name."""
    trained = saved(tmp_path, NET + phase("one"))
    text = NET.replace("body: {", "body: {weights: {from: before.safetensors}, ")
    _, runtime = opened(tmp_path, text + phase("one"))
    ours = weights(runtime)
    assert same(*[{key: value for key, value in of.items() if key.startswith("body.")} for of in (ours, trained)])
    assert not torch.equal(ours["head.weight"], trained["head.weight"])


def test_a_file_that_lacks_a_parameter_is_refused_unless_it_may(tmp_path):
    saved(tmp_path, NET + phase("one"))
    wider = NET.replace("torch.nn.ReLU]", "torch.nn.ReLU, {torch.nn.Linear: {out_features: 8}}], weights: WEIGHTS")
    with pytest.raises(SpecError) as refused:
        opened(tmp_path, wider.replace("WEIGHTS", "{from: before.safetensors}") + phase("one"))
    (found,) = refused.value.diagnostics
    assert (found.code, found.path) == ("wrong-weights", "nodes.body.weights")
    assert "`3.weight`, `3.bias`" in found.message
    opened(tmp_path, wider.replace("WEIGHTS", "{from: before.safetensors, strict: false}") + phase("one"))


def test_weights_of_another_shape_are_refused_with_both_shapes(tmp_path):
    saved(tmp_path, NET + phase("one"))
    text = NET.replace("body: {", "body: {weights: {from: before.safetensors}, ").replace("features: 8", "features: 9")
    with pytest.raises(SpecError) as refused:
        opened(tmp_path, text + phase("one"))
    assert "(8, 4) in `before.safetensors` and (9, 4) here" in refused.value.diagnostics[0].message


def test_a_pickle_that_does_more_than_hold_tensors_is_not_run(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (open, (str(tmp_path / "was_run"), "w"))

    torch.save({"0.weight": Malicious()}, tmp_path / "evil.pt")
    with pytest.raises(SpecError) as refused:
        opened(tmp_path, NET.replace("body: {", "body: {weights: {from: evil.pt}, ") + phase("one"))
    assert refused.value.diagnostics[0].code == "wrong-weights"
    assert not (tmp_path / "was_run").exists()
