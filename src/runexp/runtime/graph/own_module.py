"""A node of the user's: a class of modules, a factory of them, or a plain function of its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from runexp.plan.values import Call
from runexp.runtime.own_code import make_own, misfit


def own_module(call: Call, target: Any, arguments: Mapping[str, Any]) -> nn.Module:  # noqa: ANN401 - whatever the user wrote
    """The module that a call of own code makes; `OwnCodeError` where it makes something else."""
    made = make_own(call, target, arguments)
    if isinstance(made, nn.Module):
        return made
    if isinstance(target, type) or not callable(made):
        raise misfit(call, f"makes a `{type(made).__name__}`, and a node is a `torch.nn.Module`")
    return _Applied(made)


def check_output(call: Call, output: object) -> None:
    """`OwnCodeError` where own code gives what is neither a tensor nor several of them."""
    if call.code is not None and not isinstance(output, (Tensor, tuple, list, Mapping)):
        raise misfit(call, f"gives a `{type(output).__name__}`, and a node gives a tensor")


class _Applied(nn.Module):
    """A function without weights, as a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self._function = function

    def forward(self, *positional: Any, **keyword: Any) -> Any:  # noqa: ANN401 - whatever the function gives
        """What the function gives."""
        return self._function(*positional, **keyword)
