"""Document → Spec: defaults filled in, and one mistake of shape told once, also where several shapes are accepted."""

from __future__ import annotations

import pytest

from runexp.source import read
from runexp.spec import parse

SPEC = """\
runexp: 1
name: tiny
data:
  digits: {{source: sklearn.datasets.load_digits, features: {features}}}
nodes:
  head: {node}
phases:
  train: {phase}
"""
GOOD = {
    "features": "{pixels: pixel_*}",
    "node": "{inputs: digits.pixels, use: torch.nn.ReLU}",
    "phase": "{kind: train, epochs: 1, losses: [{node: head, use: mse}], optimizer: {use: sgd}}",
}


@pytest.fixture
def parsed(tmp_path):
    def make(**parts):
        path = tmp_path / "spec.yaml"
        path.write_text(SPEC.format_map(GOOD | parts))
        document, found = read(path)
        assert document is not None, found
        return parse(document)

    return make


def test_a_right_spec_has_no_diagnostics_and_every_default(parsed):
    parsed = parsed()
    assert parsed.diagnostics == ()
    spec, phase = parsed.spec, parsed.spec.phases["train"]
    assert (spec.seed, spec.execution.device, spec.losses) == (0, "auto", {})
    assert (phase.split, phase.batches.size, phase.batches.shuffle, phase.accumulate) == ("train", 32, True, 1)
    assert (phase.schedule, phase.clip, phase.nodes, phase.callbacks) == (None, None, None, ())
    assert phase.losses[0].weight == 1.0


def test_a_spec_cannot_be_changed(parsed):
    with pytest.raises(ValueError, match="frozen"):
        parsed().spec.seed = 3


ONE_MISTAKE = [
    pytest.param({"features": "{pixels: 3}"}, "wrong-type", "data.digits.features.pixels", id="text, list or mapping"),
    pytest.param({"features": "{pixels: [3]}"}, "wrong-type", "data.digits.features.pixels[0]", id="an item of a list"),
    pytest.param({"features": "{pixels: {colums: x}}"}, "unknown-key", "data.digits.features.pixels.colums", id="key"),
    pytest.param({"features": "[pixels]"}, "wrong-type", "data.digits.features", id="a list for a mapping"),
    pytest.param({"node": "{use: a.b, inputs: 3}"}, "wrong-type", "nodes.head.inputs", id="inputs"),
    pytest.param({"node": "{use: a.b, inputs: {x: [y]}}"}, "wrong-type", "nodes.head.inputs.x", id="inputs by keyword"),
    pytest.param({"node": "{use: a.b, init: zeroes}"}, "unknown-word", "nodes.head.init", id="a word"),
    pytest.param({"node": "{use: a.b, init: {'*': zeroes}}"}, "unknown-word", "nodes.head.init.*", id="a word inside"),
    pytest.param({"node": "{layers: [3]}"}, "wrong-type", "nodes.head.layers[0]", id="a layer"),
    pytest.param({"node": "{layers: [{a.b: 3}]}"}, "wrong-type", "nodes.head.layers[0].a.b", id="a layer's arguments"),
    pytest.param({"node": "{layers: []}"}, "wrong-value", "nodes.head.layers", id="no layer"),
    pytest.param({"phase": "{split: train}"}, "missing-key", "phases.train.kind", id="no kind"),
    pytest.param({"phase": "{kindd: eval, split: train}"}, "unknown-key", "phases.train.kindd", id="kind misspelled"),
    pytest.param({"phase": "{kind: evil}"}, "unknown-word", "phases.train.kind", id="unknown kind"),
    pytest.param({"phase": "{kind: eval}"}, "missing-key", "phases.train.split", id="a key of the kind"),
    pytest.param({"phase": "{kind: eval, spilt: test}"}, "unknown-key", "phases.train.spilt", id="a key misspelled"),
    pytest.param({"phase": "{kind: eval, split: a, losses: [3]}"}, "wrong-type", "phases.train.losses[0]", id="a loss"),
    pytest.param(
        {"phase": "{kind: eval, split: a, losses: [{use: mse}]}"},
        "missing-key", "phases.train.losses[0].node", id="a loss without its node",
    ),
    pytest.param(
        {"phase": "{kind: group, phases: {a: {kind: eval}}}"},
        "missing-key", "phases.train.phases.a.split", id="inside a group",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "code", "address"), ONE_MISTAKE)
def test_one_mistake_is_one_message(parsed, parts, code, address):
    diagnostics = parsed(**parts).diagnostics
    assert [(one.code, one.path) for one in diagnostics] == [(code, address)]


def test_the_rest_of_a_broken_spec_is_still_a_spec(parsed):
    parsed = parsed(node="{inputs: digits.pixels, use: torch.nn.ReLU, freeze: perhaps}")
    assert parsed.is_damaged(("nodes", "head"))
    assert parsed.spec.nodes["head"].use == "torch.nn.ReLU"
    assert "train" in parsed.spec.phases
