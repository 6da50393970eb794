"""Masked rows (-1): they enter no node, no mean and no gradient (S-04, S-17, S-18)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from lanes.specs import opened, same, state, write_table
from runexp.engine.protocol import ExecutionContext
from runexp.runtime.lanes import opening
from runexp.runtime.sampling import Drawn

SPEC = """\
runexp: 1
name: masked
seed: 3
execution: {device: cpu, threads: 1}
data:
  a: {source: a.csv, features: {x: "x*"}, targets: {y: y}}
samplers:
  close: {use: pairs, match: {y: {within: 2.0}}, size: 4}
nodes:
  body: {inputs: a.x, layers: [{torch.nn.Linear: {out_features: 4}}, torch.nn.BatchNorm1d, {torch.nn.Linear: {out_features: 1}}]}
losses:
  own: {node: body, use: mse, inputs: [outputs.anchor, targets.y.anchor]}
  other: {node: body, use: mse, inputs: [outputs.anchor, targets.y.pair]}
phases:
  train: {kind: train, split: all, epochs: 1, batches: close, losses: [own, other], optimizer: {use: adamw, with: {weight_decay: 0.1}}}
"""  # noqa: E501 - a spec as users write it


class Given:
    """A sampler that draws what it was given."""

    roles, streams, diagnostics = ("anchor", "pair"), ("",), ()

    def __init__(self, *batches: tuple[list[int], list[int]]) -> None:
        self._batches = batches
        self.n_rows = sum(len(anchors) for anchors, _ in batches)

    def sizes(self, epoch: int = 0, *, stream: str = "") -> list[int]:
        return [len(anchors) for anchors, _ in self._batches]

    def draw(self, epoch: int, *, start: int = 0, stream: str = "") -> Iterator[Drawn]:
        return (Drawn((torch.tensor(anchors), torch.tensor(pairs)), None) for anchors, pairs in self._batches[start:])


@pytest.fixture
def stepped(tmp_path, monkeypatch):
    """Takes the steps of given pairs and gives the runtime, the program and its record."""

    def step(*batches):
        write_table(tmp_path / "a.csv", 20)
        monkeypatch.setattr(opening, "make_sampler", lambda *_: Given(*batches))
        plan, runtime = opened(tmp_path, SPEC)
        program = runtime.open_train(plan.phase("train"))
        before = state(runtime, program, "body")
        for index, batch in enumerate(program.draw(0)):
            program.step(ExecutionContext("train", 0, index, batch))
        return before, state(runtime, program, "body"), program.take_record()

    return step


def test_a_pair_that_is_masked_whole_is_as_if_it_were_not_there(stepped):
    """S-17, S-18: the weights and BatchNorm's statistics are those of the shorter batch."""
    _, masked, record = stepped(([3, -1, 5, 7], [4, -1, 6, 8]))
    _, shorter, expected = stepped(([3, 5, 7], [4, 6, 8]))
    assert same(masked, shorter)
    assert record.columns == expected.columns


def test_a_loss_counts_the_rows_that_are_live_in_all_it_reads(stepped):
    """S-17."""
    _, _, record = stepped(([3, 2, 5, 7], [4, -1, 6, 8]))
    assert (list(record.counts["own"]), list(record.counts["other"])) == ([4], [3])


def test_a_masked_anchor_enters_no_statistics(stepped):
    """S-18: the node runs on live rows only."""
    _, masked, record = stepped(([3, -1, 5, 7], [4, 9, 6, 8]))
    _, shorter, expected = stepped(([3, 5, 7], [4, 6, 8]))
    assert same(masked, shorter)
    assert list(record.counts["own"]) == [3]
    assert record.columns["own"] == expected.columns["own"]


def test_a_batch_without_live_rows_moves_nothing(stepped):
    """S-18."""
    before, after, record = stepped(([-1, -1], [3, 4]))
    assert same(before, after)
    assert list(record.counts["own"]) == [0]
