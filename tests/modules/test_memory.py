"""Nodes that trade time for memory give the same numbers in less of it."""

import weakref
from collections import Counter

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from runexp.diagnostics import SpecError
from runexp.runtime.graph.memory import sparing
from runtime.tables import opened, run, same, weights

NET = """\
nodes:
  body: {inputs: t.x, OPTION,
         layers: [linear: {out_features: 64}, NORM, relu, dropout: {p: 0.3}, linear: {out_features: 64}, relu]}
  head: {inputs: body, use: linear, with: {out_features: 3}}
losses: {ce: {node: head, use: cross_entropy, inputs: [outputs, targets.kind]}}
phases:
  train: {kind: train, epochs: 2, losses: [ce], batches: {size: 16}, optimizer: {use: adam},
          callbacks: [{use: evaluation, split: val, losses: [ce]}]}
"""


class LiveBytes(TorchDispatchMode):
    """The most bytes that storages made inside held at one time."""

    def __init__(self):
        super().__init__()
        self.most = 0
        self.live = Counter()
        self.sizes = {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, torch.Tensor):
                place = value.untyped_storage().data_ptr()
                self.live[place] += 1
                self.sizes[place] = value.untyped_storage().nbytes()
                weakref.finalize(value, self.release, place)
        self.most = max(self.most, sum(size for place, size in self.sizes.items() if self.live[place]))
        return result

    def release(self, place):
        self.live[place] -= 1


def trained(folder, option, norm="identity"):
    plan, runtime = opened(folder, NET.replace("OPTION", option).replace("NORM", norm))
    events = run(plan, runtime)
    return weights(runtime), events[-2].metrics, runtime


def test_activations_computed_again_give_the_same_numbers_bit_for_bit(tmp_path):
    """Dropout and the statistics of a batch normalisation included."""
    plain, numbers, _ = trained(tmp_path, "freeze: false", "batch_norm1d")
    spared, again, _ = trained(tmp_path, "checkpoint_activations: true", "batch_norm1d")
    assert same(plain, spared)
    assert numbers == again


def test_rows_in_chunks_give_the_same_numbers_without_dropout(tmp_path):
    plain, numbers, _ = trained(tmp_path, "freeze: true")
    spared, again, _ = trained(tmp_path, "freeze: true, chunk_size: 7")
    assert all(torch.allclose(plain[key], spared[key], atol=1e-6) for key in plain)
    assert numbers == pytest.approx(again, abs=1e-6)


def test_chunks_of_a_batch_normalisation_are_refused(tmp_path):
    with pytest.raises(SpecError) as refused:
        trained(tmp_path, "chunk_size: 7", "batch_norm1d")
    assert refused.value.diagnostics[0].code == "exclusive-options"


def deep():
    return nn.Sequential(*[layer for _ in range(6) for layer in (nn.Linear(64, 64), nn.GELU())])


def saved_bytes(call, rows):
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda value: kept.append(value.nbytes) or value, lambda value: value
    ):
        call(rows).sum()
    return sum(kept)


def test_activations_computed_again_keep_a_fraction_of_the_memory(tmp_path):
    _, _, runtime = trained(tmp_path, "checkpoint_activations: true")
    plan, module, rows = runtime.graph.plans["body"], deep(), torch.randn(256, 64)
    assert saved_bytes(sparing(plan, module), rows) < saved_bytes(module, rows) / 5


def test_chunks_need_a_fraction_of_the_memory_of_a_forward_pass(tmp_path):
    _, _, runtime = trained(tmp_path, "chunk_size: 32, freeze: true")
    plan, rows = runtime.graph.plans["body"], torch.randn(2048, 64)
    module = nn.Sequential(nn.Linear(64, 1024), nn.GELU(), nn.Linear(1024, 8)).eval()
    with torch.no_grad():
        with LiveBytes() as whole:
            expected = module(rows)
        with LiveBytes() as chunked:
            found = sparing(plan, module)(rows)
    torch.testing.assert_close(found, expected)
    assert chunked.most < whole.most / 5
