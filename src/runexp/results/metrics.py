"""Named scalars by epoch and step, as a run logs them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Literal, NamedTuple

from runexp.results.lookup import UnknownNameError, unknown
from runexp.results.series import MetricSeries, metric_series
from runexp.results.tables import html_table, show


class Reading(NamedTuple):
    """One value of a metric and when it was measured."""

    value: float
    epoch: int
    step: int


class MetricStore:
    """A flat namespace of scalars, each tagged with epoch and step. Logging appends to typed arrays."""

    __slots__ = ("_columns",)

    def __init__(self) -> None:
        self._columns: dict[str, tuple[array[float], array[int], array[int]]] = {}

    def log(self, name: str, value: float, epoch: int, step: int) -> None:
        """Add one value. Logged again for the same epoch and step, the newer one counts."""
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = (array("d"), array("q"), array("q"))
        values, epochs, steps = column
        if values and epochs[-1] == epoch and steps[-1] == step:
            values[-1] = value
            return
        values.append(value)
        epochs.append(epoch)
        steps.append(step)

    def log_all(self, metrics: Mapping[str, float], epoch: int, step: int) -> None:
        """Add several values measured together."""
        for name, value in metrics.items():
            self.log(name, value, epoch, step)

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def names(self) -> tuple[str, ...]:
        """Every metric that has a value, in order of appearance."""
        return tuple(self._columns)

    def latest(self, name: str) -> float:
        """The newest value."""
        return self._column(name)[0][-1]

    def best(self, name: str, mode: Literal["min", "max"]) -> Reading | None:
        """The best value and when it was first reached; NaN never is, so None where there is nothing else."""
        values, epochs, steps = self._column(name)
        measured = [index for index, value in enumerate(values) if value == value]
        if not measured:
            return None
        choose = min if mode == "min" else max
        index = choose(measured, key=values.__getitem__)
        return Reading(values[index], epochs[index], steps[index])

    def history(self, name: str) -> tuple[Reading, ...]:
        """Every value in the order it was logged."""
        return tuple(map(Reading, *self._column(name)))

    def at(self, name: str, epoch: int) -> float:
        """The last value measured in an epoch."""
        values, epochs, _ = self._column(name)
        for index in range(len(epochs) - 1, -1, -1):
            if epochs[index] == epoch:
                return values[index]
        raise UnknownNameError(f"`{name}` has no value in epoch {epoch}; measured in {_spread(epochs)}")

    def series(self, name: str) -> MetricSeries:
        """The last value of each epoch, by epoch."""
        values, epochs, _ = self._column(name)
        return metric_series(name, ("epoch",), {(epoch,): value for epoch, value in zip(epochs, values, strict=True)})

    def __repr__(self) -> str:
        return f"MetricStore({', '.join(f'{name}={self.latest(name):.6g}' for name in self._columns)})"

    def _repr_html_(self) -> str:
        rows = [[name, show(self.latest(name)), str(len(self._column(name)[0]))] for name in self._columns]
        return html_table("MetricStore", ["number", "latest", "measured"], rows)

    def _column(self, name: str) -> tuple[array[float], array[int], array[int]]:
        try:
            return self._columns[name]
        except KeyError:
            raise unknown("metric", name, self._columns) from None


def _spread(epochs: array[int]) -> str:
    seen = list(dict.fromkeys(epochs))
    if len(seen) > 8:
        return f"{len(seen)} epochs from {seen[0]} to {seen[-1]}"
    return f"epochs {', '.join(str(epoch) for epoch in seen)}"
