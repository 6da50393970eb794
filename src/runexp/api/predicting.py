"""Tables and texts in, predictions out, a block of rows at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from runexp.runtime.model import CannotPredict, Ensemble, Model, Predictions
from runexp.runtime.model.files import ROWS, CannotRead, as_rows, read_blocks, read_columns, read_text, write_blocks

__all__ = ["CannotPredict", "CannotRead", "Wanted", "Written", "predict_file"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A table to be predicted, and the columns of it that are written as well."""

    path: Path
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """How many lines were written, and of a model of language how surprised it is by the text."""

    n_rows: int
    perplexity: float | None = None


def predict_file(model: Model | Ensemble, wanted: Wanted, target: Path | BinaryIO) -> Written:
    """Write what a model says of the rows of a CSV or Parquet file, in their order, or of a text.

    Of data seen through windows the columns that the model looks at are held at once, and lines are in the order of
    groups and time. `target` is a .csv or .parquet file, which appears once it is whole, or a stream that takes CSV.
    `CannotRead` for a file that cannot be read or written so, `SpecError` for columns that do not fit, `CannotPredict`
    for rows that the model does not take.
    """
    surprise = _Surprise()
    n_rows = write_blocks(_blocks(model, wanted, surprise), target)
    return Written(n_rows, surprise.perplexity)


class _Surprise:
    """How surprising a text is, part by part."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._count = 0

    def add(self, said: Predictions) -> None:
        """Count the tokens of the first node that predicts any."""
        surprise, n_tokens = next((one.surprise for one in said.values() if one.given is not None), (0.0, 0))
        self._sum += surprise
        self._count += n_tokens

    @property
    def perplexity(self) -> float | None:
        """None where no token was predicted."""
        if not self._count:
            return None
        return math.exp(self._sum / self._count) if math.isfinite(self._sum) else math.inf


def _blocks(model: Model | Ensemble, wanted: Wanted, surprise: _Surprise) -> Iterator[Any]:
    size = max(1, ROWS // model.windows.size) if model.windows else ROWS
    if model.takes_text:
        if wanted.keep:
            raise CannotRead("a text has no columns to keep")
        if wanted.path.suffix != ".txt":
            raise CannotRead(f"{wanted.path} is no .txt, and the model reads a text")
        for said in model.predict_parts(read_text(wanted.path), size=size):
            surprise.add(said)
            yield said.to_arrow()
    elif model.windows:
        table = read_columns(wanted.path, model.columns, wanted.keep)
        for said in model.predict_parts(as_rows(wanted.path, table), size=size):
            yield _with_kept(said, table.select(wanted.keep).take(said.lines["row"]))
    else:
        n_before = 0
        for block in read_blocks(wanted.path, wanted.keep):
            yield _with_kept(model.predict(as_rows(wanted.path, block, n_before)), block.select(wanted.keep))
            n_before += block.num_rows


def _with_kept(said: Predictions, kept: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    """What is said, after the columns that are kept."""
    found = said.to_arrow()
    both = [name for name in kept.column_names if name in found.column_names]
    if both:
        raise CannotRead(f"`{both[0]}` cannot be kept: a column of the predictions has that name")
    for index, name in enumerate(kept.column_names):
        found = found.add_column(index, name, kept.column(name))
    return found
