"""Several bindings of one input: the node runs once for each, with the same weights."""

from __future__ import annotations

import pytest
import torch

from lanes.specs import compiled, opened, run, steps, write_table
from runexp.diagnostics import SpecError
from runexp.events import BatchesRecorded, PhaseFinished

SPEC = """\
runexp: 1
name: both
seed: 3
execution: {device: cpu, threads: 1}
data:
  known: {source: a.csv, features: {x: "x*"}, targets: {y: y}, splits: {train: 0.8, val: 0.2}}
  free: {source: b.csv, features: {x: "x*"}, splits: {train: 0.8, val: 0.2}}
nodes:
  body: {layers: [{torch.nn.Linear: {out_features: 4}}, torch.nn.Tanh]}
  value: {inputs: body, use: torch.nn.Linear, with: {out_features: 1}}
  back: {inputs: body, use: torch.nn.Linear, with: {out_features: 2}}
bindings:
  labelled: {node: body, data: known.x}
  unlabelled: {node: body, data: free.x}
losses:
  near: {node: value, use: mse, inputs: [outputs.labelled, targets.y.labelled]}
  again: {node: back, use: mse, inputs: [outputs.unlabelled, features.x.unlabelled]}
phases:
"""
TRAIN = "  train: {kind: train, epochs: 3, batches: {size: 8}, batch_schedule: %s, losses: [near, again], %s}\n"
ADAM = "optimizer: {use: adam, with: {lr: 0.05}}"


@pytest.fixture
def tables(tmp_path):
    write_table(tmp_path / "a.csv", 20)
    write_table(tmp_path / "b.csv", 60, seed=1)
    return tmp_path


@pytest.mark.parametrize(("schedule", "n_steps"), [("alternate_cycle", 12), ("zip_strict", 2)])
def test_labelled_and_unlabelled_rows_train_one_body(schedule, n_steps, tables):
    plan, runtime = opened(tables, SPEC + TRAIN % (schedule, ADAM))
    assert [lane.name for lane in plan.phase("train").lanes] == ["known", "free"]
    events = run(plan, runtime)
    assert [len(event.n_rows) for event in events if isinstance(event, BatchesRecorded)] == [n_steps] * 3
    final = next(dict(event.metrics) for event in events if isinstance(event, PhaseFinished))
    assert {"train_near", "train_again"} <= final.keys()


def test_what_only_one_binding_is_judged_by_runs_for_that_alone(tables):
    """`value` is judged for labelled rows, so it never runs on the others."""
    plan, runtime = opened(tables, SPEC + TRAIN % ("zip_strict", ADAM))
    program = runtime.open_train(plan.phase("train"))
    seen = {"value": 0, "body": 0, "back": 0}
    for name in seen:
        runtime.graph.modules[name].register_forward_hook(
            lambda *_, name=name: seen.update({name: seen[name] + 1})  # called with module, inputs, output
        )
    program.step(next(steps(program)))
    assert seen == {"body": 2, "value": 1, "back": 1}


def test_an_evaluation_takes_the_binding_whose_rows_its_losses_name(tables):
    """S-23: one feature set, in order."""
    text = SPEC + TRAIN % ("alternate_cycle", ADAM) + "  test: {kind: eval, split: val, losses: [near]}\n"
    plan, runtime = opened(tables, text)
    final = [dict(event.metrics) for event in run(plan, runtime) if isinstance(event, PhaseFinished)][-1]
    rows = torch.from_numpy(runtime.sets["known"].splits["val"])
    x, y = (runtime.sets["known"].tensor(key, "cpu")[rows] for key in ("x", "y"))
    with torch.no_grad():
        by_hand = (runtime.graph.modules["value"](runtime.graph.modules["body"](x))[:, 0] - y).square().mean()
    assert final["near"] == pytest.approx(by_hand.item(), rel=1e-5)


def test_a_phase_can_take_one_of_them_and_then_calls_have_no_names(tables):
    text = SPEC.replace("outputs.labelled, targets.y.labelled", "outputs, targets.y")
    phase = f"  train: {{kind: train, epochs: 1, inputs: [labelled], losses: [near], {ADAM}}}\n"
    assert compiled(tables, text + phase).phase("train").lanes == ()
    assert compiled(tables, text + phase).phase("train").data == ("known",)


