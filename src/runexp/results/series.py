"""Values addressed by named axes: the one form in which results hand out losses, metrics and tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import islice
from typing import Any, Generic, TypeVar

from runexp.diagnostics import did_you_mean
from runexp.plan.values import FrozenMap
from runexp.results.cells import Cells, Coordinate, Place, ScatteredCells
from runexp.results.lookup import UnknownNameError, unknown
from runexp.results.reducers import LOSS_REDUCERS, METRIC_REDUCERS, TENSOR_REDUCERS, Reducer
from runexp.results.tables import html_table, show, text_table

T = TypeVar("T")
_SHOWN = 10
_NO_PINS = FrozenMap()


@dataclass(frozen=True, slots=True)
class SeriesKind(Generic[T]):
    """What the values of a series are, and the reducers that make sense for them."""

    name: str
    reducers: Mapping[str, Reducer[T]]


LOSS: SeriesKind[float] = SeriesKind("LossSeries", LOSS_REDUCERS)
METRIC: SeriesKind[float] = SeriesKind("MetricSeries", METRIC_REDUCERS)
TENSOR: SeriesKind[Any] = SeriesKind("TensorSeries", TENSOR_REDUCERS)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AxisSeries(Generic[T]):
    """An immutable series of values keyed by named axes, such as (epoch, batch).

    A wrong axis, coordinate or reducer raises `UnknownNameError`, a `LookupError` saying what there is.
    `pins` remembers the coordinates that `where` fixed, for display.
    """

    kind: SeriesKind[T]
    name: str
    axes: tuple[str, ...]
    cells: Cells[T]
    pins: FrozenMap = _NO_PINS

    def __len__(self) -> int:
        return len(self.cells)

    def __iter__(self) -> Iterator[tuple[dict[str, Coordinate], T]]:
        """Every value with its coordinates by axis, in the order of the axes."""
        for place, value, _ in self.cells.items():
            yield dict(zip(self.axes, place, strict=True)), value

    def axis_values(self, axis: str) -> Sequence[Coordinate]:
        """The coordinates that stand on an axis."""
        return self.cells.coordinates(self._position(axis))

    def where(self, **pins: Coordinate) -> AxisSeries[T]:
        """The values at these coordinates, without their axes."""
        series = self
        for axis, coordinate in pins.items():
            series = series._pin(axis, coordinate)
        return series

    def at(self, **coordinates: Coordinate) -> T:
        """The one value at a coordinate of every axis."""
        missing = [axis for axis in self.axes if axis not in coordinates]
        if missing:
            raise UnknownNameError(f"`at` needs every axis; missing: {', '.join(missing)} (`where` pins some)")
        for axis in coordinates:
            self._position(axis)
        place: Place = tuple(coordinates[axis] for axis in self.axes)
        try:
            return self.cells.value(place)
        except KeyError:
            raise self._no_value(coordinates) from None

    def select(self, **pins: Coordinate) -> list[T]:
        """The values at these coordinates as a flat list, in the order of the axes."""
        return self.where(**pins).values()

    def values(self) -> list[T]:
        """Every value as a flat list, in the order of the axes."""
        return [value for _, value, _ in self.cells.items()]

    def collapse(self, axis: str, reducer: str) -> AxisSeries[T]:
        """The series with one axis fewer, its values made into one by a reducer of this kind of series."""
        position = self._position(axis)
        if reducer not in self.kind.reducers:
            raise unknown(f"reducer of a {self.kind.name}", reducer, self.kind.reducers, plural="reducers")
        cells = self.cells.reduce(position, self.kind.reducers[reducer])
        return replace(self, axes=_dropped(self.axes, position), cells=cells)

    def item(self) -> T:
        """The value of a series that holds exactly one."""
        if len(self) != 1:
            raise UnknownNameError(f"`item` needs one value, this {self.kind.name} holds {len(self)}")
        return next(self.cells.items())[1]

    def to_dict(self) -> dict[str, list[Any]]:
        """Columns by name: one an axis, then the values; what pandas, polars and Arrow take as a table."""
        columns: dict[str, list[Any]] = {name: [] for name in (*self.axes, self._column)}
        rows = list(columns.values())
        for place, value, _ in self.cells.items():
            for row, cell in zip(rows, (*place, value), strict=True):
                row.append(cell)
        return columns

    def to_pandas(self) -> Any:  # noqa: ANN401 - pandas may be missing
        """A DataFrame with a column for each axis and one for the values; `ImportError` without pandas."""
        try:
            pandas = import_module("pandas")
        except ImportError as error:
            message = "`to_pandas` needs pandas, which is not installed (`to_dict` gives plain columns)"
            raise ImportError(message, name="pandas") from error
        return pandas.DataFrame(self.to_dict())

    def to_arrow(self) -> Any:  # noqa: ANN401 - pyarrow may be missing
        """An Arrow table with the same columns; `ImportError` without pyarrow."""
        try:
            pyarrow = import_module("pyarrow")
        except ImportError as error:
            message = "`to_arrow` needs pyarrow, which is not installed (`to_dict` gives plain columns)"
            raise ImportError(message, name="pyarrow") from error
        return pyarrow.table(self.to_dict())

    def __repr__(self) -> str:
        header, rows = self._sample()
        return f"{self._caption()}\n{text_table(header, rows)}" if rows else self._caption()

    def _repr_html_(self) -> str:
        header, rows = self._sample()
        return html_table(self._caption(), header, rows)

    @property
    def _column(self) -> str:
        return self.name if self.name not in self.axes else "value"

    def _pin(self, axis: str, coordinate: Coordinate) -> AxisSeries[T]:
        position = self._position(axis)
        there = self.cells.coordinates(position)
        if coordinate not in there:
            raise _no_coordinate(axis, coordinate, there)
        pins = FrozenMap({**self.pins, axis: coordinate})
        cells = self.cells.pin(position, coordinate)
        return replace(self, axes=_dropped(self.axes, position), cells=cells, pins=pins)

    def _position(self, axis: str) -> int:
        if axis not in self.axes:
            gone = f" (pinned to {self.pins[axis]})" if axis in self.pins else ""
            error = unknown("axis", axis, self.axes, plural="axes")
            raise UnknownNameError(f"{error}{gone}")
        return self.axes.index(axis)

    def _no_value(self, coordinates: Mapping[str, Coordinate]) -> UnknownNameError:
        for position, axis in enumerate(self.axes):
            there = self.cells.coordinates(position)
            if coordinates[axis] not in there:
                return _no_coordinate(axis, coordinates[axis], there)
        place = ", ".join(f"{axis} {coordinates[axis]}" for axis in self.axes)
        return UnknownNameError(f"no value at {place}, though each stands on its axis")

    def _caption(self) -> str:
        counts = [_counted(len(self.axis_values(axis)), axis) for axis in self.axes]
        pinned = "".join(f", {axis} {coordinate}" for axis, coordinate in self.pins.items())
        shape = " x ".join(counts) or "one value"
        return f"{self.kind.name} `{self.name}`{pinned}: {shape}"

    def _sample(self) -> tuple[list[str], list[list[str]]]:
        """A header and the first rows as text."""
        header = [*self.axes, self._column]
        shown = [self._row(item) for item in islice(self.cells.items(), _SHOWN)]
        return header, shown if len(self) <= _SHOWN else [*shown, ["…" for _ in header]]

    @staticmethod
    def _row(item: tuple[Place, T, float]) -> list[str]:
        place, value, _ = item
        return [*(show(coordinate) for coordinate in place), show(value)]


LossSeries = AxisSeries[float]
MetricSeries = AxisSeries[float]
TensorSeries = AxisSeries[Any]


def loss_series(
    name: str,
    axes: tuple[str, ...],
    values: Mapping[Place, float],
    weights: Mapping[Place, float] | None = None,
) -> LossSeries:
    """Losses by place; `weights` are the rows each stands for, which means are taken by."""
    return AxisSeries(LOSS, name, axes, ScatteredCells(dict(values), dict(weights) if weights else None))


def metric_series(name: str, axes: tuple[str, ...], values: Mapping[Place, float]) -> MetricSeries:
    """Numbers by place."""
    return AxisSeries(METRIC, name, axes, ScatteredCells(dict(values)))


def tensor_series(name: str, axes: tuple[str, ...], values: Mapping[Place, Any]) -> TensorSeries:
    """Tensors, arrays or sequences by place."""
    return AxisSeries(TENSOR, name, axes, ScatteredCells(dict(values)))


def _dropped(axes: tuple[str, ...], position: int) -> tuple[str, ...]:
    return axes[:position] + axes[position + 1 :]


def _counted(count: int, axis: str) -> str:
    plural = "es" if axis == "batch" else "s"
    return f"{count} {axis}{'' if count == 1 else plural}"


def _no_coordinate(axis: str, coordinate: Coordinate, there: Sequence[Coordinate]) -> UnknownNameError:
    numbers = [item for item in there if isinstance(item, int)]
    if numbers and len(numbers) == len(there) == max(numbers) - min(numbers) + 1:
        return UnknownNameError(f"no {axis} {coordinate!r}; there are {min(numbers)} to {max(numbers)}")
    names = [str(item) for item in there]
    return UnknownNameError(f"no {axis} {coordinate!r}; {did_you_mean(str(coordinate), names, kind='there are')}")
