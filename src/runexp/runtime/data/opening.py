"""From the plan of a source to the open source: a reader for each kind, over one file or many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from runexp.plan.data import SourcePlan
from runexp.runtime.data.arrow_file import open_arrow
from runexp.runtime.data.delimited import open_delimited
from runexp.runtime.data.finding import find_files
from runexp.runtime.data.json_lines import open_json_lines
from runexp.runtime.data.numpy_file import open_numpy
from runexp.runtime.data.parquet import ParquetSource, open_parquet
from runexp.runtime.data.several import SPLIT_OF_FILE, Member, closed, join_members
from runexp.runtime.data.sql import open_query
from runexp.runtime.data.table import Source
from runexp.runtime.data.text_file import open_text

_OPENERS: dict[str, Callable[[SourcePlan, Path], Source]] = {
    "csv": open_delimited,
    "parquet": open_parquet,
    "json_lines": open_json_lines,
    "arrow": open_arrow,
    "numpy": open_numpy,
    "text": open_text,
}


def open_planned(plan: SourcePlan, folder: Path) -> Source:
    """Open files or a database; `SpecError` where there are none, or where one cannot be read."""
    if plan.kind == "sql":
        return open_query(plan, folder)
    if plan.kind == "files":
        parts = ((split, part, open_planned(part, folder)) for split, part in plan.parts.items())
        members = tuple(Member(source, part.path, {SPLIT_OF_FILE: split}) for split, part, source in parts)
        return replace(join_members(plan, members), label="the files of the splits")
    files = find_files(plan, folder)
    if files is None:
        return _OPENERS[plan.kind](plan, folder)
    return join_members(plan, tuple(Member(_member(plan, file.path), file.name, file.partition) for file in files))


def _member(plan: SourcePlan, path: Path) -> Source:
    source = _OPENERS[plan.kind](replace(plan, path=str(path)), Path())
    return closed(source) if isinstance(source, ParquetSource) else source
