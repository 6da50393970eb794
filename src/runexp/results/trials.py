"""What the trials of a sweep found out: their values and numbers, the best, the front of several objectives."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from math import isfinite, sqrt
from pathlib import Path
from typing import Any, Literal

from runexp.results.folds import LEVEL, Spread
from runexp.results.lookup import unknown
from runexp.results.student import quantile
from runexp.results.tables import html_table, show, text_table

TrialStatus = Literal["running", "completed", "pruned", "failed", "interrupted"]


@dataclass(frozen=True, slots=True)
class Objective:
    """A number that the trials are judged by, and which way is better."""

    address: str
    mode: Literal["min", "max"]


@dataclass(frozen=True, slots=True)
class Importance:
    """By objective and address, the share of the objective's variance that a parameter explains; by which method."""

    evaluator: str
    shares: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: `id` is a hash of what it changes and names its run folder; `values` are those of the objectives.

    `metrics` has every final number by its address, or the newest ones where it did not complete; `place` says
    where it stands while it runs. `seconds` is None where it is not known.
    """

    number: int
    id: str
    changes: Mapping[str, Any]
    status: TrialStatus
    values: tuple[float, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    place: str = ""
    error: str = ""


@dataclass(frozen=True, repr=False)
class SweepResults:
    """The trials of a sweep by their numbers; `folder` is None where nothing was kept.

    Repeats with other seeds are a sweep without objectives.
    """

    name: str
    status: str
    objectives: tuple[Objective, ...]
    trials: tuple[Trial, ...]
    importance: Importance | None = None
    folder: Path | None = None

    def __len__(self) -> int:
        return len(self.trials)

    @property
    def completed(self) -> tuple[Trial, ...]:
        """The trials that ran to their end."""
        return tuple(trial for trial in self.trials if trial.status == "completed")

    @property
    def best(self) -> Trial | None:
        """The best trial by the only objective, the earlier of two that are alike; None where none completed.

        `ValueError` where there are several objectives: those have a `front`.
        """
        if len(self.objectives) != 1:
            raise ValueError(f"a best trial is one by a single objective, and there are {len(self.objectives)}")
        sign = -1.0 if self.objectives[0].mode == "max" else 1.0
        return min(self.completed, key=lambda trial: sign * trial.values[0], default=None)

    @property
    def front(self) -> tuple[Trial, ...]:
        """The trials that no other beats in every objective (Pareto)."""
        return tuple(one for one in self.completed if not any(self._beats(other, one) for other in self.completed))

    @property
    def addresses(self) -> tuple[str, ...]:
        """What varies, in the order of the parameters as far as trials show it."""
        return tuple(dict.fromkeys(address for trial in self.trials for address in trial.changes))

    def get_trial(self, number: int) -> Trial:
        """A trial by its number; `UnknownNameError` for another."""
        for trial in self.trials:
            if trial.number == number:
                return trial
        raise unknown("trial", number, [str(trial.number) for trial in self.trials])

    def numbers(self, address: str) -> dict[int, float]:
        """A final number by trial: `test.accuracy`. Trials that did not complete are left out."""
        found = {trial.number: trial.metrics[address] for trial in self.completed if address in trial.metrics}
        if not found:
            raise unknown("number", address, [name for trial in self.completed[:1] for name in trial.metrics])
        return found

    def spread(self, address: str) -> Spread:
        """Mean, sample standard deviation and 95 % interval of the mean (Student) of a final number over the trials."""
        values = list(self.numbers(address).values())
        n, mean = len(values), sum(values) / len(values)
        if n < 2 or not all(map(isfinite, values)):
            return Spread(n, mean, None, None, None)
        deviation = sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
        reach = quantile(LEVEL, n - 1) * deviation / sqrt(n)
        return Spread(n, mean, deviation, mean - reach, mean + reach)

    def spreads(self) -> dict[str, Spread]:
        """The same of every final number."""
        names = dict.fromkeys(name for trial in self.completed for name in trial.metrics)
        return {name: self.spread(name) for name in names}

    def to_dict(self) -> dict[str, list[Any]]:
        """Columns by name, a row a trial; None where a trial lacks one. What varies in kind, or is a list, is JSON."""
        numbers = dict.fromkeys(name for trial in self.trials for name in trial.metrics)
        return {
            "number": [trial.number for trial in self.trials],
            "id": [trial.id for trial in self.trials],
            "status": [trial.status for trial in self.trials],
            "seconds": [trial.seconds for trial in self.trials],
            **{name: _column([trial.changes.get(name) for trial in self.trials]) for name in self.addresses},
            **{name: [trial.metrics.get(name) for trial in self.trials] for name in numbers},
            "error": [trial.error for trial in self.trials],
        }

    def to_arrow(self) -> Any:  # noqa: ANN401 - pyarrow may be missing
        """The same as an Arrow table; `ImportError` without pyarrow."""
        return _library("pyarrow", "to_arrow").table(self.to_dict())

    def to_pandas(self) -> Any:  # noqa: ANN401 - pandas may be missing
        """The same as a DataFrame; `ImportError` without pandas."""
        return _library("pandas", "to_pandas").DataFrame(self.to_dict())

    def as_json(self) -> dict[str, Any]:
        """Plain JSON data, which `sweep_results_of` reads back."""
        return {
            "version": 1,
            "name": self.name,
            "status": self.status,
            "objectives": [asdict(one) for one in self.objectives],
            "importance": asdict(self.importance) if self.importance else None,
            "trials": [_as_json(trial) for trial in self.trials],
        }

    def __repr__(self) -> str:
        return f"{self._caption()}\n{text_table(*self._rows())}"

    def _repr_html_(self) -> str:
        return html_table(self._caption(), *self._rows())

    def _beats(self, one: Trial, other: Trial) -> bool:
        pairs = [
            (a, b) if objective.mode == "max" else (-a, -b)
            for a, b, objective in zip(one.values, other.values, self.objectives, strict=True)
        ]
        return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)

    def _caption(self) -> str:
        return f"SweepResults: {self.name}, {len(self)} trials, {len(self.completed)} completed"

    def _rows(self) -> tuple[list[str], list[list[str]]]:
        judged = [one.address for one in self.objectives]
        rows = [
            [
                str(trial.number),
                trial.status,
                *(show(trial.metrics[name]) if name in trial.metrics else "" for name in judged),
                *(show(trial.changes[name]) if name in trial.changes else "" for name in self.addresses),
            ]
            for trial in self.trials
        ]
        return ["trial", "status", *judged, *self.addresses], rows


def short_names(addresses: Iterable[str]) -> dict[str, str]:
    """Each address by the shortest end of it that no other has: `lr` for `phases.train.optimizer.with.lr`."""
    known = list(addresses)
    return {address: _short(address, [other for other in known if other != address]) for address in known}


def _short(address: str, others: list[str]) -> str:
    steps = address.split(".")
    for n_steps in range(1, len(steps)):
        end = ".".join(steps[-n_steps:])
        if not any(other == end or other.endswith(f".{end}") for other in others):
            return end
    return address


def sweep_results_of(data: Mapping[str, Any], folder: Path | None = None) -> SweepResults:
    """The results that `as_json` wrote; `KeyError`, `TypeError` or `ValueError` for anything else."""
    importance = data["importance"]
    return SweepResults(
        name=str(data["name"]),
        status=str(data["status"]),
        objectives=tuple(Objective(**one) for one in data["objectives"]),
        trials=tuple(_trial_of(one) for one in data["trials"]),
        importance=Importance(**importance) if importance else None,
        folder=folder,
    )


def _as_json(trial: Trial) -> dict[str, Any]:
    data = asdict(trial)
    data["values"] = [_written(value) for value in trial.values]
    data["metrics"] = {name: _written(value) for name, value in trial.metrics.items()}
    return data


def _trial_of(data: Mapping[str, Any]) -> Trial:
    values = tuple(float(value) for value in data["values"])
    metrics = {name: float(value) for name, value in data["metrics"].items()}
    return Trial(**{**data, "values": values, "metrics": metrics})


def _written(value: float) -> float | str:
    return value if isfinite(value) else str(value)


def _column(values: list[Any]) -> list[Any]:
    """The values, or, where they are not all numbers, all text or all true or false, as JSON text."""
    kinds = {bool if isinstance(one, bool) else float if isinstance(one, (int, float)) else type(one) for one in values}
    kinds.discard(type(None))
    if kinds <= {float} or kinds <= {str} or kinds <= {bool}:
        return values
    return [None if one is None else json.dumps(one) for one in values]


def _library(name: str, verb: str) -> Any:  # noqa: ANN401 - a module that may be missing
    try:
        return import_module(name)
    except ImportError as error:
        message = f"`{verb}` needs {name}, which is not installed (`to_dict` gives plain columns)"
        raise ImportError(message, name=name) from error
