"""The difference of two plans, and where one value came from, as text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from runexp.diagnostics import Span
from runexp.plan.difference import ABSENT, Change
from runexp.report.characters import cleaned
from runexp.source.document import Document, History
from runexp.source.nodes import MappingNode, Node, ScalarNode


def render_difference(changes: Sequence[Change]) -> str:
    """A line for each address that differs: `~` changed, `-` only in the first, `+` only in the second."""
    if not changes:
        return "the plans are the same\n"
    return "".join(f"{cleaned(_line(change))}\n" for change in changes)


def render_history(address: str, document: Document, path: Sequence[str | int]) -> str:
    """Where the value of an address was written, how it came there, and what it beat."""
    history = document.history(path)
    if history is None:
        return ""
    node = document.find(path)
    lines = [f"{address} = {_written(node)}", *_steps(history, path, document)]
    return "".join(f"{cleaned(line)}\n" for line in lines)


def _steps(history: History, path: Sequence[str | int], document: Document) -> Iterator[str]:
    yield f"  written at {_place(document.span_of(path))}"
    for step in history.chain:
        yield f"  {step.message} at {_place(step.span)}"
    for beaten in history.beat:
        yield f"  beats {_written(beaten)} at {_place(beaten.span)}"


def _place(span: Span) -> str:
    return f"{span.file}:{span.line}:{span.column}"


def _line(change: Change) -> str:
    if change.before is ABSENT:
        return f"+ {change.address}: {_value(change.after)}"
    if change.after is ABSENT:
        return f"- {change.address}: {_value(change.before)}"
    return f"~ {change.address}: {_value(change.before)} → {_value(change.after)}"


def _value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _written(node: Node | None) -> str:
    if isinstance(node, ScalarNode):
        return _value(node.secret or node.value)
    return "a mapping" if isinstance(node, MappingNode) else "a list"
