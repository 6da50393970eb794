"""Parquet files that grow while a phase runs, and are whole or absent afterwards."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from runexp.durable import naming, sync_file

_GROUP_BYTES = 16 << 20
"""Rows are held until they take so much, and are then written together."""


class TableFile:
    """One Parquet file, written aside and given its name by `commit`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._aside = path.with_name(f".{path.name}.tmp")
        self._writer: Any = None
        self._held: list[pa.Table] = []
        self._n_bytes = 0

    def add(self, table: pa.Table) -> None:
        """Add rows; every table has the same columns."""
        self._held.append(table)
        self._n_bytes += table.nbytes
        if self._n_bytes >= _GROUP_BYTES:
            self._write()

    def commit(self) -> None:
        """Put the file in its place, durably; without rows there is none. `OSError` where the disk refuses."""
        self._write()
        if self._writer is None:
            return
        with naming(self.path):
            self._writer.close()
        self._writer = None
        sync_file(self._aside)
        os.replace(self._aside, self.path)
        sync_file(self.path.parent)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._held, self._n_bytes = [], 0
        if self._writer is not None:
            with suppress(OSError):  # closing what goes anyway writes to a disk that may be full
                self._writer.close()
            self._writer = None
            self._aside.unlink(missing_ok=True)

    def _write(self) -> None:
        if not self._held:
            return
        table = pa.concat_tables(self._held)
        with naming(self.path):
            if self._writer is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._writer = pq.ParquetWriter(self._aside, table.schema, compression="zstd")
            self._writer.write_table(table)
        self._held, self._n_bytes = [], 0


class PartFiles:
    """A file that grows over a phase which may be broken off: parts beside it, joined by `finish`.

    What `flush` gave is the number of parts that a continuation keeps.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = path.with_name(f".{path.stem}.parts")
        self._n_parts = 0
        self._part = TableFile(self._file(0))

    def add(self, table: pa.Table) -> None:
        """Add rows."""
        self._part.add(table)

    def flush(self) -> int:
        """Write what is held; gives the number of parts so far."""
        self._part.commit()
        if self._file(self._n_parts).exists():
            self._n_parts += 1
            self._part = TableFile(self._file(self._n_parts))
        return self._n_parts

    def go_to(self, n_parts: int) -> None:
        """Go on after so many parts; those beyond them are of steps that will be taken again."""
        self._part.abandon()
        for part in self._folder.glob("*.parquet"):
            if int(part.stem) >= n_parts:
                part.unlink()
        self._n_parts = n_parts
        self._part = TableFile(self._file(n_parts))

    def finish(self) -> None:
        """Join the parts into the one file; nothing is left of them."""
        whole = TableFile(self.path)
        for number in range(self.flush()):
            with pq.ParquetFile(self._file(number)) as part:
                for group in range(part.num_row_groups):
                    whole.add(part.read_row_group(group))
        whole.commit()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:05d}.parquet"


def as_bytes(table: pa.Table) -> bytes:
    """A table as a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())
