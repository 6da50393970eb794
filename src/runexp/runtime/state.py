"""The state of a runtime: copies in memory, and files of a checkpoint."""

from __future__ import annotations

import importlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from runexp.runtime.data import load_transformer, loaded_transformer
from runexp.runtime.graph.graph import Graph
from runexp.runtime.packing import pack, unpack
from runexp.runtime.tensor_files import write_tensors


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


def random_state() -> dict[str, Any]:
    """Where every random number generator stands."""
    return {
        "torch": torch.get_rng_state(),
        "cuda": list(torch.cuda.get_rng_state_all()) if torch.cuda.is_available() else [],
        "numpy": np.random.get_state(),
        "python": random.getstate(),
    }


def set_random_state(state: Mapping[str, Any]) -> None:
    """Set every random number generator to where it stood."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    np.random.set_state(state["numpy"])
    random.setstate(state["python"])


def write_checkpoint(folder: Path, graph: Graph, state: Mapping[str, Any], program: Mapping[str, Any] | None) -> None:
    """Write everything a continuation needs into an empty folder (S-39).

    Files: `weights.safetensors`, `optimizer.safetensors`, `state.json` with the rest that is plain, the tensors of that
    in `state.safetensors`, and `estimators/<node>.skops`. `Unpackable` where a state is of a kind none of them takes.
    """
    capture(graph, state, program).write(folder)


def capture(graph: Graph, state: Mapping[str, Any], program: Mapping[str, Any] | None) -> Captured:
    """A copy of everything a continuation needs, which can be written at leisure. `Unpackable` as above."""
    written = dict(state)
    rest: dict[str, Any] = {"random": random_state(), "frozen": sorted(graph.frozen)}
    files = {"weights": _flat_weights(graph)}
    if program is not None:
        rest["program"] = {key: value for key, value in program.items() if key != "optimizer"}
        files["optimizer"], written["optimizer"] = _split(program["optimizer"])
    estimators = {name: _dumped(estimator) for name, estimator in graph.estimators.items()}
    rest["estimators"] = {name: content is not None for name, content in estimators.items()}
    written["rest"], files["state"] = pack(_snapshots_taken_apart(rest | {"engine": written.pop("engine", None)}))
    whole = {name: content for name, content in estimators.items() if content is not None}
    return Captured(files, json.dumps(written, indent=1), whole)


@dataclass(frozen=True, slots=True)
class Captured:
    """The state of a moment: tensors by file, the rest as JSON, estimators as skops writes them."""

    tensors: Mapping[str, dict[str, Tensor]]
    plain: str
    estimators: Mapping[str, bytes]

    @property
    def n_bytes(self) -> int:
        """What it takes."""
        return sum(value.nbytes for file in self.tensors.values() for value in file.values())

    def write(self, folder: Path) -> None:
        """Write it into an empty folder."""
        for name, tensors in self.tensors.items():
            write_tensors(tensors, folder / f"{name}.safetensors")
        if self.estimators:
            (folder / "estimators").mkdir()
        for name, content in self.estimators.items():
            (folder / "estimators" / f"{name}.skops").write_bytes(content)
        (folder / "state.json").write_text(self.plain, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Restored:
    """What a checkpoint says beside what it put back: the engine's state and the program's; `lost` are estimators that
    could not be written."""

    engine: Any
    program: Mapping[str, Any] | None
    random: Mapping[str, Any]
    lost: tuple[str, ...]


def read_checkpoint(folder: Path, graph: Graph) -> Restored:
    """Put estimators, frozen nodes and weights back; random numbers and the program's state are left to the caller."""
    written = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    rest = _snapshots_put_together(unpack(written["rest"], load_file(folder / "state.safetensors")))
    kept: dict[str, bool] = rest["estimators"]
    for name in graph.plans:  # in topological order, so that what stands on one can be built at once
        if kept.get(name):
            graph.set_estimator(name, load_transformer(folder / "estimators" / f"{name}.skops"))
    graph.frozen = set(rest["frozen"])
    program = rest.get("program")
    if program is not None:
        values = load_file(folder / "optimizer.safetensors")
        program = program | {"optimizer": _joined(written["optimizer"], values)}
    lost = tuple(name for name in graph.plans if kept.get(name) is False)
    return Restored(rest["engine"], program, rest["random"], lost)


def read_weights(folder: Path, graph: Graph) -> None:
    """Put the weights and buffers of every module back."""
    values = load_file(folder / "weights.safetensors")
    live = {
        f"{name}.{key}": held for name, module in graph.modules.items() for key, held in module.state_dict().items()
    }
    with torch.no_grad():
        for name in live.keys() & values.keys():
            live[name].copy_(values[name])


def load_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Put back an optimizer's state as `read_checkpoint` gives it. Its groups stay the same objects: schedules hold
    on to them."""
    live = optimizer.param_groups
    numbered = optimizer.state_dict()["param_groups"]
    groups = [dict(group, params=own["params"]) for group, own in zip(state["groups"], numbered, strict=True)]
    optimizer.load_state_dict({"state": state["state"], "param_groups": groups})
    for group, loaded in zip(live, optimizer.param_groups, strict=True):
        group.update(loaded)
    optimizer.param_groups = live


def _dumped(estimator: Any) -> bytes | None:  # noqa: ANN401 - scikit-learn is untyped
    """An estimator as skops writes it; None where it cannot be written, or not be read back."""
    skops = importlib.import_module("skops.io")
    try:
        content: bytes = skops.dumps(estimator)
        loaded_transformer(content, type(estimator).__name__)
    except Exception:  # what skops raises for what it cannot hold is not told beforehand
        return None
    return content


def _snapshots_taken_apart(value: Any) -> Any:  # noqa: ANN401 - any nested state
    """Snapshots of weights among the state of callbacks as plain mappings."""
    if isinstance(value, Snapshot):
        return {_SNAPSHOT: value.tensors}
    if isinstance(value, Mapping):
        return {key: _snapshots_taken_apart(item) for key, item in value.items()}
    return [_snapshots_taken_apart(item) for item in value] if isinstance(value, list) else value


def _snapshots_put_together(value: Any) -> Any:  # noqa: ANN401 - any nested state
    if isinstance(value, list):
        return [_snapshots_put_together(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _SNAPSHOT in value:
        return Snapshot(value[_SNAPSHOT], None)
    return {key: _snapshots_put_together(item) for key, item in value.items()}


_SNAPSHOT = "snapshot of weights"


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


def _joined(plain: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """What `_split` took apart; of several optimizers each under its name."""
    if isinstance(plain.get("groups"), list):
        return _joined_optimizer(plain, tensors)
    return {
        name: _joined_optimizer(
            one, {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
        )
        for name, one in plain.items()
    }


def _joined_optimizer(plain: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {}
    for name, value in (*plain["values"].items(), *tensors.items()):
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = value
    groups = [
        {key: tuple(item) if isinstance(item, list) else item for key, item in group.items()}
        for group in plain["groups"]
    ]
    scaler = {"scaler": plain["scaler"]} if "scaler" in plain else {}
    return {"state": state, "groups": groups, **scaler}


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
