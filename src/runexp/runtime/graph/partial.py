"""A forward pass of which only a part runs: lanes that rest in this step, and rows that are masked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Call = tuple[Callable[..., Tensor], tuple[int, ...], tuple[tuple[str, int], ...], int]
"""What computes a node, the slots of its positional inputs, those of its keywords, and its own."""


@dataclass(frozen=True, slots=True, eq=False)
class PartialBatch:
    """The columns of a step; None where the lane of a column rests: all of its rows are masked (S-22).

    `live`: by slot, bool (rows,), which rows are not masked; slots whose rows all live are left out.
    """

    values: Sequence[Tensor | None]
    live: Mapping[int, Tensor]


def run_partly(calls: Sequence[Call], batch: PartialBatch, n_outputs: int) -> tuple[list[Any], Mapping[int, Tensor]]:
    """All slots, None for what no live row reaches (S-18), and which rows are live where some are not."""
    values: list[Any] = [*batch.values, *[None] * n_outputs]
    live = dict(batch.live)
    for call, positional, keyword, target in calls:
        read = (*positional, *(slot for _, slot in keyword))
        if any(values[slot] is None for slot in read):
            continue
        rows = live_rows(read, live)
        if rows is not None and not bool(rows.any()):
            continue
        given = [values[slot] if rows is None else _of_rows(values[slot], rows) for slot in positional]
        named = {name: values[slot] if rows is None else _of_rows(values[slot], rows) for name, slot in keyword}
        values[target] = call(*given, **named)
        if rows is not None:
            live[target] = rows
            values[target] = _spread(values[target], rows)
    return values, live


def live_rows(slots: Sequence[int], live: Mapping[int, Tensor]) -> Tensor | None:
    """The rows that live in all of some slots; None: all."""
    known = [live[slot] for slot in slots if slot in live]
    return torch.stack(known).all(dim=0) if known else None


def _of_rows(value: Any, rows: Tensor) -> Any:  # noqa: ANN401 - a tensor, or a tuple of them
    """Some rows of a tensor, or of each of a tuple."""
    return tuple(one[rows] for one in value) if isinstance(value, tuple) else value[rows]


def _spread(output: Any, rows: Tensor) -> Any:  # noqa: ANN401 - a tensor, or a tuple of them
    """The outputs of live rows in their places among zeros: masked rows give no gradient and enter no statistics."""
    if isinstance(output, tuple):
        return tuple(_spread(one, rows) for one in output)
    whole = output.new_zeros((len(rows), *output.shape[1:]))
    whole[rows] = output
    return whole
