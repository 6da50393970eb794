"""Where a series keeps its values: cells by place, or typed arrays where an axis counts batches."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from runexp.results.reducers import Reducer

T = TypeVar("T")
Coordinate = int | str
Place = tuple[Coordinate, ...]


class Cells(Protocol[T]):
    """Values and their weights by place; an axis is named by its position."""

    def __len__(self) -> int: ...

    def items(self) -> Iterator[tuple[Place, T, float]]:
        """Every place with its value and weight, in order."""

    def coordinates(self, axis: int) -> Sequence[Coordinate]:
        """What stands on an axis, in order."""

    def value(self, place: Place) -> T:
        """The value at a place; `KeyError` where nothing stands."""

    def pin(self, axis: int, coordinate: Coordinate) -> Cells[T]:
        """The cells at one coordinate, without that axis."""

    def reduce(self, axis: int, reducer: Reducer[T]) -> Cells[T]:
        """The cells with an axis made into one value each."""


class ScatteredCells(Generic[T]):
    """Cells in a mapping, in its order. For hundreds of values of any kind."""

    def __init__(self, values: Mapping[Place, T], weights: Mapping[Place, float] | None = None) -> None:
        self._values = values
        self._weights = weights

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> Iterator[tuple[Place, T, float]]:
        """Every place with its value and weight."""
        return ((place, value, self._weight(place)) for place, value in self._values.items())

    def coordinates(self, axis: int) -> Sequence[Coordinate]:
        """What stands on an axis, in order of appearance."""
        return tuple(dict.fromkeys(place[axis] for place in self._values))

    def value(self, place: Place) -> T:
        """The value at a place."""
        return self._values[place]

    def pin(self, axis: int, coordinate: Coordinate) -> ScatteredCells[T]:
        """The cells at one coordinate."""
        return scatter(
            (_without(place, axis), value, weight) for place, value, weight in self.items() if place[axis] == coordinate
        )

    def reduce(self, axis: int, reducer: Reducer[T]) -> ScatteredCells[T]:
        """The cells with an axis made into one value each."""
        lines: dict[Place, tuple[list[T], list[float]]] = {}
        for place, value, weight in self.items():
            values, weights = lines.setdefault(_without(place, axis), ([], []))
            values.append(value)
            weights.append(weight)
        return scatter((place, *reducer(*line)) for place, line in lines.items())

    def _weight(self, place: Place) -> float:
        return 1.0 if self._weights is None else self._weights[place]


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive values along an axis that counts, from `first` on; arrays of equal length."""

    first: int
    values: array[float]
    weights: array[int] | array[float]

    @property
    def span(self) -> range:
        """The coordinates it covers."""
        return range(self.first, self.first + len(self.values))

    def at(self, index: int) -> float:
        """The value at a coordinate that it covers."""
        return self.values[index - self.first]


class BlockCells:
    """Cells in typed arrays along one axis (`along`), a block for every place on the other axes.

    Pinning an axis shares the arrays: a million values cost 16 MB, however many series show them.
    """

    def __init__(self, along: int, blocks: Mapping[Place, Block]) -> None:
        self._along = along
        self._blocks = blocks

    def __len__(self) -> int:
        return sum(len(block.values) for block in self._blocks.values())

    def items(self) -> Iterator[tuple[Place, float, float]]:
        """Every place with its value and weight, in the order of the axes."""
        lanes: dict[Place, list[tuple[Place, Block]]] = {}
        for place, block in self._blocks.items():
            lanes.setdefault(place[: self._along], []).append((place[self._along :], block))
        for before, lane in lanes.items():
            for index in _covered(block for _, block in lane):
                for after, block in ((after, block) for after, block in lane if index in block.span):
                    at = index - block.first
                    yield (*before, index, *after), block.values[at], block.weights[at]

    def coordinates(self, axis: int) -> Sequence[Coordinate]:
        """What stands on an axis; a range along the one that counts."""
        if axis == self._along:
            return _covered(self._blocks.values())
        position = self._position(axis)
        return tuple(dict.fromkeys(place[position] for place in self._blocks))

    def value(self, place: Place) -> float:
        """The value at a place."""
        block, index = self._blocks[_without(place, self._along)], place[self._along]
        if not isinstance(index, int) or index not in block.span:
            raise KeyError(place)
        return block.values[index - block.first]

    def pin(self, axis: int, coordinate: Coordinate) -> Cells[float]:
        """The cells at one coordinate."""
        if axis == self._along:
            return self._slice(coordinate)
        position = self._position(axis)
        kept = {
            _without(place, position): block for place, block in self._blocks.items() if place[position] == coordinate
        }
        return BlockCells(self._along - (axis < self._along), kept)

    def reduce(self, axis: int, reducer: Reducer[float]) -> Cells[float]:
        """The cells with an axis made into one value each."""
        if axis == self._along:
            reduced = {place: reducer(block.values, block.weights) for place, block in self._blocks.items()}
            return scatter((place, *pair) for place, pair in reduced.items())
        position = self._position(axis)
        lanes: dict[Place, list[Block]] = {}
        for place, block in self._blocks.items():
            lanes.setdefault(_without(place, position), []).append(block)
        if any(_has_gap(lane) for lane in lanes.values()):
            return scatter(self.items()).reduce(axis, reducer)
        merged = {place: _merge(lane, reducer) for place, lane in lanes.items()}
        return BlockCells(self._along - (axis < self._along), merged)

    def _slice(self, coordinate: Coordinate) -> ScatteredCells[float]:
        return scatter(
            (place, block.values[coordinate - block.first], block.weights[coordinate - block.first])
            for place, block in self._blocks.items()
            if isinstance(coordinate, int) and coordinate in block.span
        )

    def _position(self, axis: int) -> int:
        return axis - (axis > self._along)


def scatter(items: Iterable[tuple[Place, T, float]]) -> ScatteredCells[T]:
    """Scattered cells from places with their values and weights."""
    values: dict[Place, T] = {}
    weights: dict[Place, float] = {}
    for place, value, weight in items:
        values[place], weights[place] = value, weight
    return ScatteredCells(values, weights)


def _without(place: Place, position: int) -> Place:
    return place[:position] + place[position + 1 :]


def _covered(blocks: Iterable[Block]) -> Sequence[int]:
    """The coordinates that some block covers."""
    spans = sorted((block.span for block in blocks if block.values), key=lambda span: span.start)
    if not spans:
        return range(0)
    whole = range(spans[0].start, max(span.stop for span in spans))
    reached = whole.start
    for span in spans:
        if span.start > reached:
            return sorted({index for each in spans for index in each})
        reached = max(reached, span.stop)
    return whole


def _has_gap(lane: Sequence[Block]) -> bool:
    return not isinstance(_covered(lane), range)


def _merge(lane: Sequence[Block], reducer: Reducer[float]) -> Block:
    covered = _covered(lane)
    values, weights = array("d"), array("d")
    for index in covered:
        there = [block for block in lane if index in block.span]
        line = [block.values[index - block.first] for block in there]
        value, weight = reducer(line, [float(block.weights[index - block.first]) for block in there])
        values.append(value)
        weights.append(weight)
    return Block(covered[0] if covered else 0, values, weights)
