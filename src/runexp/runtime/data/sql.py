"""The rows of a query: SQLite by Python itself, read-only; other databases through SQLAlchemy."""

from __future__ import annotations

import hashlib
import importlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from runexp.plan.data import SourcePlan
from runexp.runtime.data.arrow_table import TableSource, checked_table
from runexp.runtime.data.files import locate
from runexp.runtime.data.problems import first_line, shown, wrong

_LABEL = "the query"
_SQLITE = "sqlite:///"
_DAMAGED = (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError)
_READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})

Rows = Sequence[Sequence[Any]]


def open_query(plan: SourcePlan, folder: Path) -> TableSource:
    """Run a query and keep its rows in the order they come. The fingerprint is that of the rows.

    A message never tells the URL, which may hold a password.
    """
    is_sqlite = plan.path.startswith(_SQLITE)
    names, rows = _ask_sqlite(plan, folder) if is_sqlite else _ask_sqlalchemy(plan)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise wrong(plan.origin, "duplicate-column", f"the query gives column {shown(twice)} twice")
    columns = [_array([row[index] for row in rows]) for index in range(len(names))]
    table = pa.table(dict(zip(names, columns, strict=True)))
    return checked_table(plan, TableSource(_LABEL, table, _fingerprint(names, rows)))


def _ask_sqlite(plan: SourcePlan, folder: Path) -> tuple[list[str], Rows]:
    path = locate(replace(plan, path=plan.path.removeprefix(_SQLITE)), folder)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)) as connection:
            connection.set_authorizer(_allowed)  # `mode=ro` alone lets a query attach, and so make, another file
            cursor = connection.execute(plan.query)
            return _names(plan, cursor.description), cursor.fetchall()
    except _DAMAGED as error:
        raise wrong(plan.origin, "unreadable-file", f"{shown(path.name)} refuses: {first_line(error)}") from error


def _allowed(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY


def _ask_sqlalchemy(plan: SourcePlan) -> tuple[list[str], Rows]:
    try:
        alchemy = importlib.import_module("sqlalchemy")
    except ImportError as error:
        message = "databases other than SQLite are read through SQLAlchemy, which is not installed"
        raise wrong(plan.origin, "unknown-source", message, hint="`pip install 'runexp[sql]'`") from error
    try:
        engine = alchemy.create_engine(plan.path)
        with engine.connect() as connection:
            result = connection.execute(alchemy.text(plan.query))
            return _names(plan, result.cursor and result.cursor.description), [tuple(row) for row in result]
    except ImportError as error:
        message = f"the driver of this kind of database is not installed: {first_line(error)}"
        raise wrong(plan.origin, "unknown-source", message) from error
    except (alchemy.exc.SQLAlchemyError, ValueError) as error:
        said = first_line(error).replace(plan.path, "the database")
        raise wrong(plan.origin, "unreadable-file", f"the database refuses: {said}") from error


def _names(plan: SourcePlan, description: Sequence[Sequence[Any]] | None) -> list[str]:
    if not description:
        raise wrong(plan.origin, "empty-source", "the query gives no rows", hint="it has to be a SELECT")
    return [str(item[0]) for item in description]


def _array(values: list[Any]) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Of one type; where a database mixes types in a column, text, so that the odd row can be named."""
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _fingerprint(names: Sequence[str], rows: Rows) -> str:
    digest = hashlib.sha256(repr(list(names)).encode())
    for row in rows:
        digest.update(repr(tuple(row)).encode(errors="surrogatepass"))
    return digest.hexdigest()
