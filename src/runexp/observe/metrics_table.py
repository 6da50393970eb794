"""metrics.parquet and metrics.csv: every number of a run in long form."""

from __future__ import annotations

import os
from array import array
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from secrets import token_hex

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from runexp.durable import naming, sync_file
from runexp.events import BatchesRecorded, EpochFinished, EvaluationFinished, Event, NumbersLogged, PhaseFinished
from runexp.observe.sink import Stamped

SCHEMA = pa.schema(
    [
        ("phase", pa.string()),
        ("kind", pa.string()),
        ("epoch", pa.int64()),
        ("batch", pa.int64()),
        ("step", pa.int64()),
        ("name", pa.string()),
        ("value", pa.float64()),
    ]
)
_ROWS_A_GROUP = 65_536
_NONE = -(2**63)  # stands for null in a typed array


class MetricsTable:
    """Writes metrics.parquet and metrics.csv, aside and a block at a time; they appear at `close`.

    Columns: phase, kind (batch, epoch, evaluation, callback, final), epoch, batch, step, name, value; null where one
    does not apply. If writing fails neither file appears.
    """

    wants: frozenset[type[Event]] = frozenset(
        {BatchesRecorded, EvaluationFinished, EpochFinished, NumbersLogged, PhaseFinished}
    )

    def __init__(self, folder: Path) -> None:
        self._rows = _Rows()
        self._files = _Files(folder)

    def receive(self, stamped: Stamped) -> None:
        """Take the numbers of an event; write a block when enough have come together."""
        try:
            self._add(stamped.event)
            if len(self._rows) >= _ROWS_A_GROUP:
                self._files.write(self._rows.take())
        except BaseException:
            self._files.discard()  # a table with a hole would deceive
            raise

    def close(self) -> None:
        """Put both files in their places."""
        if not self._files.are_open:
            return
        try:
            if len(self._rows):
                self._files.write(self._rows.take())
            self._files.commit()
        finally:
            self._files.discard()

    def _add(self, event: Event) -> None:
        match event:
            case BatchesRecorded():
                self._rows.add_batches(event)
            case EvaluationFinished():
                self._rows.add(event.phase, "evaluation", event.metrics, epoch=event.epoch, step=event.step)
            case EpochFinished():
                self._rows.add(event.phase, "epoch", event.metrics, epoch=event.epoch, step=event.step)
            case NumbersLogged():
                batch = event.batch if event.batch >= 0 else _NONE
                self._rows.add(event.phase, "callback", event.metrics, epoch=event.epoch, step=event.step, batch=batch)
            case PhaseFinished():
                self._rows.add(event.phase, "final", event.metrics, epoch=_NONE, step=event.n_steps)


class _Rows:
    """Rows not yet written, as typed arrays; texts as indices into the list of those that occurred."""

    def __init__(self) -> None:
        self._texts: dict[str, int] = {}
        self._clear()

    def __len__(self) -> int:
        return len(self._value)

    def add(
        self, phase: str, kind: str, metrics: Mapping[str, float], *, epoch: int, step: int, batch: int = _NONE
    ) -> None:
        """One row a metric."""
        for name, value in metrics.items():
            self._value.append(value)
            self._batch.append(batch)
            self._repeat((phase, kind, name), epoch=epoch, step=step, n=1)

    def add_batches(self, event: BatchesRecorded) -> None:
        """One row a batch and column."""
        for name, values in event.columns.items():
            self._value.extend(values)
            self._batch.extend(range(event.first_batch, event.first_batch + len(values)))
            self._repeat((event.phase, "batch", name), epoch=event.epoch, step=_NONE, n=len(values))

    def take(self) -> pa.Table:
        """Everything added since the last time."""
        texts = pa.array(list(self._texts), pa.string())
        columns = [
            texts.take(_arrow(self._phase)),
            texts.take(_arrow(self._kind)),
            *(_nullable(_arrow(column)) for column in (self._epoch, self._batch, self._step)),
            texts.take(_arrow(self._name)),
            _arrow(self._value),
        ]
        self._clear()
        return pa.Table.from_arrays(columns, schema=SCHEMA)

    def _repeat(self, words: tuple[str, str, str], *, epoch: int, step: int, n: int) -> None:
        for column, word in zip((self._phase, self._kind, self._name), words, strict=True):
            column.extend(array("q", [self._index(word)]) * n)
        self._epoch.extend(array("q", [epoch]) * n)
        self._step.extend(array("q", [step]) * n)

    def _index(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def _clear(self) -> None:
        self._phase, self._kind, self._name = array("q"), array("q"), array("q")
        self._epoch, self._batch, self._step = array("q"), array("q"), array("q")
        self._value = array("d")


class _Files:
    """Both files while they are written, beside their places."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asides = {
            folder / name: folder / f".{name}.{token_hex(4)}.tmp" for name in ("metrics.parquet", "metrics.csv")
        }
        parquet, csv = self._asides.values()
        with naming(folder / "metrics.csv"), ExitStack() as opening:
            opening.callback(self._unlink)
            self._parquet = opening.enter_context(pq.ParquetWriter(parquet, SCHEMA, compression="zstd"))
            options = pyarrow.csv.WriteOptions(quoting_style="needed")
            self._csv = opening.enter_context(pyarrow.csv.CSVWriter(csv, SCHEMA, write_options=options))
            self._discarding = opening.pop_all()
        self.are_open = True

    def write(self, table: pa.Table) -> None:
        """One more block in each."""
        with naming(self._folder / "metrics.parquet"):
            self._parquet.write_table(table)
        with naming(self._folder / "metrics.csv"):
            self._csv.write_table(table)

    def commit(self) -> None:
        """Make both whole, durable and visible."""
        with naming(self._folder / "metrics.parquet"):
            self._parquet.close()
        with naming(self._folder / "metrics.csv"):
            self._csv.close()
        for temporary in self._asides.values():
            sync_file(temporary)
        for path, temporary in self._asides.items():
            os.replace(temporary, path)
        sync_file(self._folder)

    def discard(self) -> None:
        """Close both and delete what was not committed."""
        self.are_open = False
        with suppress(OSError):  # closing what goes anyway writes to a disk that may be full
            self._discarding.close()

    def _unlink(self) -> None:
        for temporary in self._asides.values():
            temporary.unlink(missing_ok=True)


def _arrow(column: array[int] | array[float]) -> pa.Array:
    """The array's own memory; it must not grow while this is in use."""
    kind = pa.float64() if column.typecode == "d" else pa.int64()
    return pa.Array.from_buffers(kind, len(column), [None, pa.py_buffer(column)])


def _nullable(column: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(column, _NONE), pa.scalar(None, pa.int64()), column)
