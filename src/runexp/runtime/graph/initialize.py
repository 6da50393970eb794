"""How parameters start: torch.nn.init's initialisers, by parameter pattern."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from runexp.plan.values import Call
from runexp.runtime.own_code import running
from runexp.runtime.resolve import make

# Initialisers that need at least two dimensions leave vectors (biases, norms) as torch made them.
_NEED_MATRIX = frozenset({"xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal"})


def initialize(module: nn.Module, rules: Mapping[str, str | Call]) -> None:
    """Apply the first rule whose pattern matches each parameter's name."""
    for name, parameter in module.named_parameters():
        rule = next((rule for pattern, rule in rules.items() if fnmatchcase(name, pattern)), None)
        if rule is None or (rule in _NEED_MATRIX and parameter.ndim < 2):
            continue
        if isinstance(rule, Call):
            _by_own(rule, parameter)
        else:
            getattr(nn.init, f"{rule}_")(parameter)


def _by_own(call: Call, parameter: nn.Parameter) -> None:
    """A function of the user's changes the parameter in place, or gives the values to copy into it."""
    with running(call), torch.no_grad():
        given = make(call)(parameter)
        if isinstance(given, Tensor) and given is not parameter:
            parameter.copy_(given)
