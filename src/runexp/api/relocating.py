"""A spec written for another folder: paths that start at the spec's own are written as they are from there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runexp.api.checking import Checked
from runexp.api.recording import yaml_of
from runexp.plan.data import SourcePlan
from runexp.plan.experiment import Plan

_SQLITE = "sqlite:///"


def plain_yaml(checked: Checked, folder: Path, *, leave_out: tuple[str, ...] = ()) -> str:
    """The spec in one file, for `folder`, without some sections: it gives the same plan but for its paths."""
    spec = checked.parsed_spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    moved = {path: _moved(path, checked.folder, folder) for path in _paths(checked.linked)}
    body = {key: value for key, value in spec.items() if key not in leave_out}
    places = {key: _with(body[key], moved) for key in ("data", "nodes") if key in body}
    return yaml_of(checked, body | places)


def _paths(plan: Plan) -> Iterator[str]:
    """Every relative path of a plan, as it is written."""
    for data in plan.data:
        sources = [data.source, *(join.source for join in data.joins), *(matrix.source for matrix in data.matrices)]
        for source in sources:
            yield from _of_source(source)
    yield from (node.weights.path for node in plan.nodes if node.weights is not None)


def _of_source(source: SourcePlan) -> Iterator[str]:
    if source.path:
        yield source.path
    for part in source.parts.values():
        yield from _of_source(part)


def _moved(path: str, old: Path, new: Path) -> str:
    scheme = _SQLITE if path.startswith(_SQLITE) else ""
    bare = path.removeprefix(scheme)
    if "://" in bare or Path(bare).is_absolute():
        return path
    tail = "/" if bare.endswith("/") else ""
    return f"{scheme}{Path(os.path.relpath(old / bare, new)).as_posix()}{tail}"


def _with(value: Any, moved: dict[str, str]) -> Any:  # noqa: ANN401 - plain data of a spec
    if isinstance(value, dict):
        return {key: _with(item, moved) for key, item in value.items()}
    if isinstance(value, list):
        return [_with(item, moved) for item in value]
    return moved.get(value, value) if isinstance(value, str) else value
