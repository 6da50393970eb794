"""The spec of a trial: that of the sweep with other values, and what is wrong with it, where that is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from runexp.api.checking import Checked, check
from runexp.compiler.fold_stacking import mistakes_of_stacking
from runexp.diagnostics import Diagnostic, Span
from runexp.plan.sweeps import ParameterPlan
from runexp.source.nodes import COMMAND_LINE
from runexp.strategies.sweep_run import Execution
from runexp.strategies.sweep_space import Point, grid, label_of

_MOST_PROBES = 64


class SpecChanged(Exception):  # noqa: N818 - it reads as what happened
    """A file of the spec was changed while its trials ran."""


def spec_of(base: Checked, point: Point) -> Checked:
    """The spec with other values, and without its sweep. `SpecChanged` where its files are not what they were."""
    overrides = [*base.overrides, "sweep=null", *(f"{address}={json.dumps(point[address])}" for address in point)]
    checked = check(base.path, overrides=overrides, stdin=base.stdin, folder=base.folder)
    if _texts(checked) != _texts(base):
        raise SpecChanged(f"{base.path}, or what it extends, was changed while its trials ran")
    return replace(checked, allowed=base.allowed)


def unstackable(checked: Checked, how: Execution, whose: str) -> tuple[Diagnostic, ...]:
    """What of a valid spec cannot be trained together with others like it, where that is how it is to be run."""
    if how.manner != "vectorized" or checked.document is None:
        return ()
    return mistakes_of_stacking(checked.linked, checked.document, whose)


def judged(checked: Checked, how: Execution, whose: str) -> Checked:
    """The spec of a trial, with what stands in the way of how it is to be run among its mistakes."""
    found = unstackable(checked, how, whose) if checked.is_valid else ()
    return replace(checked, diagnostics=(*checked.diagnostics, *found)) if found else checked


def located(found: Iterable[Diagnostic], base: Checked, point: Point) -> tuple[Diagnostic, ...]:
    """What is wrong with a value of a trial, at the place in the sweep where that value is written."""
    return tuple(_located(one, base, point) for one in found)


def mistakes_of_grid(
    base: Checked, parameters: Sequence[ParameterPlan], judged: Callable[[Checked], Checked]
) -> tuple[Diagnostic, ...]:
    """What is wrong with the specs of a grid, each of whose values is tried once; at most some dozens of them."""
    found: dict[Diagnostic, None] = {}
    for point in _covering(parameters):
        checked = judged(spec_of(base, point))
        errors = [one for one in checked.diagnostics if one.is_error]
        found |= dict.fromkeys(located(errors, base, point))
    return tuple(found)


def _covering(parameters: Sequence[ParameterPlan]) -> Iterator[Point]:
    """Points that have every value of a grid between them."""
    seen: set[tuple[str, str]] = set()
    n_probes = 0
    for point in grid(parameters):
        values = {(address, label_of(value)) for address, value in point.items()}
        if not values <= seen:
            seen |= values
            n_probes += 1
            yield point
        if n_probes >= _MOST_PROBES:
            return


def _located(found: Diagnostic, base: Checked, point: Point) -> Diagnostic:
    span = found.span
    index = span.line - len(base.overrides) - 2 if span is not None and span.file == COMMAND_LINE else -1
    if not 0 <= index < len(point):
        return found
    address = list(point)[index]
    return replace(found, span=_span(base, address, point[address]))


def _span(base: Checked, address: str, value: Any) -> Span | None:  # noqa: ANN401 - any value of a spec
    """The value in the list of a parameter, or its range."""
    if base.document is None:
        return None
    path = ("sweep", "parameters", address)
    plan = base.linked.sweep
    one = next((one for one in plan.parameters if one.address == address), None) if plan is not None else None
    labels = [label_of(known) for known in one.values] if one is not None else []
    if label_of(value) not in labels:
        return base.document.span_of(path)
    is_mapping = base.document.find((*path, "values")) is not None
    return base.document.span_of((*path, *(("values",) if is_mapping else ()), labels.index(label_of(value))))


def _texts(checked: Checked) -> dict[str, str]:
    return {name: text for name, text in checked.files.items() if name != COMMAND_LINE}
