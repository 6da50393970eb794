"""Tables in, predictions out, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from runexp.runtime.model import Ensemble, Model
from runexp.runtime.model.files import CannotRead, read_blocks, write_blocks

__all__ = ["CannotRead", "Wanted", "predict_file"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A table to be predicted, and the columns of it that are written as well."""

    path: Path
    keep: tuple[str, ...] = ()


def predict_file(model: Model | Ensemble, wanted: Wanted, target: Path | BinaryIO) -> int:
    """Write what a model says of the rows of a CSV or Parquet file, in their order; gives their number.

    `target` is a .csv or .parquet file, which appears once it is whole, or a stream that takes CSV. `CannotRead` for a
    file that cannot be read or written so, `SpecError` for columns that do not fit.
    """

    def blocks() -> Iterator[object]:
        for block in read_blocks(wanted.path, wanted.keep):
            said = model.predict(block).to_arrow()
            for index, name in enumerate(wanted.keep):
                said = said.add_column(index, name, block.column(name))
            yield said

    return write_blocks(blocks(), target)
