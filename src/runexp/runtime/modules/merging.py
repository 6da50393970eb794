"""Several inputs made one: what a node with `merge:` computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional


class Merge(nn.Module):
    """Several tensors made one; rows lie along axis 0 and stay apart.

    `concat` joins along `axis` (left out: the last), `stack` along a new one (left out: 1). `sum`, `mean`, `max` and
    `product` go element by element. With `padding`, shorter inputs are filled up at their ends with that value; without
    it all shapes have to agree. Raises `ValueError` where they do not.
    """

    def __init__(self, how: str, axis: int | None = None, padding: float | None = None) -> None:
        super().__init__()
        self.how = how
        self.axis = axis if axis is not None else (1 if how == "stack" else -1)
        self.padding = padding

    def forward(self, *inputs: Tensor) -> Tensor:
        """Tensors (N, …) → one tensor (N, …)."""
        n_axes = max(value.ndim for value in inputs)
        free = self.axis % n_axes if self.how == "concat" else None
        if free == 0 or (self.how == "stack" and self.axis % (n_axes + 1) == 0):
            raise ValueError("rows lie along axis 0, which cannot be merged along")
        filled = inputs if self.padding is None else _filled(inputs, free, self.padding)
        _check_shapes(filled, free)
        if self.how == "concat":
            return torch.cat(list(filled), dim=self.axis)
        if self.how == "stack":
            return torch.stack(list(filled), dim=self.axis)
        return _ELEMENTWISE[self.how](filled)


class SideBySide(nn.Module):
    """Several keys of a feature set, joined along the last axis; a key of one number a row counts as one column.

    Raises `ValueError` where their types or their shapes do not fit.
    """

    def forward(self, *keys: Tensor) -> Tensor:
        """Tensors (N, …, d) or (N,) → one tensor (N, …, sum of d)."""
        types = list(dict.fromkeys(str(key.dtype).removeprefix("torch.") for key in keys))
        if len(types) > 1:
            raise ValueError(f"its keys hold {' and '.join(types)}; `dtype:` at a key changes what it holds")
        columns = [key.unsqueeze(-1) if key.ndim == 1 else key for key in keys]
        if len({column.shape[:-1] for column in columns}) > 1:
            written = ", ".join(str(tuple(column.shape[1:])) for column in columns)
            raise ValueError(f"its keys have rows of the shapes {written}, which have to agree but for the last axis")
        return torch.cat(columns, dim=-1)


def _check_shapes(inputs: Sequence[Tensor], free: int | None) -> None:
    """Shapes have to agree, beside the axis that is joined along."""
    shapes = [tuple(value.shape[1:]) for value in inputs]
    compared = [(*shape[: free - 1], 0, *shape[free:]) if free else shape for shape in shapes]
    if any(shape != compared[0] for shape in compared):
        written = ", ".join(map(str, shapes))
        raise ValueError(f"its inputs have rows of the shapes {written}, which do not fit; `padding:` fills them up")


def _filled(inputs: Sequence[Tensor], free: int | None, value: float) -> list[Tensor]:
    if len({item.ndim for item in inputs}) > 1:
        return list(inputs)
    sizes = [max(item.shape[axis] for item in inputs) for axis in range(inputs[0].ndim)]
    return [_padded(item, sizes, free, value) for item in inputs]


def _padded(item: Tensor, sizes: Sequence[int], free: int | None, value: float) -> Tensor:
    """Fill up the ends of every axis but the rows and the one that is free."""
    gaps: list[int] = []
    for axis in reversed(range(1, item.ndim)):
        gaps += [0, 0 if axis == free else sizes[axis] - item.shape[axis]]
    return functional.pad(item, gaps, value=value) if any(gaps) else item


def _sum(inputs: Sequence[Tensor]) -> Tensor:
    return reduce(torch.add, inputs)


def _mean(inputs: Sequence[Tensor]) -> Tensor:
    return _sum(inputs) / len(inputs)


def _max(inputs: Sequence[Tensor]) -> Tensor:
    return reduce(torch.maximum, inputs)


def _product(inputs: Sequence[Tensor]) -> Tensor:
    return reduce(torch.mul, inputs)


_ELEMENTWISE: dict[str, Callable[[Sequence[Tensor]], Tensor]] = {
    "sum": _sum,
    "mean": _mean,
    "max": _max,
    "product": _product,
}