WRONG = [
    pytest.param(TRAIN % ("alternate_cycle", ADAM + ", inputs: [labeled, unlabelled]"), "unknown-binding",
                 "did you mean `labelled`", id="no such binding"),
    pytest.param(TRAIN % ("alternate_cycle", ADAM + ", inputs: [labelled, labelled, unlabelled]"), "wrong-value",
                 "listed twice", id="twice"),
    pytest.param(TRAIN % ("zip_cycle", ADAM + ", inputs: [labelled]"), "wrong-value", "this phase has one",
                 id="a schedule of one"),
    pytest.param(TRAIN.replace("near, again", "near") % ("zip_cycle", ADAM), "nothing-to-do", "`free` draws",
                 id="rows that no loss reads"),
    pytest.param(TRAIN % ("zip_cycle", ADAM + ", inputs: [{binding: labelled, stream: query}, unlabelled]"),
                 "unknown-stream", "query", id="no such stream"),
]  # fmt: skip


@pytest.mark.parametrize(("phase", "code", "text"), WRONG)
def test_what_cannot_be_drawn_so_is_told_where_it_stands(phase, code, text, tables):
    with pytest.raises(SpecError) as refused:
        compiled(tables, SPEC + phase)
    found = {one.code: f"{one.message} {one.help}" for one in refused.value.diagnostics}
    assert text in found[code]


def test_losses_over_rows_that_come_in_turn_are_refused(tables):
    text = SPEC.replace("[outputs.unlabelled, features.x.unlabelled]", "[outputs.unlabelled, features.x.labelled]")
    with pytest.raises(SpecError, match="never together"):
        compiled(tables, text + TRAIN % ("alternate_cycle", ADAM))
    plan = compiled(tables, text + TRAIN % ("zip_strict", ADAM))
    assert [str(route) for route in plan.phase("train").losses[1].routes] == [
        "back.outputs.unlabelled",
        "known.x.labelled",
    ]


STREAMS = """\
runexp: 1
name: streams
seed: 3
execution: {device: cpu, threads: 1}
data:
  a: {source: a.csv, features: {x: "x*"}, targets: {kind: kind, y: y}}
samplers:
  shots: {use: n_way, by: kind, n_way: 2, k_shot: 2, queries: 3}
  alike: {use: pairs, match: {kind: {same: true}}, share: 0.5, size: 6, streams: [same, other]}
nodes:
  body: {layers: [{torch.nn.Linear: {out_features: 3}}]}
bindings:
  shown: {node: body, data: a.x, sampler: SAMPLER, stream: FIRST}
  asked: {node: body, data: a.x, sampler: SAMPLER, stream: SECOND}
losses:
  one: {node: body, use: cross_entropy, inputs: [outputs.shownROLE, targets.kind.shownROLE]}
  two: {node: body, use: cross_entropy, inputs: [outputs.askedROLE, targets.kind.askedROLE]}
phases:
  train: {kind: train, split: all, epochs: 1, losses: [one, two], optimizer: {use: adam}}
"""


def streams(sampler, first, second, role=""):
    pairs = {"SAMPLER": sampler, "FIRST": first, "SECOND": second, "ROLE": role}
    text = STREAMS
    for word, meant in pairs.items():
        text = text.replace(word, meant)
    return text


def test_streams_of_one_sampler_are_zipped_and_drawn_from_one_epoch_of_it(tables):
    """S-06, S-08: the i-th batches of support and query have the same classes, and different rows."""
    plan, runtime = opened(tables, streams("shots", "support", "query"))
    assert [str(lane.streams) for lane in plan.phase("train").lanes] == ["('support', 'query')"]
    program = runtime.open_train(plan.phase("train"))
    n_seen = 0
    for step in steps(program):
        x, asked, kind, asked_kind = step.batches.values
        assert sorted(set(kind.tolist())) == sorted(set(asked_kind.tolist()))
        assert (len(x), len(asked)) == (4, 6)
        assert not {tuple(row) for row in x.tolist()} & {tuple(row) for row in asked.tolist()}
        n_seen += 1
    assert n_seen == program.n_batches > 0


def test_streams_of_pairs_have_their_own_calls_and_roles(tables):
    plan, runtime = opened(tables, streams("alike", "same", "other", ".pair"))
    assert [str(route) for route in plan.phase("train").losses[0].routes] == [
        "body.outputs.shown.pair",
        "a.kind.shown.pair",
    ]
    run(plan, runtime)


def test_streams_are_not_evaluated(tables):
    text = (
        streams("alike", "same", "other", ".pair") + "  test: {kind: eval, split: all, losses: [one], sampler: alike}\n"
    )
    with pytest.raises(SpecError, match="several streams"):
        compiled(tables, text)
