"""What the folds of a cross-validation found out together: numbers by fold, their spread, curves (S-46)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite, sqrt

from runexp.results.choices import Agreement, FoldChoice, agreements
from runexp.results.groups import GroupResults
from runexp.results.lookup import unknown
from runexp.results.paired import LEVEL, Comparison, NotComparable, deviation_of, mean_of, paired
from runexp.results.phases import PhaseResults, State, TrainResults
from runexp.results.series import AxisSeries, MetricSeries, metric_series
from runexp.results.student import quantile
from runexp.results.tables import html_table, show, text_table


@dataclass(frozen=True, slots=True)
class FoldFacts:
    """One fold: its number, what is held out, how it ended. Rows are those of the first feature set.

    `rows` tells divisions apart: which rows are held out, and of which pool. Logs of earlier versions have none.
    """

    index: int
    label: str
    name: str
    n_train: int
    n_held_out: int
    status: State
    error: str = ""
    rows: str = ""


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


@dataclass(frozen=True, repr=False)
class CVResults:
    """The results of each fold, and of all of them; `refit` tells of the training on everything, if there was one.

    `choices` are the values that each fold of a nested one chose for itself.
    """

    facts: tuple[FoldFacts, ...]
    results: GroupResults
    refit: RefitFacts | None = None
    choices: tuple[FoldChoice, ...] = ()

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

    def get_choice(self, fold: int | str) -> FoldChoice:
        """The values that one fold chose, by its number or its label; `UnknownNameError` where it chose none."""
        for choice in self.choices:
            if fold in (choice.fold, choice.label):
                return choice
        raise unknown("choice of fold", fold, [choice.label for choice in self.choices])

    def agreements(self) -> dict[str, Agreement]:
        """How stable the choice is: by parameter, the value that most folds chose, and how many did."""
        return agreements(self.choices)

    def optimisms(self) -> dict[int, float]:
        """By how much the best values of each fold looked better inside of it than on its held-out rows."""
        table = self.table()
        return {
            choice.fold: choice.promised_more(table[choice.objective][choice.fold])
            for choice in self.choices
            if choice.fold in table.get(choice.objective, {})
        }

    def optimism(self) -> Spread | None:
        """Mean and spread of the same: what a score that was also chosen by would promise too much. None where nothing
        was chosen."""
        found = self.optimisms()
        return self._spread(found) if found else None

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
        """A number of this minus that of `other`, fold by fold: the corrected resampled t-test of `Comparison`.

        `NotComparable`, a `ValueError`, says why where they have not the same folds, or a fold lacks the number.
        """
        reason = self.differs_from(other)
        if reason:
            raise NotComparable(reason)
        mine, theirs = self.numbers(address), other.numbers(address)
        lacking = sorted(mine.keys() ^ theirs.keys())
        if lacking:
            raise NotComparable(f"fold {lacking[0]} has `{address}` in one of them alone")
        widening = max(self._widened(len(mine)), other._widened(len(mine)))
        return paired([mine[fold] - theirs[fold] for fold in mine], widening)

    def compare_all(self, other: CVResults) -> dict[str, Comparison]:
        """The same of every final number that both have in the same folds; `NotComparable` where folds differ."""
        reason = self.differs_from(other)
        if reason:
            raise NotComparable(reason)
        found: dict[str, Comparison] = {}
        for address in self.table().keys() & other.table().keys():
            with suppress(NotComparable):  # a number that some fold lacks has no place among those of all folds
                found[address] = self.compare(other, address)
        return {address: found[address] for address in self.table() if address in found}

    def differs_from(self, other: CVResults) -> str:
        """Why the folds are not those of `other`; empty where they are: the same rows held out of the same pool."""
        if len(self) != len(other):
            return f"there are {len(self)} folds in one and {len(other)} in the other"
        for mine, theirs in zip(self.facts, other.facts, strict=True):
            if _size(mine) != _size(theirs) or (mine.rows and theirs.rows and mine.rows != theirs.rows):
                return f"fold {mine.index} holds out other rows, or of another pool"
        return ""

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
        mean = mean_of(list(values.values()))
        if len(there) < 2 or len(there) < len(values):
            return Spread(len(values), mean, None, None, None)
        deviation = deviation_of(there)
        reach = quantile(LEVEL, len(there) - 1) * deviation * sqrt(self._widened(len(there)))
        return Spread(len(there), mean, deviation, mean - reach, mean + reach)

    def _widened(self, n: int) -> float:
        """One over the folds, and the held-out rows of a fold over those it learns from."""
        ratios = [facts.n_held_out / facts.n_train for facts in self.facts if facts.n_train]
        return 1 / n + (mean_of(ratios) if ratios else 0.0)

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


def _size(facts: FoldFacts) -> tuple[str, int]:
    return facts.name, facts.n_held_out
