"""Tables as files, block by block: CSV and Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from runexp.runtime.data.arrow_table import TableSource, row_number
from runexp.runtime.data.problems import first_line

ROWS = 65_536
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_PARQUET = (".parquet", ".pq")


class CannotRead(Exception):  # noqa: N818 - it reads as what happened
    """A table cannot be read, or not be written where it should be."""


def read_blocks(path: Path, keep: Sequence[str]) -> Iterator[Any]:
    """The rows of a file in Arrow tables; a column in `keep` that is not there is `CannotRead`.

    A column of a CSV file has the type of its first block.
    """
    try:
        n_rows = 0
        for block in _blocks(path):
            n_rows += block.num_rows
            if not block.num_rows:
                continue
            missing = [name for name in keep if name not in block.column_names]
            if missing:
                raise CannotRead(f"{path} has no column `{missing[0]}` to keep")
            yield block
        if not n_rows:
            raise CannotRead(f"{path} has no rows")
    except (OSError, pa.ArrowException) as error:
        raise CannotRead(f"{path} cannot be read: {first_line(error)}") from error


def as_rows(path: Path, block: Any, n_before: int = 0) -> TableSource:  # noqa: ANN401 - pyarrow has no types
    """A block of a file, so that messages name the file and count its rows; `n_before` rows stand before it."""
    return TableSource(path.name, block, "", lambda row: row_number(row + n_before))


def read_columns(path: Path, columns: Sequence[str], keep: Sequence[str]) -> Any:  # noqa: ANN401 - pyarrow has no types
    """A whole file with some of its columns, or with all where it lacks one; raises what `read_blocks` does."""
    wanted = list(dict.fromkeys((*columns, *keep)))
    blocks = [
        block.select(wanted) if set(wanted) <= set(block.column_names) else block for block in read_blocks(path, keep)
    ]
    try:
        return pa.concat_tables(blocks)
    except pa.ArrowException as error:
        raise CannotRead(f"{path} cannot be read: {first_line(error)}") from error


def read_text(path: Path) -> str:
    """A text in UTF-8, line ends as `\\n`."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotRead(f"{path} cannot be read: {first_line(error)}") from error


def write_blocks(blocks: Iterable[Any], target: Path | BinaryIO) -> int:
    """Write tables one after the other; a file appears once it is whole. Gives the number of rows."""
    if not isinstance(target, Path):
        return _written(blocks, target, is_parquet=False)
    if target.suffix not in (".csv", *_PARQUET):
        raise CannotRead(f"{target} is neither .csv nor .parquet")
    aside = target.with_name(f".{target.name}.{token_hex(4)}.tmp")
    try:
        with open(aside, "xb") as file:
            n_rows = _written(blocks, file, is_parquet=target.suffix in _PARQUET)
        aside.replace(target)
    except OSError as error:
        raise CannotRead(f"{target} cannot be written: {error.strerror}") from error
    finally:
        aside.unlink(missing_ok=True)
    return n_rows


def _written(blocks: Iterable[Any], file: BinaryIO, *, is_parquet: bool) -> int:
    writer, n_rows = None, 0
    try:
        for block in blocks:
            if writer is None:
                writer = pq.ParquetWriter(file, block.schema) if is_parquet else _csv_writer(file, block.schema)
            writer.write_table(block.cast(writer.schema) if is_parquet else block)
            n_rows += block.num_rows
    finally:
        if writer is not None:
            writer.close()
    return n_rows


def _csv_writer(file: BinaryIO, schema: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    return pyarrow.csv.CSVWriter(file, schema, write_options=pyarrow.csv.WriteOptions(quoting_style="needed"))


def _blocks(path: Path) -> Iterator[Any]:
    if path.suffix in _PARQUET:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS):
                yield pa.Table.from_batches([batch])
        return
    if path.suffix == ".txt":
        yield pa.table({"text": read_text(path).splitlines()})
        return
    if path.suffix not in _DELIMITERS:
        raise CannotRead(f"{path} is neither .csv, .tsv, .parquet nor .txt")
    parsing = pyarrow.csv.ParseOptions(delimiter=_DELIMITERS[path.suffix])
    with pyarrow.csv.open_csv(path, parse_options=parsing) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])
