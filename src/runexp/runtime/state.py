"""The state of a runtime: copies in memory, and files of a checkpoint."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from runexp.runtime.graph.graph import Graph


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Weights and buffers of some nodes; with `whole`, everything a phase may change."""

    tensors: Mapping[str, Mapping[str, Tensor]]
    whole: WholeState | None


@dataclass(frozen=True, slots=True)
class WholeState:
    """What a phase may change beside weights: estimators, freeze flags, modes, gradients' flags, random numbers."""

    estimators: Mapping[str, Any]
    frozen: frozenset[str]
    training: Mapping[str, bool]
    requires_grad: Mapping[str, bool]
    torch_rng: Tensor
    cuda_rng: Sequence[Tensor]
    numpy_rng: Any
    python_rng: Any


def take_snapshot(graph: Graph, nodes: Sequence[str] | None) -> Snapshot:
    """Copy the weights of `nodes`; None: of everything, with all that a phase may change (S-30)."""
    names = graph.modules if nodes is None else nodes
    tensors = {
        name: {key: value.detach().clone() for key, value in graph.modules[name].state_dict().items()}
        for name in names
        if name in graph.modules
    }
    return Snapshot(tensors, _whole(graph) if nodes is None else None)


def restore_snapshot(graph: Graph, snapshot: Snapshot) -> None:
    """Set back what a snapshot holds, bit for bit; parameters stay the same objects."""
    if snapshot.whole is not None:
        made = {*graph.modules, *graph.estimators} - {*snapshot.tensors, *snapshot.whole.estimators}
        graph.forget(made)
    with torch.no_grad():
        for name, tensors in snapshot.tensors.items():
            live = graph.modules[name].state_dict()
            for key, value in tensors.items():
                live[key].copy_(value)
    if snapshot.whole is not None:
        _restore_whole(graph, snapshot.whole)


def write_checkpoint(folder: Path, graph: Graph, state: Mapping[str, Any], optimizer: Mapping[str, Any] | None) -> None:
    """Write weights, the optimizer's state and the position into an empty folder, as safetensors and JSON."""
    save_file(_flat_weights(graph), folder / "weights.safetensors")
    written = dict(state)
    if optimizer is not None:
        tensors, plain = _split(optimizer)
        save_file(tensors, folder / "optimizer.safetensors")
        written["optimizer"] = plain
    (folder / "state.json").write_text(json.dumps(written, indent=1), encoding="utf-8")


def _flat_weights(graph: Graph) -> dict[str, Tensor]:
    return {
        f"{name}.{key}": value.detach().cpu().contiguous().clone()
        for name, module in graph.modules.items()
        for key, value in module.state_dict().items()
    }


def _split(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the plain values of an optimizer's state; of several, both under their names."""
    if "param_groups" in state:
        return _split_optimizer(state)
    several = {name: _split_optimizer(one) for name, one in state.items()}
    tensors = {f"{name}.{key}": value for name, (found, _) in several.items() for key, value in found.items()}
    return tensors, {name: plain for name, (_, plain) in several.items()}


def _split_optimizer(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors, plain = {}, {}
    for index, values in state["state"].items():
        for key, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{key}"] = value.detach().cpu().contiguous().clone()
            else:
                plain[f"{index}.{key}"] = value
    groups = [{key: value for key, value in group.items() if key != "params"} for group in state["param_groups"]]
    scaler = {"scaler": state["scaler"]} if "scaler" in state else {}
    return tensors, {"groups": groups, "values": plain, **scaler}


def _whole(graph: Graph) -> WholeState:
    parameters = {
        f"{name}.{key}": value.requires_grad
        for name, module in graph.modules.items()
        for key, value in module.named_parameters()
    }
    return WholeState(
        estimators=dict(graph.estimators),
        frozen=frozenset(graph.frozen),
        training={name: module.training for name, module in graph.modules.items()},
        requires_grad=parameters,
        torch_rng=torch.get_rng_state(),
        cuda_rng=torch.cuda.get_rng_state_all() if torch.cuda.is_available() else (),
        numpy_rng=np.random.get_state(),
        python_rng=random.getstate(),
    )


def _restore_whole(graph: Graph, whole: WholeState) -> None:
    for name, estimator in whole.estimators.items():
        if graph.estimators.get(name) is not estimator:
            graph.set_estimator(name, estimator)
    graph.frozen = set(whole.frozen)
    for name, module in graph.modules.items():
        module.train(whole.training[name])
        for key, parameter in module.named_parameters():
            parameter.requires_grad_(whole.requires_grad[f"{name}.{key}"])
            parameter.grad = None
    torch.set_rng_state(whole.torch_rng)
    if whole.cuda_rng:
        torch.cuda.set_rng_state_all(list(whole.cuda_rng))
    np.random.set_state(whole.numpy_rng)
    random.setstate(whole.python_rng)
