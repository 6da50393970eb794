"""Weights that a node starts from: read from a file of tensors, never unpickled as code (S-14)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from runexp.diagnostics import Diagnostic, SpecError, did_you_mean
from runexp.plan.graph import NodePlan, WeightsPlan
from runexp.runtime.data.files import locate
from runexp.runtime.data.problems import first_line

_MOST_NAMES = 4
_HINT = "weights are read as safetensors, or as the `state_dict` that torch.save wrote; code is never unpickled"


def load_weights(plan: NodePlan, module: nn.Module, folder: Path) -> None:
    """Set the parameters and buffers of a node to those of the file its plan names, if it names one.

    In the file they stand below the node's name (`encoder.0.weight`), as runexp's own checkpoints have them, or
    without it, as the state of one module. Raises `SpecError` for a file that cannot be read, for parameters of
    other shapes, and, unless `strict` is off, for parameters that the file lacks.
    """
    wanted = plan.weights
    if wanted is None or wanted.kind == "phase":
        return
    _put(plan, wanted, module, _read(wanted, folder))


def take_weights(plan: NodePlan, module: nn.Module, given: Mapping[str, Tensor]) -> None:
    """Set the parameters and buffers of a node to those that a phase gives it, below the name of the giving node."""
    if plan.weights is not None:
        _put(plan, plan.weights, module, given)


def check_weights(plan: NodePlan, module: nn.Module, given: nn.Module) -> None:
    """`SpecError` where a node could not take the weights of another once a phase is over."""
    if plan.weights is not None:
        _fitting(plan, plan.weights, module, {f"{plan.weights.node}.{k}": v for k, v in given.state_dict().items()})


def _put(plan: NodePlan, wanted: WeightsPlan, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    given = _fitting(plan, wanted, module, tensors)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if name in given:
                value.copy_(given[name])


def _fitting(
    plan: NodePlan, wanted: WeightsPlan, module: nn.Module, tensors: Mapping[str, Tensor]
) -> Mapping[str, Tensor]:
    """The tensors that are meant, by the names they have in the module."""
    given = _below(tensors, wanted.node or plan.name)
    own = module.state_dict()
    missing = [name for name in own if name not in given]
    if missing and (wanted.strict or len(missing) == len(own)):
        lacks = ", ".join(f"`{name}`" for name in missing[:_MOST_NAMES])
        more = f" and {len(missing) - _MOST_NAMES} more" if len(missing) > _MOST_NAMES else ""
        hint = did_you_mean(missing[0], tuple(given), kind="weights in the file")
        raise _wrong(wanted, f"`{wanted}` lacks weights of `{plan.name}`: {lacks}{more}", hint)
    _check_shapes(wanted, plan.name, own, given)
    return given


def _check_shapes(plan: WeightsPlan, node: str, own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    odd = [name for name, value in own.items() if name in given and given[name].shape != value.shape]
    if odd:
        name, others = odd[0], ", ".join(f"`{other}`" for other in odd[1 : _MOST_NAMES + 1])
        shapes = f"{tuple(given[name].shape)} in `{plan}` and {tuple(own[name].shape)} here"
        hint = f"so have others: {others}" if others else ""
        raise _wrong(plan, f"`{name}` of `{node}` has the shape {shapes}", hint)


def _below(tensors: Mapping[str, Tensor], node: str) -> dict[str, Tensor]:
    """The tensors under a node's name; all of them where none has it."""
    prefix = f"{node}."
    inside = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    return inside or dict(tensors)


def _read(plan: WeightsPlan, folder: Path) -> dict[str, Tensor]:
    path = locate(plan, folder)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # weights_only: tensors and plain containers; anything else that a pickle could do is refused by torch
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise _wrong(plan, f"`{plan}` holds something else than tensors by name", _HINT) from error
    except (SafetensorError, RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        raise _wrong(plan, f"`{plan}` cannot be read as weights: {first_line(error)}", _HINT) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise _wrong(plan, f"`{plan}` holds something else than tensors by name", _HINT)
    return {str(name): value for name, value in content.items()}


def _wrong(plan: WeightsPlan, message: str, hint: str) -> SpecError:
    return SpecError([Diagnostic("wrong-weights", message, plan.origin.span, help=hint, path=plan.origin.path)])
