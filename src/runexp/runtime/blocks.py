"""Losses that are given values between the rows of their batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from runexp.plan.graph import Route
from runexp.runtime.lanes.table import PhaseTable


@dataclass(frozen=True, slots=True)
class _Block:
    """A loss whose inputs at some places are looked up in a matrix, by where the rows of the batch stand in it.

    A batch carries one number a row and the matrix is held once, so that a block is right in whatever order rows are
    drawn, and over a whole split it is all of its pairs (S-19).
    """

    function: Callable[..., Tensor]
    positional: tuple[tuple[int, Tensor], ...]
    keyword: tuple[tuple[str, Tensor], ...]

    def __call__(self, *given: Tensor, **named: Tensor) -> Tensor:
        values = list(given)
        for index, matrix in self.positional:
            values[index] = _looked_up(matrix, values[index])
        for name, matrix in self.keyword:
            named[name] = _looked_up(matrix, named[name])
        return self.function(*values, **named)


def with_blocks(function: Callable[..., Tensor], routes: Sequence[Route], columns: PhaseTable) -> Callable[..., Tensor]:
    """The loss, given blocks (B, B) where its routes name matrices."""
    by_position = [route for route in routes if not route.argument]
    return _Block(
        function,
        tuple((index, columns.pairs(route)) for index, route in enumerate(by_position) if route.source == "pairs"),
        tuple((route.argument, columns.pairs(route)) for route in routes if route.argument and route.source == "pairs"),
    )


def _looked_up(matrix: Tensor, places: Tensor) -> Tensor:
    """(B,) places → (B, B); one index into the flat matrix is looked up twice as fast as a pair of them."""
    at = places[:, None] * len(matrix) + places
    return matrix.to(places.device).view(-1).index_select(0, at.view(-1)).view(at.shape)
