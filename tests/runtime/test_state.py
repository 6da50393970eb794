"""What snapshots bring back, what checkpoints hold, what closed phases let go of."""

import gc
import json
import random
import weakref

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from runexp.api.recording import Checkpoints
from runexp.engine.experiment import Experiment
from runexp.runtime.seeds import derive_seed
from runexp.store.checkpoints import CheckpointFolder
from runtime.tables import columns, opened, run, same, weights

SPEC = """\
nodes:
  body: {inputs: t.x, layers: [{torch.nn.Linear: {out_features: 8}}, torch.nn.BatchNorm1d, torch.nn.ReLU]}
  head: {inputs: body, use: torch.nn.Linear, with: {out_features: 3}}
losses: {ce: {node: head, use: cross_entropy, inputs: [outputs, targets.kind]}}
callbacks:
  validate: {use: evaluation, split: val, every_n_epochs: 2}
  stop: {use: early_stopping, monitor: val_loss, patience: 2, restore_best: true}
phases:
  train:
    kind: train
    epochs: 4
    losses: [ce]
    batches: {size: 16}
    optimizer: {use: adam, with: {lr: 0.01}}
    callbacks: [stop, validate]
    checkpoints: {max_to_keep: 1, monitor: val_loss}
  other: {kind: train, epochs: 1, nodes: [head], losses: [ce], optimizer: {use: sgd, with: {lr: 0.1}}}
  test: {kind: eval, split: val, losses: [ce]}
"""


def state(runtime):
    """Everything a phase may change, as values that compare."""
    flags = [
        (name, part.training, [(parameter.requires_grad, parameter.grad) for parameter in part.parameters()])
        for name, module in runtime.graph.modules.items()
        for part in module.modules()
    ]
    generators = (torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate())
    return flags, generators, set(runtime.graph.frozen)


def change_everything(plan, runtime):
    run(plan, runtime)
    runtime.graph.freeze(["body"])
    runtime.graph.set_modes(["head"])
    torch.rand(1), np.random.rand(1), random.random()


@pytest.mark.parametrize("training", [[], ["body", "head"], ["head"]], ids=["idle", "training", "partly frozen"])
def test_a_whole_snapshot_brings_back_every_bit(training, tmp_path):
    plan, runtime = opened(tmp_path, SPEC)
    runtime.graph.set_modes(training)
    before, kept, bits = state(runtime), runtime.snapshot(), weights(runtime)
    change_everything(plan, runtime)
    assert not same(bits, weights(runtime))
    runtime.restore(kept)
    assert same(bits, weights(runtime))
    assert state(runtime) == before


@pytest.mark.parametrize("n_events", [3, 9, 1000], ids=["at the start", "amid", "to the end"])
def test_a_preview_leaves_every_bit_as_it_was(n_events, tmp_path):
    plan, runtime = opened(tmp_path, SPEC)
    before, bits = state(runtime), weights(runtime)
    events = Experiment(plan, runtime).preview_phase("other", with_earlier=True)
    for _ in zip(range(n_events), events, strict=False):
        pass
    events.close()
    assert same(bits, weights(runtime))
    assert state(runtime) == before


def test_a_snapshot_of_some_nodes_touches_no_other(tmp_path):
    plan, runtime = opened(tmp_path, SPEC)
    kept = runtime.snapshot(("head",))
    before = weights(runtime)
    run(plan, runtime, "train")
    moved = weights(runtime)
    runtime.restore(kept)
    after = weights(runtime)
    assert all(torch.equal(after[key], (before if key.startswith("head.") else moved)[key]) for key in after)


def test_rehearsing_changes_nothing(tmp_path):
    plan, runtime = opened(tmp_path, SPEC)
    before, bits = state(runtime), weights(runtime)
    runtime.rehearse(plan.phases)
    assert same(bits, weights(runtime))
    assert state(runtime) == before


def test_a_phase_does_not_depend_on_the_one_before_it_beyond_weights(tmp_path):
    plan, runtime = opened(tmp_path, SPEC)
    start = runtime.snapshot(("body", "head"))
    run(plan, runtime, "other")
    alone = weights(runtime)
    runtime.restore(start)
    run(plan, runtime, "train")
    runtime.restore(start)
    run(plan, runtime, "other")
    assert same(alone, weights(runtime))


def test_checkpoints_load_back_equal_with_the_optimizers_state(tmp_path):
    plan, runtime = opened(
        tmp_path, SPEC.replace("callbacks: [stop, validate]", "").replace(", monitor: val_loss}", "}")
    )
    store = Checkpoints(CheckpointFolder(tmp_path / "checkpoints"), runtime)
    run(plan, runtime, "train", checkpoints=store)
    folder = tmp_path / "checkpoints/train/epoch-0003"
    assert same(load_file(folder / "weights.safetensors"), weights(runtime))
    written = json.loads((folder / "state.json").read_text())
    assert (written["phase"], written["epoch"], written["step"]) == ("train", 3, 16)
    assert written["metrics"].keys() == {"train_ce", "train_loss", "lr"}
    assert written["optimizer"]["groups"][0]["lr"] == 0.01

    start = opened(tmp_path, SPEC)[1]
    modules = [start.graph.modules["body"], start.graph.modules["head"]]
    model = torch.nn.Sequential(*modules).train().requires_grad_(True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=True)
    x, y = columns(start, "train", "x", "kind")
    for epoch in range(4):
        generator = torch.Generator().manual_seed(derive_seed(4, "order", "train", epoch))
        for rows in torch.randperm(len(x), generator=generator).split(16):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    hand = {
        f"{index}.{key}": value
        for index, values in optimizer.state_dict()["state"].items()
        for key, value in values.items()
    }
    assert same(load_file(folder / "optimizer.safetensors"), hand)


def test_the_best_checkpoint_is_the_one_early_stopping_restores(tmp_path):
    plan, runtime = opened(tmp_path, SPEC)
    folder = CheckpointFolder(tmp_path / "checkpoints")
    run(plan, runtime, "train", checkpoints=Checkpoints(folder, runtime))
    best = tmp_path / "checkpoints" / folder.pointers("train")["best"]
    assert same(load_file(best / "weights.safetensors"), weights(runtime))


def test_a_finished_train_phase_is_let_go_of(tmp_path):
    plan, runtime = opened(tmp_path, SPEC)
    programs = []
    open_train, open_eval = runtime.open_train, runtime.open_eval

    def watched(make):
        def made(phase):
            program = make(phase)
            programs.append(weakref.ref(program))
            return program

        return made

    runtime.open_train, runtime.open_eval = watched(open_train), watched(open_eval)
    experiment = Experiment(plan, runtime)
    list(experiment.run_phase("train"))
    n_of_train = len(programs)
    list(experiment.run_phase("other"))
    gc.collect()
    assert n_of_train > 1
    assert [program() for program in programs] == [None] * len(programs)
