"""Which columns of a source each key gathers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runexp.diagnostics import Diagnostic, Related, did_you_mean
from runexp.plan.data import DataPlan, KeyPlan, SplitPlan, WindowPlan
from runexp.plan.patterns import gathered, leaks, matched
from runexp.runtime.data.problems import problem, shown
from runexp.runtime.data.table import Source

_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Match:
    """The columns of a key; `is_single` where it names one column outright."""

    key: KeyPlan
    columns: tuple[str, ...]
    is_single: bool


def match_keys(plan: DataPlan, source: Source, found: list[Diagnostic]) -> tuple[Match, ...]:
    """The columns of every key that is read and has all of its own, in the order of the patterns and, inside one, of
    the source."""
    others = tuple(f"{join.data}." for join in plan.joins)
    own = [name for name in source.names if not (others and name.startswith(others))]
    matches = (_match(key, source, found, own) for key in plan.keys if not key.is_made)
    return tuple(match for match in matches if match is not None)


def check_split_columns(plan: DataPlan, source: Source, found: list[Diagnostic]) -> bool:
    """Whether what rows are divided by is a key or a column."""
    n_found = len(found)
    known = [*(key.name for key in plan.keys), *source.names]
    for name in references(plan.splits):
        if name not in known:
            message = f"splits of {shown(plan.name)} need {shown(name)}, which is no key or column"
            hint = did_you_mean(name, known, kind="keys and columns")
            found.append(problem(plan.splits.origin, "unknown-column", message, hint=hint))
    return len(found) == n_found


def references(splits: SplitPlan) -> tuple[str, ...]:
    """The names of keys or columns that the splits look at."""
    column = splits.column if splits.kind in {"column", "order"} else ""
    conditions = (name for columns in splits.where.values() for name in columns)
    named = (column, splits.stratify_by, splits.group_by, *conditions)
    return tuple(dict.fromkeys(name for name in named if name))


def check_leaks(plan: DataPlan, matches: Sequence[Match], found: list[Diagnostic]) -> None:
    """A target that is fed as well. What a window is to predict lies behind it, and may be a column that it holds."""
    targets = [(match.key, match.columns) for match in matches if match.key.domain == "targets"]
    if plan.windows is not None:
        size = plan.windows.size
        targets = [(key, columns) for key, columns in targets if _last(plan.windows, key.name) < size]
    for match in matches:
        for target, column in leaks(targets, match.columns) if match.key.domain == "features" else ():
            message = f"column {shown(column)} is the target `{target.name}` and one of the features"
            hint = f"`-{column}` behind the patterns of `{match.key.name}` leaves it out"
            related = (Related(match.key.origin.span, f"`{match.key.name}` gathers it too"),)
            found.append(replace(problem(target.origin, "target-among-features", message, hint=hint), related=related))


def _last(windows: WindowPlan, key: str) -> int:
    """The last row that a key looks at, counted from the first of the window."""
    first, length = windows.cuts[key]
    return int(first + max(length, 1) - 1)


def _match(key: KeyPlan, source: Source, found: list[Diagnostic], own: Sequence[str]) -> Match | None:
    """The columns of a key; a pattern reaches those of a joined set only where it names that: `sites.*`."""
    names = {pattern: matched(pattern, own) or matched(pattern, source.names) for pattern in key.columns}
    absent = [pattern for pattern, matching in names.items() if not matching]
    found += [_nothing(key, pattern, source) for pattern in absent]
    if absent:
        return None
    columns = gathered(names, source.names)
    if not columns:
        message = f"the patterns of {shown(key.name)} leave every column out"
        hint = f"what gathers comes first: `['*', {key.columns[-1]}]`"
        found.append(problem(key.origin, "unknown-column", message, hint=hint))
        return None
    is_single = len(key.columns) == 1 and key.columns[0] in columns
    return Match(key, columns, is_single)


def _nothing(key: KeyPlan, pattern: str, source: Source) -> Diagnostic:
    hint = did_you_mean(pattern, source.names, kind="columns")
    if _WILDCARDS & set(pattern):
        message = f"no column of {shown(source.label)} matches {shown(pattern)}"
        return problem(key.origin, "unknown-column", message, hint=hint)
    message = f"{shown(source.label)} has no column {shown(pattern)}"
    return problem(key.origin, "unknown-column", message, hint=hint)
