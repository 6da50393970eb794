"""What the folds of a cross-validation found out together: numbers by fold, their spread, curves (S-46)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite, sqrt

from runexp.results.groups import GroupResults
from runexp.results.lookup import unknown
from runexp.results.phases import PhaseResults, State, TrainResults
from runexp.results.series import AxisSeries, MetricSeries, metric_series
from runexp.results.student import quantile, two_sided
from runexp.results.tables import html_table, show, text_table

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class FoldFacts:
    """One fold: its number, what is held out, how it ended. Rows are those of the first feature set."""

    index: int
    label: str
    name: str
    n_train: int
    n_held_out: int
    status: State
    error: str = ""


@dataclass(frozen=True, slots=True)
class RefitFacts:
    """The training on everything: from how many rows of the first feature set, and how it ended."""

    label: str
    n_train: int
    status: State
    error: str = ""


@dataclass(frozen=True, slots=True)
class Spread:
    """A number over the folds that have it: mean, sample standard deviation, and a 95 % interval of the mean.

    The folds learn from much the same rows, so that their spread alone says too little: the variance is widened by
    held-out rows over training rows (Nadeau and Bengio, Inference for the Generalization Error, 2003).
    Standard deviation and interval are None for a single fold.
    """

    n: int
    mean: float
    std: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two cross-validations on the same folds: the mean difference, t, and the two-sided probability."""

    n: int
    difference: float
    t: float
    p: float


@dataclass(frozen=True, repr=False)
class CVResults:
    """The results of each fold, and of all of them; `refit` tells of the training on everything, if there was one."""

    facts: tuple[FoldFacts, ...]
    results: GroupResults
    refit: RefitFacts | None = None

    def __len__(self) -> int:
        return len(self.facts)

    def get_fold(self, fold: int | str) -> GroupResults:
        """The results of one fold, by its number or its label; `UnknownNameError` for another."""
        for facts in self.facts:
            if fold in (facts.index, facts.label):
                found = self.results[facts.label]
                if isinstance(found, GroupResults):
                    return found
        raise unknown("fold", fold, [facts.label for facts in self.facts])

    def get_refit(self) -> GroupResults:
        """The results of the training on everything; `UnknownNameError` where there was none."""
        found = self.results[self.refit.label] if self.refit is not None else None
        if isinstance(found, GroupResults):
            return found
        raise unknown("fold", "refit", [facts.label for facts in self.facts])

    def collect(self, extract: Callable[[GroupResults], AxisSeries[float] | float]) -> MetricSeries:
        """What `extract` gives for each fold, under one more axis `fold` in front."""
        values: dict[tuple[int | str, ...], float] = {}
        axes: tuple[str, ...] = ()
        name = "value"
        for facts in self.facts:
            found = extract(self.get_fold(facts.index))
            if isinstance(found, AxisSeries):
                axes, name = found.axes, found.name
                values |= {(facts.index, *place): value for place, value, _ in found.cells.items()}
            else:
                values[(facts.index,)] = found
        return metric_series(name, ("fold", *axes), values)

    def epoch_losses(self, phase: str = "", name: str = "train_loss") -> MetricSeries:
        """A number of a train phase by fold and epoch; `phase` may be left out where there is one."""
        return self.collect(lambda fold: _trained(fold, phase).metrics.series(name))

    def validation_losses(self, phase: str = "", name: str = "val_loss") -> MetricSeries:
        """The loss of an evaluation during training by fold and epoch."""
        return self.epoch_losses(phase, name)

    def numbers(self, address: str) -> dict[int, float]:
        """A final number by fold: `test.accuracy`. Folds that lack it are left out."""
        table = self.table()
        if address not in table:
            raise unknown("number", address, table)
        return table[address]

    def table(self) -> dict[str, dict[int, float]]:
        """Every final number by its address, `<phase>.<name>`, and by fold."""
        found: dict[str, dict[int, float]] = {}
        for facts in self.facts:
            for label, phase in self._phases(facts).items():
                for name, value in phase.numbers.items():
                    found.setdefault(f"{label}.{name}", {})[facts.index] = value
        return found

    def spread(self, address: str) -> Spread:
        """Mean, standard deviation and interval of a final number."""
        return self._spread(self.numbers(address))

    def spreads(self) -> dict[str, Spread]:
        """The same of every final number."""
        return {address: self._spread(values) for address, values in self.table().items()}

    def summary(self) -> dict[str, dict[str, float]]:
        """The mean over folds of each final number, by phase and name."""
        found: dict[str, dict[str, float]] = {}
        for address, spread in self.spreads().items():
            phase, _, name = address.rpartition(".")
            found.setdefault(phase, {})[name] = spread.mean
        return found

    def compare(self, other: CVResults, address: str) -> Comparison:
        """A number of this minus that of `other`, fold by fold: the corrected resampled t-test.

        Nadeau and Bengio 2003, as `Spread`. Both have to have the same folds; `ValueError` where they have not.
        """
        mine, theirs = self.numbers(address), other.numbers(address)
        if _divisions(self) != _divisions(other) or mine.keys() != theirs.keys() or len(mine) < 2:
            raise ValueError("two cross-validations are compared on the same folds, two or more")
        values = [mine[fold] - theirs[fold] for fold in mine]
        mean, deviation = _mean(values), _deviation(values)
        error = deviation * sqrt(self._widened(len(values)))
        t = mean / error if error else (float("inf") if mean else 0.0)
        return Comparison(len(values), mean, t, two_sided(t, len(values) - 1))

    def __repr__(self) -> str:
        return f"{self._caption()}\n{text_table(*self._rows())}"

    def _repr_html_(self) -> str:
        return html_table(self._caption(), *self._rows())

    def _phases(self, facts: FoldFacts) -> Mapping[str, PhaseResults]:
        if facts.label not in self.results:
            return {}
        prefix = f"{facts.label}/"
        return {label.removeprefix(prefix): phase for label, phase in self.get_fold(facts.index).flatten().items()}

    def _spread(self, values: Mapping[int, float]) -> Spread:
        there = [value for value in values.values() if isfinite(value)]
        mean = _mean(list(values.values()))
        if len(there) < 2 or len(there) < len(values):
            return Spread(len(values), mean, None, None, None)
        deviation = _deviation(there)
        reach = quantile(LEVEL, len(there) - 1) * deviation * sqrt(self._widened(len(there)))
        return Spread(len(there), mean, deviation, mean - reach, mean + reach)

    def _widened(self, n: int) -> float:
        """One over the folds, and the held-out rows of a fold over those it learns from."""
        ratios = [facts.n_held_out / facts.n_train for facts in self.facts if facts.n_train]
        return 1 / n + (_mean(ratios) if ratios else 0.0)

    def _caption(self) -> str:
        return f"CVResults: {len(self)} folds"

    def _rows(self) -> tuple[list[str], list[list[str]]]:
        rows = [
            [address, show(spread.mean), "" if spread.std is None else show(spread.std), str(spread.n)]
            for address, spread in self.spreads().items()
        ]
        return ["number", "mean", "std", "folds"], rows


def _trained(fold: GroupResults, phase: str) -> TrainResults:
    found = fold[phase] if phase else fold.get_train_result()
    if not isinstance(found, TrainResults):
        raise unknown("train phase", phase, [label for label, one in fold.items() if isinstance(one, TrainResults)])
    return found


def _divisions(results: CVResults) -> list[tuple[str, int, int]]:
    return [(facts.name, facts.n_train, facts.n_held_out) for facts in results.facts]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _deviation(values: list[float]) -> float:
    mean = _mean(values)
    return sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
