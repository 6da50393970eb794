"""The recorded batches of a phase as series: blocks of typed arrays, joined an epoch at a time."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence

from runexp.events import BatchesRecorded
from runexp.results.cells import Block, BlockCells, Cells, Place, scatter
from runexp.results.series import LOSS, METRIC, AxisSeries, LossSeries, MetricSeries

TOTAL = "loss"


def is_rate(column: str) -> bool:
    """Whether a recorded column is a learning rate: `lr`, or `lr/<group>`. Every other one is a loss."""
    return column == "lr" or column.startswith("lr/")


def recorded_losses(records: Sequence[BatchesRecorded]) -> tuple[str, ...]:
    """The losses there are records of, without their weighted total."""
    names = dict.fromkeys(name for record in records for name in record.columns)
    return tuple(name for name in names if name != TOTAL and not is_rate(name))


def loss_series_of(records: Sequence[BatchesRecorded], name: str) -> LossSeries:
    """One loss over (epoch, batch), weighted by rows; batches in which it took no part are left out."""
    blocks: dict[Place, Block] = {(epoch,): block for epoch, block in _blocks(records, name).items()}
    return AxisSeries(LOSS, name, ("epoch", "batch"), _cells(records, blocks))


def labelled_series_of(records: Sequence[BatchesRecorded], names: Iterable[str]) -> LossSeries:
    """Several losses over (epoch, batch, label), weighted by rows."""
    columns = {name: _blocks(records, name) for name in names}
    epochs = dict.fromkeys(record.epoch for record in records)
    blocks: dict[Place, Block] = {
        (epoch, name): column[epoch] for epoch in epochs for name, column in columns.items() if epoch in column
    }
    return AxisSeries(LOSS, TOTAL, ("epoch", "batch", "label"), _cells(records, blocks))


def rate_series_of(records: Sequence[BatchesRecorded], name: str) -> MetricSeries:
    """A learning rate over (epoch, batch)."""
    blocks: dict[Place, Block] = {}
    for epoch, block in _blocks(records, name).items():
        blocks[(epoch,)] = Block(block.first, block.values, array("d", [1.0]) * len(block.values))
    return AxisSeries(METRIC, name, ("epoch", "batch"), BlockCells(1, blocks))


def _cells(records: Sequence[BatchesRecorded], blocks: Mapping[Place, Block]) -> Cells[float]:
    """Blocks by epoch without what rested: a loss has no value in a batch whose total has one if it took no part."""
    cells = BlockCells(1, blocks)
    if not any(math.isnan(sum(block.values)) for block in blocks.values()):
        return cells
    totals = _blocks(records, TOTAL)
    finite = {(epoch, at) for epoch, block in totals.items() for at in block.span if not math.isnan(block.at(at))}
    return scatter(
        (place, value, weight)
        for place, value, weight in cells.items()
        if not (math.isnan(value) and place[:2] in finite)
    )


def _blocks(records: Sequence[BatchesRecorded], name: str) -> dict[int, Block]:
    by_epoch: dict[int, list[BatchesRecorded]] = {}
    for record in records:
        if name in record.columns:
            by_epoch.setdefault(record.epoch, []).append(record)
    return {epoch: _joined(parts, name) for epoch, parts in by_epoch.items()}


def _joined(parts: Sequence[BatchesRecorded], name: str) -> Block:
    """One block of an epoch; a lone part is shared. Of a batch recorded twice the newer counts."""
    start = parts[0].first_batch
    if len(parts) == 1:
        return Block(start, parts[0].columns[name], parts[0].n_rows)
    values, weights = array("d"), array("q")
    for part in parts:
        at = part.first_batch - start
        if not 0 <= at <= len(values):
            place = f"phase `{part.phase}`, epoch {part.epoch}"
            raise ValueError(f"the record of {place} has a gap before batch {part.first_batch}")
        del values[at:], weights[at:]
        values.extend(part.columns[name])
        weights.extend(part.n_rows)
    return Block(start, values, weights)
