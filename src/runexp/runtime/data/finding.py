"""The files that a pattern or a folder stands for, in the order of their names, and what their folders say of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from urllib.parse import unquote

from runexp.plan.data import SourcePlan
from runexp.runtime.data.problems import first_line, shown, wrong

_PARQUET = frozenset({".parquet", ".pq"})
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file: `name` is its path below the pattern's fixed part, `partition` what `key=value` folders say."""

    path: Path
    name: str
    partition: Mapping[str, str | None]


def find_files(plan: SourcePlan, folder: Path) -> tuple[FoundFile, ...] | None:
    """The files of a pattern, or the Parquet files below a folder; None where the source is one file.

    Names that begin with `.` or `_` are left out of folders, as Spark and Hive want it. `SpecError` for no file.
    """
    whole = folder / plan.path
    try:
        if plan.kind == "parquet" and whole.is_dir():
            base, paths = whole, sorted(_below(whole))
        elif has_magic(plan.path) and not whole.exists():
            base = _fixed_part(whole)
            paths = sorted(path for match in glob(str(whole)) if (path := Path(match)).is_file())
        else:
            return None
    except (OSError, ValueError) as error:
        message = f"{shown(whole, most=200)} cannot be read: {first_line(error)}"
        raise wrong(plan.origin, "unreadable-file", message) from error
    if not paths:
        raise wrong(plan.origin, "missing-file", f"no file matches {shown(whole, most=200)}")
    return tuple(_found(path, base) for path in paths)


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name[0] not in "._"]
        yield from (
            Path(parent, name) for name in names if name[0] not in "._" and Path(name).suffix.lower() in _PARQUET
        )


def _fixed_part(pattern: Path) -> Path:
    fixed = pattern
    while has_magic(str(fixed)):
        fixed = fixed.parent
    return fixed


def _found(path: Path, base: Path) -> FoundFile:
    relative = path.relative_to(base)
    pairs = (part.split("=", 1) for part in relative.parts[:-1] if "=" in part)
    partition = {unquote(key): None if value == _NO_VALUE else unquote(value) for key, value in pairs}
    return FoundFile(path, relative.as_posix(), partition)
