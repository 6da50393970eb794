"""What a source is, by how it is written: the kind of a file by the end of its name, a query, a call of the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from glob import iglob
from pathlib import Path as FilePath

from runexp.compiler.findings import Findings, Path
from runexp.plan.data import SourceKind, SourcePlan
from runexp.plan.values import FrozenMap
from runexp.spec.data import Data
from runexp.spec.shape import dotted

_KINDS: dict[str, SourceKind] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "json_lines",
    ".ndjson": "json_lines",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".npz": "numpy",
    ".npy": "numpy",
    ".txt": "text",
}
_OTHER_FILES = frozenset(
    (".xls", ".xlsx", ".ods", ".json", ".h5", ".hdf5", ".pkl", ".pickle", ".mat", ".sav", ".dta", ".zip", ".pt", ".xml")
)
_PACKED = frozenset({".gz", ".bz2", ".zst", ".lz4"})
_CAN_BE_PACKED = frozenset({"csv", "json_lines", "text"})
_DATABASES = frozenset({".db", ".sqlite", ".sqlite3", ".sql"})
_SQLITE = "sqlite:///"
_WILDCARDS = frozenset("*?[")


def link_source(found: Findings, data: Data, path: Path, folder: FilePath) -> SourcePlan | None:
    """The source of a feature set, whose files must be there; relative paths start from `folder`."""
    files = data.splits.files if data.splits else None
    path = (*path, "source")
    if data.source is None:
        return _sources_of_splits(found, files, path, folder)
    if files:
        message = "`source` and a source for each split exclude each other"
        found.error("exclusive-keys", message, (*path[:-1], "splits", "files"), part="key")
    if isinstance(data.source, str):
        return _named(found, data.source, path, folder)
    if data.source.use == "sql":
        return _query(found, data.source.arguments, path, folder)
    linked = found.call(data.source.use, data.source.arguments, path, kinds=("dataset",))
    return SourcePlan("call", "", linked[0], found.origin(path)) if linked else None


def _sources_of_splits(
    found: Findings, files: Mapping[str, str] | None, path: Path, folder: FilePath
) -> SourcePlan | None:
    if not files:
        if found.lacks(path[:-1], "source") and not found.is_damaged((*path[:-1], "splits")):
            found.error(
                "missing-key",
                f"`{dotted(path[:-1])}` lacks the key `source`",
                path[:-1],
                part="key",
                label="`source` is missing",
                help="a scikit-learn data set, a file, a glob, or `{use:, with:}`",
            )
        return None
    place = (*path[:-1], "splits", "files")
    parts = {name: _file(found, source, (*place, name), folder) for name, source in files.items()}
    return SourcePlan("files", "", None, found.origin(place), parts=FrozenMap(parts)) if all(parts.values()) else None


def _named(found: Findings, source: str, path: Path, folder: FilePath) -> SourcePlan | None:
    kind = _kind(source, folder)
    if kind is not None or "://" in source:
        return _file(found, source, path, folder)
    if FilePath(source).suffix.lower() in _DATABASES:
        _report_database(found, source, path)
        return None
    suffix = FilePath(source).suffix.lower()
    if suffix in _OTHER_FILES:
        found.error(
            "unknown-source",
            f"`{source}` is a file of a kind that rows are not read from",
            path,
            label="not read",
            help=f"read are {', '.join(_KINDS)}; a function of yours may read any other: `source: {{use: mylab.load}}`",
        )
        return None
    linked = found.call(source, {}, path, kinds=("dataset",), use_path=path)
    return SourcePlan("call", "", linked[0], found.origin(path)) if linked else None


def _file(found: Findings, source: str, path: Path, folder: FilePath) -> SourcePlan | None:
    kind = _kind(source, folder)
    if "://" in source:
        found.not_yet("this kind of source", path)
        return None
    is_there = _is_there(found, source, kind, path, folder)
    return SourcePlan(kind, source, None, found.origin(path)) if kind and is_there else None


def _kind(source: str, folder: FilePath) -> SourceKind | None:
    is_folder = source.endswith("/") or _is_folder(folder / source)
    return _kind_of_file(source) or ("parquet" if is_folder else None)


def _kind_of_file(source: str) -> SourceKind | None:
    suffixes = [suffix.lower() for suffix in FilePath(source).suffixes[-2:]]
    if suffixes and suffixes[-1] in _PACKED:
        inner = _KINDS.get(suffixes[0])
        return inner if inner in _CAN_BE_PACKED else "csv" if suffixes[-1] == ".gz" else None
    return _KINDS.get(suffixes[-1]) if suffixes else None


def _is_there(found: Findings, source: str, kind: SourceKind | None, path: Path, folder: FilePath) -> bool:
    if kind is None:
        found.error("unknown-use", f"`{source}` is no file that rows are read from", path, label="what is this?")
        return False
    if first_file(source, folder) is not None or (kind == "parquet" and _is_folder(folder / source)):
        return True
    found.error(
        "missing-file",
        f"no file matches `{source}`" if is_pattern(source) else f"there is no file `{source}`",
        path,
        label="no such file",
        help="`~` is not expanded: write the path out"
        if source.startswith("~")
        else f"paths are relative to the folder of the spec, `{folder}`",
    )
    return False


def first_file(source: str, folder: FilePath) -> FilePath | None:
    """The file that a source names, or the first that matches it; None where there is none that can be looked at."""
    try:
        if (folder / source).is_file():
            return folder / source
        matches = sorted(iglob(source, root_dir=folder)) if is_pattern(source) else ()
        return next((folder / match for match in matches if (folder / match).is_file()), None)
    except (OSError, ValueError):  # a name too long, or one with a NUL
        return None


def is_pattern(source: str) -> bool:
    """Whether a path may stand for several files."""
    return bool(_WILDCARDS & set(source))


def _is_folder(path: FilePath) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _query(found: Findings, arguments: object, path: Path, folder: FilePath) -> SourcePlan | None:
    """A query of a database; that of SQLite must be there."""
    linked = found.call("sql", dict(arguments) if isinstance(arguments, dict) else {}, path, kinds=("dataset",))
    url, query = (linked[0].arguments.get(name) for name in ("url", "query")) if linked else (None, None)
    if not isinstance(url, str) or not isinstance(query, str):
        return None
    file = url.removeprefix(_SQLITE) if url.startswith(_SQLITE) else ""
    place = (*path, "with", "url")
    if file and not (folder / file).is_file():
        found.error(
            "missing-file",
            f"there is no database `{file}`",
            place,
            label="no such file",
            help=f"`sqlite:///` is followed by a path relative to the folder of the spec, `{folder}`",
        )
        return None
    if "://" not in url or url == _SQLITE:
        found.error("bad-value", "`url` names no database", place, help="for instance `sqlite:///table.db`")
        return None
    return SourcePlan("sql", url, None, found.origin(path), query)


def _report_database(found: Findings, source: str, path: Path) -> None:
    found.error(
        "unknown-use",
        f"`{source}` is a database, and a source is a table",
        path,
        label="which rows of it?",
        help=f'`{{use: sql, with: {{url: "sqlite:///{source}", query: "select …"}}}}`',
    )
