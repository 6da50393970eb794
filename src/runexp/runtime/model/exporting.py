"""A model as a file that other programs run: torch.export, ONNX, and weights and estimators by themselves."""

from __future__ import annotations

import importlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from runexp.runtime.data.problems import first_line
from runexp.runtime.model.model import Model
from runexp.runtime.model.network import Network, Side
from runexp.runtime.model.problems import CannotLoad

_TOLERANCE = 1e-4
_MISSING = "ONNX needs libraries that are not installed: `pip install 'runexp[onnx]'`"


def to_weights(models: Mapping[str, Model], path: Path) -> None:
    """The weights and buffers of all torch nodes by `<node>.<name>` as safetensors; what it is stands in its header.

    `models` are one or several, by what the names of theirs begin with.
    """
    tensors = {
        f"{prefix}{name}.{key}": value.contiguous()
        for prefix, model in models.items()
        for name, module in model.modules.items()
        for key, value in module.state_dict().items()
    }
    if not tensors:
        raise CannotLoad("there are no weights: no node is a torch module")
    first = next(iter(models.values()))
    path.write_bytes(save(tensors, {"runexp": json.dumps({"name": first.name, "nodes": sorted(first.modules)})}))


def to_program(model: Model, path: Path, side: Side) -> float:
    """The network as a program of torch.export, for any number of rows; its largest difference from the model."""
    network = Network(model, side)
    program = _program(network)
    written = BytesIO()
    torch.export.save(program, written)
    path.write_bytes(written.getvalue())
    written.seek(0)
    again = torch.export.load(written).module()
    return _difference(network, again(*(entry.example for entry in network.entries)))


def to_onnx(model: Model, path: Path, side: Side, notes: Mapping[str, str]) -> float:
    """The network as ONNX with `notes` in its header, run with onnxruntime; its largest difference from the model."""
    try:
        runtime = importlib.import_module("onnxruntime")
        importlib.import_module("onnxscript")
    except ImportError as error:
        raise CannotLoad(_MISSING) from error
    network = Network(model, side)
    examples = [entry.example for entry in network.entries]
    names = [entry.name for entry in network.entries]
    with _told("ONNX"), _quiet():
        made = torch.onnx.export(
            _program(network),
            tuple(examples),
            dynamo=True,
            input_names=names,
            output_names=list(network.outputs),
            verbose=False,
        )
    if made is None:
        raise CannotLoad("ONNX cannot hold this network")
    made.model.metadata_props.update(notes)
    made.save(str(path), external_data=False)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    given = session.run(None, {name: example.numpy() for name, example in zip(names, examples, strict=True)})
    difference = _difference(network, [torch.as_tensor(one) for one in given])
    if difference > _TOLERANCE:
        raise CannotLoad(f"onnxruntime gives other numbers than the model, by {difference:.2g}: nothing is exported")
    return difference


def _program(network: Network) -> Any:  # noqa: ANN401 - torch.export's program
    rows = torch.export.Dim("rows", min=1)
    examples = tuple(entry.example for entry in network.entries)
    with _told("torch.export"), torch.no_grad():
        return torch.export.export(network, examples, dynamic_shapes={"inputs": tuple({0: rows} for _ in examples)})


def _difference(network: Network, given: Any) -> float:  # noqa: ANN401 - a sequence of tensors
    with torch.no_grad():
        wanted = network(*(entry.example for entry in network.entries))
    pairs: Iterator[tuple[Tensor, Tensor]] = zip(wanted, given, strict=True)
    return max(float(((one - other).abs() / (1 + one.abs())).max()) for one, other in pairs)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """What cannot be exported is the model's affair, not a fault of ours: said in one line."""
    try:
        yield
    except CannotLoad:
        raise
    except Exception as error:  # torch raises many kinds for what it cannot trace
        raise CannotLoad(f"{what} cannot hold this network: {first_line(error)}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter talks of libraries that are not there and of itself."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
