"""The runs there are, through an index: a cache of the folders that any look at them mends.

The folders alone are the truth. Each `list_records` compares the index with them by the state of their files, reads
those that changed, and writes the index anew if it can; without one it is slower, and says the same.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from runexp.results.run_record import RunRecord
from runexp.store.locks import is_locked
from runexp.store.run_files import read_record
from runexp.store.scan import STORE, scan

INDEX = "index.sqlite"
_FORMAT = 2  # of the records in it; another one is rebuilt
_PATIENCE_S = 2.0
_BESIDE = ("", "-journal", "-wal", "-shm")
_UNREADABLE = (sqlite3.Error, OSError)

ReadSpec = Callable[[Path], Mapping[str, Any]]
"""Gives the spec of the run in a folder: `run_spec.read_spec`."""


@dataclass(slots=True)
class _Row:
    """What the index keeps of a run: the state of its folder, and the record and the spec as JSON."""

    signature: str
    record: str
    spec: str | None = None


def list_records(runs: Path, *, read_spec: ReadSpec | None = None) -> list[RunRecord]:
    """Every run below a folder, in no order; with `read_spec` also their specs, which take longer the first time."""
    path = runs / STORE / INDEX
    kept = _load(path)
    found = scan(runs)
    changed: dict[str, _Row] = {}
    records = [_record(runs, place, state, kept or {}, changed, read_spec=read_spec) for place, state in found.items()]
    gone = [place for place in kept or {} if place not in found]
    if changed or gone:
        _save(path, changed, gone, anew=kept is None)
    return records


def _record(
    runs: Path,
    place: str,
    signature: str,
    kept: Mapping[str, _Row],
    changed: dict[str, _Row],
    *,
    read_spec: ReadSpec | None,
) -> RunRecord:
    """The record of one run, from the index where that still stands for the folder."""
    row = kept.get(place)
    folder = runs / place
    record = _revived(row, folder) if row is not None and row.signature == signature else None
    if row is None or record is None:
        record = read_record(folder, place.rpartition("/")[0])
        row = changed[place] = _Row(signature, _dumped(record))
    if read_spec is not None:
        if row.spec is None:
            row.spec = json.dumps(read_spec(folder))
            changed[place] = row
        record = replace(record, spec=_parsed(row.spec))
    return as_it_stands(record)


def as_it_stands(record: RunRecord) -> RunRecord:
    """A run that says `running` while nobody holds it was killed, as far as this machine can tell."""
    if record.status != "running" or record.host not in ("", socket.gethostname()) or is_locked(record.folder):
        return record
    return replace(record, status="killed")


def _dumped(record: RunRecord) -> str:
    data = asdict(record)
    del data["folder"], data["spec"]
    return json.dumps(data)


def _revived(row: _Row, folder: Path) -> RunRecord | None:
    """The record as it was kept; None where it cannot be read."""
    try:
        data = json.loads(row.record)
        for name in ("tags", "problems"):
            data[name] = tuple(data[name])
        return RunRecord(folder=folder, **data)
    except (ValueError, TypeError, KeyError):
        return None


def _parsed(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _load(path: Path) -> dict[str, _Row] | None:
    """What the index holds; None where there is none that can be read."""
    if not path.is_file():
        return None
    try:
        with _opened(path, "ro") as database:
            if database.execute("PRAGMA user_version").fetchone() != (_FORMAT,):
                return None
            rows = database.execute("SELECT path, signature, record, spec FROM runs").fetchall()
    except _UNREADABLE:
        return None
    return {path: _Row(*rest) for path, *rest in rows if isinstance(path, str) and isinstance(rest[1], str)}


def _save(path: Path, changed: Mapping[str, _Row], gone: Iterable[str], *, anew: bool) -> None:
    """Write what changed; where that cannot be, the next look reads the folders again."""
    with suppress(*_UNREADABLE):
        path.parent.mkdir(exist_ok=True)
        if anew:
            for end in _BESIDE:  # a journal of the old one would be played into the new one
                path.with_name(path.name + end).unlink(missing_ok=True)
        with _opened(path, "rwc") as database:
            _prepare(database)
            rows = [(place, row.signature, row.record, row.spec) for place, row in changed.items()]
            database.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", rows)
            database.executemany("DELETE FROM runs WHERE path = ?", [(place,) for place in gone])
            database.commit()


def _prepare(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA synchronous = OFF")  # what a power cut spoils is rebuilt
    database.execute("BEGIN IMMEDIATE")
    database.execute(
        "CREATE TABLE IF NOT EXISTS runs (path TEXT PRIMARY KEY, signature TEXT, record TEXT, spec TEXT) WITHOUT ROWID"
    )
    database.execute(f"PRAGMA user_version = {_FORMAT}")


@contextmanager
def _opened(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    uri = f"{Path(os.path.abspath(path)).as_uri()}?mode={mode}"
    database = sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S, isolation_level=None)
    try:
        yield database
    finally:
        database.close()
