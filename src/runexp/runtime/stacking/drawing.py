"""The batches of several folds side by side: one gather for many steps, as far as folds have as many rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import torch
from torch import Tensor

from runexp.runtime.training import TrainProgram

Batch = Sequence[Tensor]
Part = tuple[Sequence[int], Batch]
"""Some folds, and the columns (F, N, …) of their batches."""


def drawn_together(programs: Sequence[TrainProgram], epoch: int, n_batches: Sequence[int]) -> Iterator[list[Part]]:
    """The batches of an epoch: for each those of folds with as many rows together. Of each fold as many as are said.

    No row is made up, so that a mean or a normalisation over the batch is what it is alone.
    """
    drawing = [program.blocks(epoch) for program in programs]
    size = max(program.batch_sizes[0] for program in programs)
    drawn = (parts for blocks in zip_longest(*drawing) for parts in _of_blocks(blocks, size))
    least = min(n_batches)
    for batch, parts in zip(range(max(n_batches)), drawn, strict=False):
        yield parts if batch < least else [part for one in parts for part in _going_on(one, n_batches, batch)]


def together(batches: dict[int, Batch]) -> list[Part]:
    """The batches of some folds, those of as many rows in one."""
    alike: dict[int, list[int]] = {}
    for fold, batch in batches.items():
        alike.setdefault(len(batch[0]), []).append(fold)
    return [
        (folds, [torch.stack(column) for column in zip(*[batches[fold] for fold in folds], strict=True)])
        for folds in alike.values()
    ]


def _of_blocks(blocks: Sequence[Batch | None], size: int) -> Iterator[list[Part]]:
    """The batches of a block of rows of every fold; None for one whose rows are at an end."""
    lengths = [0 if block is None else len(block[0]) for block in blocks]
    least = min(lengths)
    n_shared = least if least == max(lengths) else least // size * size
    if n_shared:
        rows = [[column[:n_shared] for column in block] for block in blocks if block is not None]
        columns = [torch.stack(column).split(size, dim=1) for column in zip(*rows, strict=True)]
        everyone: Sequence[int] = range(len(blocks))
        for batch in zip(*columns, strict=True):
            yield [(everyone, batch)]
    left = {
        fold: list(zip(*[column[n_shared:].split(size) for column in block], strict=True))
        for fold, (block, length) in enumerate(zip(blocks, lengths, strict=True))
        if block is not None and length > n_shared
    }
    for number in range(max(map(len, left.values()), default=0)):
        yield together({fold: own[number] for fold, own in left.items() if number < len(own)})


def _going_on(part: Part, n_batches: Sequence[int], batch: int) -> Iterator[Part]:
    """What is left of a part when folds that take no more batches are out of it."""
    folds, columns = part
    places = [place for place, fold in enumerate(folds) if batch < n_batches[fold]]
    if places:
        index = torch.tensor(places, device=columns[0].device)
        yield [folds[place] for place in places], [column.index_select(0, index) for column in columns]
