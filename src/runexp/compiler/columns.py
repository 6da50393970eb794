"""Columns checked against those a source is known to have: by the catalog, or by a first look at a file."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import zipfile
import zlib
from collections.abc import Callable, Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path as FilePath
from typing import IO, cast

from runexp import catalog
from runexp.compiler.findings import Findings, Part, Path
from runexp.compiler.sources import first_file
from runexp.diagnostics import did_you_mean
from runexp.plan.data import JoinPlan, KeyPlan, SourcePlan
from runexp.records import dataclass

_LONGEST_HEADER = 1 << 20
_WILDCARDS = frozenset("*?[")
STREAM_COLUMNS = ("text", "document")
"""The columns of a text read as tokens: the token, and the number of the document it stands in."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What the joins of a feature set bring: plans, keys over columns named `<data>.<column>`, and those of these
    columns that are known before the sources are read."""

    plans: tuple[JoinPlan, ...]
    keys: tuple[KeyPlan, ...]
    columns: tuple[str, ...]


def check_columns(
    found: Findings,
    source: SourcePlan | None,
    keys: Sequence[KeyPlan],
    path: Path,
    folder: FilePath,
    *,
    joined: Joined,
) -> None:
    """Report names and patterns that match no column of the source, where its columns can be known cheaply."""
    known = known_columns(source, folder) if source else ()
    if not known:
        return
    others = tuple(f"{join.data}." for join in found.spec.data[str(path[1])].joins)
    known = (*known, *joined.columns)
    unread = tuple(prefix for prefix in others if not any(column.startswith(prefix) for column in joined.columns))
    for key in keys:
        for index, pattern in enumerate(key.columns):
            if unread and pattern.startswith(unread):
                continue  # nothing is known of the set that it is a column of
            if pattern not in known and not any(fnmatchcase(column, pattern) for column in known):
                kind = "column for the pattern" if _WILDCARDS & set(pattern) else "column"
                _report(
                    found, f"{kind} `{pattern}`", pattern, _place(found, (*path, key.domain, key.name), index), known
                )
    names = [key.name for key in (*keys, *joined.keys)]
    _check_split_columns(found, (*path, "splits"), names, known, unread)
    _check_fold_columns(found, str(path[1]), names, known, unread)


def _check_split_columns(
    found: Findings, path: Path, keys: Collection[str], known: Sequence[str], unread: tuple[str, ...]
) -> None:
    """The keys or columns that splits look at; those of joined sets that are `unread` cannot be judged."""
    splits = found.spec.data[str(path[1])].splits
    if splits is None or found.is_damaged(path[:2]):
        return
    for option in ("column", "order", "stratify_by", "group_by"):
        name = getattr(splits, option)
        if isinstance(name, str) and name not in keys and name not in known and not name.startswith(unread):
            names = tuple(dict.fromkeys([*keys, *known]))
            _report(found, f"key or column `{name}`", name, (*path, option), names)
    for split, conditions in (splits.where or {}).items():
        for name in conditions:
            if name not in keys and name not in known and not name.startswith(unread):
                place = (*path, "where", split, name)
                _report(found, f"key or column `{name}`", name, place, (*keys, *known), part="key")


def _check_fold_columns(
    found: Findings, name: str, keys: Collection[str], known: Sequence[str], unread: tuple[str, ...]
) -> None:
    """The keys or columns that the folds of a set look at."""
    cv = found.spec.cv
    inner = cv.inner.data.get(name) if cv is not None and cv.inner is not None else None
    asked: dict[Path, object] = {("cv", "data", name): cv.data.get(name) if cv is not None else None}
    for place, data in (asked | {("cv", "inner", "data", name): inner}).items():
        for option in ("stratify_by", "group_by", "column", "order_by") if data is not None else ():
            wanted = getattr(data, option)
            if wanted is not None and wanted not in keys and wanted not in known and not wanted.startswith(unread):
                path: Path = (*place, option)
                _report(found, f"key or column `{wanted}`", wanted, path, (*keys, *known), source=name)


def _report(
    found: Findings, what: str, name: str, path: Path, known: Sequence[str], *, part: Part = "value", source: str = ""
) -> None:
    found.error(
        "unknown-column",
        f"the source of `{source or path[1]}` has no {what}",
        path,
        label="no such column",
        help=did_you_mean(name, tuple(dict.fromkeys(known)), kind="columns"),
        part=part,
    )


def known_columns(source: SourcePlan, folder: FilePath) -> tuple[str, ...]:
    """The columns of a source, as far as they can be known without reading it; empty where they cannot."""
    if source.is_stream:
        return STREAM_COLUMNS
    if source.call is not None:
        entry = catalog.lookup(source.call.name, "dataset")
        return (*entry.words("columns"), *entry.words("targets")) if entry else ()
    if source.kind == "text":
        return ("text",)
    if source.kind == "files":
        return known_columns(next(iter(source.parts.values())), folder)
    path = first_file(source.path, folder) if source.kind in _READERS else None
    try:
        return _READERS[source.kind](path) if path else ()
    except (OSError, ValueError, EOFError, RecursionError, csv.Error, zipfile.BadZipFile, zlib.error):
        return ()  # reading the table will say what is wrong with it


def _header(path: FilePath) -> tuple[str, ...]:
    with _opened(path) as file:
        first = file.readline(_LONGEST_HEADER).decode("utf-8-sig")
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    names = tuple(next(csv.reader([first], delimiter=delimiter), ()))
    is_index = names[:1] == ("",) and "index" not in names  # a first column without a name is called so
    return ("index", *names[1:]) if is_index else names


def _keys_of_lines(path: FilePath) -> tuple[str, ...]:
    """The keys of all lines of a small file; of a large one none, since a later line may bring more."""
    with _opened(path) as file:
        text = file.read(_LONGEST_HEADER + 1)
    if len(text) > _LONGEST_HEADER:
        return ()
    rows = [json.loads(line) for line in text.decode().split("\n") if line.strip()]
    return tuple(dict.fromkeys(key for row in rows if isinstance(row, dict) for key in row))


def _arrays(path: FilePath) -> tuple[str, ...]:
    """The names of the arrays of an archive; those of a single array depend on its type."""
    if path.suffix.lower() != ".npz":
        return ()
    with zipfile.ZipFile(path) as archive:
        return tuple(name.removesuffix(".npy") for name in archive.namelist())


def _opened(path: FilePath) -> IO[bytes]:
    match path.suffix.lower():
        case ".gz":
            return cast("IO[bytes]", gzip.open(path))
        case ".bz2":
            return cast("IO[bytes]", bz2.open(path))
        case ".zst" | ".lz4":
            raise ValueError("packed in a way that Python cannot read by itself")
    return path.open("rb")


_READERS: dict[str, Callable[[FilePath], tuple[str, ...]]] = {
    "csv": _header,
    "json_lines": _keys_of_lines,
    "numpy": _arrays,
}


def _place(found: Findings, path: Path, index: int) -> Path:
    """Where the pattern stands: the value itself, an item of a list, or under `columns`."""
    for candidate in ((*path, "columns", index), (*path, "columns"), (*path, index)):
        if found.document.find(candidate) is not None:
            return candidate
    return path
