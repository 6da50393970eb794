"""What the folds of a nested cross-validation chose: which values, how alike, and how far that promised too much."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from runexp.events import ValuesChosen
from runexp.plan.values import thaw


@dataclass(frozen=True, slots=True)
class FoldChoice:
    """The values that one fold, or the refit (-1), was trained with, as the sweep inside of it chose them.

    `value` is what they reached of `objective`, the mean over the inner folds; more is better where `mode` is `max`.
    """

    fold: int
    label: str
    changes: Mapping[str, Any]
    objective: str
    mode: Literal["min", "max"]
    value: float
    n_trials: int
    n_failed: int = 0

    def promised_more(self, reached: float) -> float:
        """By how much the choice looked better inside than `reached`, the number of the rows held out."""
        return self.value - reached if self.mode == "max" else reached - self.value


@dataclass(frozen=True, slots=True)
class Agreement:
    """The value of one parameter that most folds chose, the first of those that are as frequent; in how many."""

    value: Any
    n: int
    of: int


def choice_of(event: ValuesChosen) -> FoldChoice:
    """A choice, from the event that told it."""
    return FoldChoice(
        event.fold,
        event.group,
        thaw(event.changes),
        event.objective,
        event.mode,
        event.value,
        event.n_trials,
        event.n_failed,
    )


def in_order(choices: Iterable[FoldChoice]) -> tuple[FoldChoice, ...]:
    """By the number of the fold, the refit last."""
    return tuple(sorted(choices, key=lambda choice: (choice.fold < 0, choice.fold)))


def addresses_of(choices: Sequence[FoldChoice]) -> tuple[str, ...]:
    """What varies in any of them."""
    return tuple(dict.fromkeys(address for choice in choices for address in choice.changes))


def agreements(choices: Sequence[FoldChoice]) -> dict[str, Agreement]:
    """By parameter: what most folds chose. The refit does not count; nor does a fold in which it did not vary."""
    folds = [choice for choice in choices if choice.fold >= 0]
    found: dict[str, Agreement] = {}
    for address in addresses_of(folds):
        values = [choice.changes[address] for choice in folds if address in choice.changes]
        counts: dict[str, int] = {}
        for value in values:
            counts[_key(value)] = counts.get(_key(value), 0) + 1
        most = max(values, key=lambda value: counts[_key(value)])
        found[address] = Agreement(most, counts[_key(most)], len(values))
    return found


def _key(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)
