"""Which columns the patterns of a key gather: the same at validate, from a header, and of the data as read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from runexp.plan.data import KeyPlan

_LEFT_OUT = "-"
"""What a pattern begins with that takes columns away again: `["*", -target]`."""


def is_exclusion(pattern: str, names: Sequence[str]) -> bool:
    """Whether a pattern leaves columns out; a column that is called so is that column."""
    return pattern.startswith(_LEFT_OUT) and pattern not in names


def matched(pattern: str, names: Sequence[str]) -> tuple[str, ...]:
    """The columns that a pattern is about, gathered or left out."""
    if pattern in names:
        return (pattern,)
    wanted = pattern.removeprefix(_LEFT_OUT)
    if wanted in names:
        return (wanted,)
    return tuple(name for name in names if fnmatchcase(name, wanted))


def gathered(wanted: Mapping[str, Sequence[str]], names: Sequence[str]) -> tuple[str, ...]:
    """What is left of the columns of all patterns, in their order and, inside one, in that of `names`."""
    columns: dict[str, None] = {}
    for pattern, matching in wanted.items():
        if is_exclusion(pattern, names):
            columns = {name: None for name in columns if name not in matching}
        else:
            columns |= dict.fromkeys(matching)
    return tuple(columns)


def prefixed(pattern: str, prefix: str) -> str:
    """The pattern for columns whose names begin with a prefix; what leaves columns out still does."""
    return f"{_LEFT_OUT}{prefix}{pattern[1:]}" if pattern.startswith(_LEFT_OUT) else f"{prefix}{pattern}"


def leaks(targets: Sequence[tuple[KeyPlan, Sequence[str]]], columns: Sequence[str]) -> tuple[tuple[KeyPlan, str], ...]:
    """The targets that a key of features gathers too, with such a column.

    Where both are the same columns, their reconstruction is what is asked for.
    """
    found: list[tuple[KeyPlan, str]] = []
    for target, wanted in targets:
        common = [column for column in wanted if column in columns]
        if common and set(columns) != set(wanted):
            found.append((target, common[0]))
    return tuple(found)
