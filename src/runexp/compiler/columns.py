"""Columns checked against those a source is known to have: by the catalog, or by the first line of a CSV file."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path as FilePath

from runexp import catalog
from runexp.compiler.findings import Findings, Path
from runexp.diagnostics import did_you_mean
from runexp.plan.data import KeyPlan, SourcePlan

_LONGEST_HEADER = 1 << 20
_WILDCARDS = frozenset("*?[")


def check_columns(
    found: Findings, source: SourcePlan | None, keys: Sequence[KeyPlan], path: Path, folder: FilePath
) -> None:
    """Report names and patterns that match no column of the source, where its columns can be known cheaply."""
    known = known_columns(source, folder) if source else ()
    if not known:
        return
    for key in keys:
        for index, pattern in enumerate(key.columns):
            if pattern not in known and not any(fnmatchcase(column, pattern) for column in known):
                kind = "column for the pattern" if _WILDCARDS & set(pattern) else "column"
                _report(
                    found, f"{kind} `{pattern}`", pattern, _place(found, (*path, key.domain, key.name), index), known
                )
    _check_split_columns(found, (*path, "splits"), [key.name for key in keys], known)


def _check_split_columns(found: Findings, path: Path, keys: Collection[str], known: Sequence[str]) -> None:
    """The keys or columns that splits look at."""
    splits = found.spec.data[str(path[1])].splits
    if splits is None or found.is_damaged(path[:2]):
        return
    for option in ("column", "order", "stratify_by", "group_by"):
        name = getattr(splits, option)
        if isinstance(name, str) and name not in keys and name not in known:
            names = tuple(dict.fromkeys([*keys, *known]))
            _report(found, f"key or column `{name}`", name, (*path, option), names)


def _report(found: Findings, what: str, name: str, path: Path, known: Sequence[str]) -> None:
    found.error(
        "unknown-column",
        f"the source of `{path[1]}` has no {what}",
        path,
        label="no such column",
        help=did_you_mean(name, known, kind="columns"),
    )


def known_columns(source: SourcePlan, folder: FilePath) -> tuple[str, ...]:
    """The columns of a source, as far as they can be known without reading it; empty where they cannot."""
    if source.call is not None:
        entry = catalog.lookup(source.call.name, "dataset")
        return (*entry.words("columns"), *entry.words("targets")) if entry else ()
    return _header(folder / source.path) if source.kind == "csv" else ()


def _header(path: FilePath) -> tuple[str, ...]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            first = file.readline(_LONGEST_HEADER).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError, EOFError):
        return ()  # reading the table will say what is wrong with it
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    return tuple(next(csv.reader([first], delimiter=delimiter), ()))


def _place(found: Findings, path: Path, index: int) -> Path:
    """Where the pattern stands: the value itself, an item of a list, or under `columns`."""
    for candidate in ((*path, "columns", index), (*path, "columns"), (*path, index)):
        if found.document.find(candidate) is not None:
            return candidate
    return path
