"""Each parameter of a sweep: whether its address is one of the spec, and whether its values make sense."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runexp.compiler.findings import Path
from runexp.compiler.scope import Scope
from runexp.diagnostics import did_you_mean
from runexp.source import MappingNode, Node, ScalarNode, SequenceNode
from runexp.spec.strategies import Range

_FIXED = ("runexp", "name", "imports", "sweep")
_BOUNDS = ("low", "high", "step", "log", "integer")


def check_address(scope: Scope, address: str) -> None:
    """Report an address that the spec does not have, or that cannot vary."""
    path: Path = ("sweep", "parameters", address)
    head = _steps(address)[0] if _steps(address) else ""
    if head in _FIXED:
        message = f"a sweep cannot vary `{head}`: it is what all trials have in common"
        scope.found.error("wrong-value", message, path, part="key")
    elif not _is_there(scope, address):
        known = [name for name in scope.found.document.addresses() if _steps(name) and _steps(name)[0] not in _FIXED]
        scope.found.error(
            "unknown-path",
            f"a sweep varies `{address}`, which the spec does not have",
            path,
            part="key",
            label="no such address",
            help=did_you_mean(address, known, kind="addresses"),
        )


def check_range(scope: Scope, address: str, values: Range, *, is_grid: bool) -> None:
    """Report values or bounds that contradict each other, or that nothing could be drawn from."""
    path: Path = ("sweep", "parameters", address)
    if values.values is not None:
        _check_values(scope, values, path)
        return
    if values.low is None or values.high is None:
        if not scope.found.is_damaged(path):
            message = f"`{address}` needs `low` and `high`, or `values`"
            scope.found.error("missing-key", message, path, part="key", label="between what?")
        return
    _check_bounds(scope, values, path, low=values.low, high=values.high)
    if is_grid and values.step is None and (values.log or not values.integer):
        message = f"a grid cannot take every number between {values.low:g} and {values.high:g}"
        help = "give it `step:`, or list its values"
        scope.found.error("missing-key", message, path, part="key", label="how far apart?", help=help)


def _check_values(scope: Scope, values: Range, path: Path) -> None:
    for key in _BOUNDS:
        if key in values.model_fields_set:
            message = f"`{key}` and `values` exclude each other"
            scope.found.error("exclusive-keys", message, (*path, key), part="key")
    where = (*path, "values") if scope.found.document.find((*path, "values")) is not None else path
    seen: set[str] = set()
    for index, value in enumerate(values.values or ()):
        text = json.dumps(value, sort_keys=True)
        if text in seen:
            scope.found.error("wrong-value", f"the value `{_shown(value)}` stands here twice", (*where, index))
        seen.add(text)
        node = scope.found.document.find((*where, index))
        if isinstance(node, ScalarNode) and node.secret:
            message = "what a sweep varies is written down, and this is a secret"
            scope.found.error("wrong-value", message, (*where, index))


def _check_bounds(scope: Scope, values: Range, path: Path, *, low: float, high: float) -> None:
    if low >= high:
        message = f"`low` must be less than `high`, and {low:g} is not less than {high:g}"
        scope.found.error("wrong-value", message, (*path, "low"))
    elif values.log and low <= 0:
        scope.found.error("wrong-value", f"a logarithmic scale begins above 0, not at {low:g}", (*path, "low"))
    elif values.step is not None and values.step > high - low:
        message = f"a step of {values.step:g} leads from {low:g} past {high:g}"
        scope.found.error("wrong-value", message, (*path, "step"))
    if values.log and values.step is not None:
        message = "`step` and `log` exclude each other: equal steps are none on a logarithmic scale"
        scope.found.error("exclusive-keys", message, (*path, "step"), part="key")
    for key, value in (("low", low), ("high", high), ("step", values.step)):
        if values.integer and value is not None and value != int(value):
            scope.found.error(
                "wrong-value", f"`{key}` is {value:g}, and `integer` asks for whole numbers", (*path, key)
            )


def check_when(scope: Scope, address: str, values: Range, written: Mapping[str, Range]) -> None:
    """Report a condition on what is no parameter above this one, or on a value that it never has."""
    above = list(written)[: list(written).index(address)]
    for name, wanted in (values.when or {}).items():
        path: Path = ("sweep", "parameters", address, "when", name)
        if name not in written:
            message = f"`when` names `{name}`, which the sweep does not vary"
            help = did_you_mean(name, above, kind="parameters above it")
            scope.found.error("unknown-path", message, path, part="key", label="no such parameter", help=help)
        elif name not in above:
            message = f"`{name}` stands below `{address}`, whose `when` names it"
            scope.found.error("wrong-value", message, path, part="key", help="put it above: values are drawn in order")
        else:
            _check_wanted(scope, wanted, written[name], path)


def _check_wanted(scope: Scope, wanted: Any, parent: Range, path: Path) -> None:  # noqa: ANN401 - a value or several
    if parent.values is None:
        message = f"`{path[-1]}` is a range: `when` asks for one of a list of values"
        scope.found.error("wrong-value", message, path, part="key")
        return
    known = {json.dumps(value, sort_keys=True): _shown(value) for value in parent.values}
    for one in wanted if isinstance(wanted, tuple) else (wanted,):
        if json.dumps(one) not in known:
            message = f"`{path[-1]}` never has the value `{_shown(one)}`"
            help = did_you_mean(_shown(one), known.values(), kind="its values")
            scope.found.error("wrong-value", message, path, help=help)


def _shown(value: Any) -> str:  # noqa: ANN401 - any value of a spec
    return value if isinstance(value, str) else json.dumps(value)


def _is_there(scope: Scope, address: str) -> bool:
    """Whether a value stands there as written, by default, or as an argument of something that is there."""
    steps = _steps(address)
    keys = _keys(scope.found.document.root, steps)
    if len(".".join(keys)) == len(".".join(steps)):
        return True
    if "with" in keys or any("." in key for key in keys):  # an argument: the catalog checks it in each trial
        return True
    if "with" in steps and "use" in _below(scope.found.document.root, keys):
        return keys == steps[: steps.index("with")]
    return _has(scope.found.spec.model_dump(mode="json", by_alias=True), steps)


def _has(value: Any, steps: list[str]) -> bool:  # noqa: ANN401 - plain data
    for step in steps:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return False
    return True


def _keys(node: Node, steps: list[str]) -> list[str]:
    """The keys that an address leads through, as far as they are there; one with dots takes several steps."""
    for n_taken in range(1, len(steps) + 1):
        key = ".".join(steps[:n_taken])
        inside = _inside(node, key)
        if inside is not None:
            return [key, *_keys(inside, steps[n_taken:])]
    return []


def _below(node: Node, keys: list[str]) -> tuple[str, ...]:
    """The keys of the mapping that keys lead to."""
    for key in keys:
        node = _inside(node, key) or node
    return tuple(node.keys()) if isinstance(node, MappingNode) else ()


def _inside(node: Node, step: str) -> Node | None:
    if isinstance(node, MappingNode):
        return node.get(step)
    if isinstance(node, SequenceNode) and step.isdecimal() and int(step) < len(node.items):
        return node.items[int(step)]
    return None


def _steps(address: str) -> list[str]:
    """The steps of `nodes.enc.layers[0]` or `nodes.enc.layers.0`, as overrides take them."""
    return [step for step in address.replace("[", ".").replace("]", "").split(".") if step]
