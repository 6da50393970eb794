"""How parameters start: torch.nn.init's initialisers, by parameter pattern."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from torch import nn

# Initialisers that need at least two dimensions leave vectors (biases, norms) as torch made them.
_NEED_MATRIX = frozenset({"xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal"})


def initialize(module: nn.Module, rules: Mapping[str, str]) -> None:
    """Apply the first rule whose pattern matches each parameter's name."""
    for name, parameter in module.named_parameters():
        rule = next((rule for pattern, rule in rules.items() if fnmatchcase(name, pattern)), None)
        if rule is None or (rule in _NEED_MATRIX and parameter.ndim < 2):
            continue
        getattr(nn.init, f"{rule}_")(parameter)
