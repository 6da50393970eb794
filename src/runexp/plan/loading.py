"""Plain JSON data → the plan that `dump` made it of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from runexp import diagnostics
from runexp.plan import data, experiment, folds, graph, guards, lanes, phases, samplers, streaming, tracking, values
from runexp.plan.experiment import Plan
from runexp.plan.values import FrozenMap

_MODULES = (diagnostics, data, experiment, folds, graph, guards, lanes, phases, samplers, streaming, tracking, values)
_KINDS = {
    name: kind
    for module in _MODULES
    for name, kind in vars(module).items()
    if isinstance(kind, type) and is_dataclass(kind)
}


def load_plan(dumped: Mapping[str, Any]) -> Plan:
    """The plan of `dump(plan)`, as plan.json holds it. `ValueError` for anything else."""
    loaded = load_part(dumped)
    if not isinstance(loaded, Plan):
        raise ValueError("this is no plan")
    return loaded


def load_part(dumped: Any) -> Any:  # noqa: ANN401 - any part of a plan
    """A part of a plan; keys that this version does not know are left out."""
    if isinstance(dumped, list):
        return tuple(load_part(item) for item in dumped)
    if not isinstance(dumped, Mapping):
        return dumped
    kind = _KINDS.get(dumped.get("kind_of", ""))
    if kind is None:
        return FrozenMap({key: load_part(item) for key, item in dumped.items()})
    known = {field.name for field in fields(kind)}
    try:
        return kind(**{key: load_part(item) for key, item in dumped.items() if key in known})
    except TypeError as error:
        raise ValueError(f"a part of the plan cannot be read: {error}") from error
