"""Bindings that say the same share one drawing (S-08); what differs in split or sampler is drawn apart."""

from __future__ import annotations

import pytest
import torch

from lanes.specs import BRANCH, compiled, opened, run, steps, write_table
from runexp.diagnostics import SpecError
from runexp.runtime.sampling import RowSampler
from runexp.runtime.sampling.epochs import EpochSampler

SPEC = f"""\
runexp: 1
name: shared
seed: 3
execution: {{device: cpu, threads: 1}}
data:
  a:
    source: a.csv
    features: {{x: "x*", row: number}}
    targets: {{y: y}}
    tags: {{kind: kind}}
    splits: {{train: 0.5, more: 0.5}}
samplers:
  even: {{use: stratified, by: kind, size: 10}}
  other: {{use: simple, size: 5}}
nodes:
  left: {{layers: {BRANCH}}}
  right: {{layers: {BRANCH}}}
bindings:
  one: {{node: left, data: a.x{{one}}}}
  two: {{node: right, data: a.x{{two}}}}
losses:
  first: {{node: left, use: mse, inputs: [outputs, targets.y]}}
  second: {{node: right, use: mse, inputs: [outputs, targets.y]}}
phases:
  train: {{kind: train, epochs: 2, losses: [first, second], optimizer: {{use: adam}}{{more}}}}
"""


def spec(one="", two="", more=""):
    return SPEC.replace("{one}", one).replace("{two}", two).replace("{more}", more)


@pytest.fixture
def table(tmp_path):
    write_table(tmp_path / "a.csv", 60)
    return tmp_path


def lanes_of(folder, text):
    return [(lane.name, lane.split, len(lane.feeds)) for lane in compiled(folder, text).phase("train").lanes]


SHARED = [
    pytest.param(", sampler: even", ", sampler: even", "", [("even", "train", 2)], id="the same sampler"),
    pytest.param(", sampler: even", "", ", batches: even", [("even", "train", 2)], id="that of the phase"),
    pytest.param(
        ", sampler: even", ", sampler: other", "", [("even", "train", 1), ("other", "train", 1)], id="two samplers"
    ),
    pytest.param(", split: more", "", "", [("a", "more", 1), ("a_train", "train", 1)], id="two splits"),
    pytest.param(", split: train", "", "", [], id="the split of the phase, said again"),
    pytest.param("", "", ", inputs: [one, {binding: two, sampler: other}]",
                 [("a", "train", 1), ("other", "train", 1)], id="a phase gives one another sampler"),
    pytest.param(", sampler: even", ", sampler: even", ", inputs: [one, {binding: two, split: more}]",
                 [("even", "train", 1), ("even_more", "more", 1)], id="a phase gives one another split"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "two", "more", "lanes"), SHARED)
def test_bindings_of_one_source_split_and_sampler_share_a_lane(one, two, more, lanes, table):
    """S-08."""
    assert lanes_of(table, spec(one, two, more)) == lanes


def count_draws(monkeypatch):
    drawn = []

    def draw(self: RowSampler, epoch: int, *, start: int = 0, stream: str = ""):
        drawn.append((epoch, stream))
        return original(self, epoch, start=start, stream=stream)

    original = EpochSampler.draw
    monkeypatch.setattr(EpochSampler, "draw", draw)
    return drawn


def test_a_shared_sampler_is_drawn_once_an_epoch(table, monkeypatch):
    """S-08."""
    plan, runtime = opened(table, spec(", sampler: even", ", sampler: even"))
    drawn = count_draws(monkeypatch)
    run(plan, runtime)
    assert drawn == [(0, ""), (1, "")]


def test_bindings_that_share_a_lane_see_the_same_rows(table):
    """S-08: two nodes on the same binding compute on one and the same tensor."""
    plan, runtime = opened(table, spec(", sampler: even", ", sampler: even"))
    program = runtime.open_train(plan.phase("train"))
    batch = next(steps(program)).batches
    assert len(batch.values) == 2  # x and y, though two nodes and two losses read them


def test_lanes_drawn_apart_are_drawn_in_orders_of_their_own(table):
    """S-07: two plain lanes over the same rows do not go in step, and both visit every row."""
    both = spec("", "", ", batches: {size: 10}, inputs: [one, {binding: two, sampler: other}]")
    plan, runtime = opened(table, both.replace("other: {use: simple, size: 5}", "other: {use: simple, size: 10}"))
    program = runtime.open_train(plan.phase("train"))
    x, x2, *_ = (torch.cat(column) for column in zip(*(step.batches.values for step in steps(program)), strict=True))
    assert x.shape == x2.shape == (30, 2)
    assert not torch.equal(x, x2)
    assert torch.equal(x[:, 0].sort().values, x2[:, 0].sort().values)


def test_a_loss_across_lanes_needs_batches_of_one_length(table):
    text = spec(", sampler: even", ", sampler: other").replace(
        "first: {node: left, use: mse, inputs: [outputs, targets.y]}",
        "first: {node: both, use: mse, inputs: [outputs, targets.y]}",
    )
    text = text.replace("bindings:", "  both: {inputs: {input1: left, input2: right}, use: torch.nn.Bilinear, "
                        "with: {in1_features: 1, in2_features: 1, out_features: 1}}\nbindings:")  # fmt: skip
    text = text.replace("targets.y]}\n  second", "targets.y.left]}\n  second")
    with pytest.raises(SpecError) as refused:
        opened(table, text)
    assert {found.code for found in refused.value.diagnostics} <= {"unaligned-data", "unknown-role"}


def test_the_rows_of_another_split_are_those_that_are_drawn(table):
    plan, runtime = opened(table, spec(", split: more", ", split: more"))
    phase = plan.phase("train")
    assert (phase.lanes, phase.split) == ((), "more")
    program = runtime.open_train(phase)
    drawn = torch.cat([step.batches[1][:, 0] for step in steps(program)])
    features = runtime.sets["a"]
    assert sorted(drawn.tolist()) == sorted(features.array("y")[features.splits["more"]].tolist())
