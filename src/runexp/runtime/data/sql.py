"""The rows of a query: SQLite by Python itself, read-only; other databases through SQLAlchemy."""

from __future__ import annotations

import hashlib
import importlib
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.compute as pc

from runexp.diagnostics import SpecError
from runexp.plan.data import SourcePlan
from runexp.runtime.data.arrow_table import TableSource, checked_table
from runexp.runtime.data.files import locate
from runexp.runtime.data.problems import first_line, shown, wrong

_LABEL = "the query"
_CHUNK = 10_000  # rows held as Python objects at a time
_SHORTEST_TOLD = 3  # characters; a shorter password cannot be cut out of a message, so nothing of it is told
_SQLITE = "sqlite:///"
_DAMAGED = (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError)
_READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})

Rows = Sequence[Sequence[Any]]


def open_query(plan: SourcePlan, folder: Path) -> TableSource:
    """Run a query and keep its rows in the order they come, read in chunks. The fingerprint is that of the rows.

    A message never tells the URL, which may hold a password, nor any part of it that could be one.
    """
    ask = _ask_sqlite if plan.path.startswith(_SQLITE) else _ask_sqlalchemy
    table, fingerprint = ask(plan, folder)
    return checked_table(plan, TableSource(_LABEL, table, fingerprint))


def _ask_sqlite(plan: SourcePlan, folder: Path) -> tuple[Any, str]:
    path = locate(replace(plan, path=plan.path.removeprefix(_SQLITE)), folder)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)) as connection:
            connection.set_authorizer(_allowed)  # `mode=ro` alone lets a query attach, and so make, another file
            cursor = connection.execute(plan.query)
            chunks = iter(lambda: cursor.fetchmany(_CHUNK), [])
            return _collected(_names(plan, cursor.description), chunks)
    except _DAMAGED as error:
        raise wrong(plan.origin, "unreadable-file", f"{shown(path.name)} refuses: {first_line(error)}") from error


def _allowed(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY


def _ask_sqlalchemy(plan: SourcePlan, folder: Path) -> tuple[Any, str]:
    try:
        alchemy = importlib.import_module("sqlalchemy")
    except ImportError as error:
        message = "databases other than SQLite are read through SQLAlchemy, which is not installed"
        raise wrong(plan.origin, "unknown-source", message, hint="`pip install 'runexp[sql]'`") from error
    try:
        return _streamed(alchemy, plan)
    except ImportError as error:
        message = f"the driver of this kind of database is not installed: {_told(error, plan.path)}"
        raise wrong(plan.origin, "unknown-source", message) from None
    except SpecError:
        raise
    except Exception as error:  # drivers raise what they like; the cause is left out, since it may hold a password
        is_select = plan.query.lstrip(" (\n\t").lower().startswith(("select", "with", "values", "table"))
        hint = "" if is_select else "the query has to be a SELECT"
        raise wrong(
            plan.origin, "unreadable-file", f"the database refuses: {_told(error, plan.path)}", hint=hint
        ) from None


def _streamed(alchemy: Any, plan: SourcePlan) -> tuple[Any, str]:  # noqa: ANN401 - a module that may be missing
    """The rows by a cursor of the server's where there is such a thing, in a transaction that writes nothing."""
    engine = alchemy.create_engine(plan.path, hide_parameters=True)
    options: dict[str, Any] = {"stream_results": True, "max_row_buffer": _CHUNK}
    if engine.dialect.name == "postgresql":
        options["postgresql_readonly"] = True
    try:
        with engine.connect().execution_options(**options) as connection:
            result = connection.execute(alchemy.text(plan.query))
            if not result.returns_rows:
                raise _no_rows(plan)
            return _collected(_unique(plan, list(result.keys())), result.partitions(_CHUNK))
    finally:
        engine.dispose()


def _told(error: BaseException, url: str) -> str:
    """What a database said, without anything of its URL that could be a secret."""
    said = first_line(error).replace(url, "the database")
    for secret in _secrets(url):
        if len(secret) < _SHORTEST_TOLD and secret in said:
            return type(error).__name__
        said = said.replace(secret, "…")
    return said


def _secrets(url: str) -> Iterator[str]:
    """The parts of a URL that may be a password: after a name and a colon, or as the value of an option."""
    authority, _, options = url.partition("://")[2].partition("?")
    named = authority.rpartition("@")[0]
    found = [named, named.partition(":")[2], *re.findall(r"=([^&]*)", options)]
    yield from sorted({text for part in found for text in (part, unquote(part)) if text}, key=len, reverse=True)


def _names(plan: SourcePlan, description: Sequence[Sequence[Any]] | None) -> list[str]:
    if not description:
        raise _no_rows(plan)
    return _unique(plan, [str(item[0]) for item in description])


def _unique(plan: SourcePlan, names: list[str]) -> list[str]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise wrong(plan.origin, "duplicate-column", f"the query gives column {shown(twice)} twice")
    return names


def _no_rows(plan: SourcePlan) -> SpecError:
    return wrong(plan.origin, "empty-source", "the query gives no rows", hint="it has to be a SELECT")


def _collected(names: list[str], chunks: Iterable[Rows]) -> tuple[Any, str]:
    """The rows as a table of Arrow, and their fingerprint."""
    digest = hashlib.sha256(repr(names).encode())
    columns: list[list[Any]] = [[] for _ in names]
    for rows in chunks:
        for row in rows:
            digest.update(repr(tuple(row)).encode(errors="surrogatepass"))
        for arrays, values in zip(columns, zip(*rows, strict=True), strict=True):
            arrays.append(_array(list(values)))
    table = pa.table([_joined(arrays) for arrays in columns], names=names)
    return table, digest.hexdigest()


def _array(values: list[Any]) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Of one type; where a database mixes types in a column, text, so that the odd row can be named."""
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _joined(arrays: list[Any]) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Chunks of one column under one type, the widest of them; text where there is none."""
    if not arrays:
        return pa.array([], pa.null())
    try:
        tables = [pa.table([array], names=["column"]) for array in arrays]
        return pa.concat_tables(tables, promote_options="permissive").column(0)
    except (pa.ArrowException, ValueError):
        return pa.chunked_array([_as_text(array) for array in arrays])


def _as_text(array: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    try:
        return pc.cast(array, pa.string())
    except (pa.ArrowException, ValueError):
        return pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
