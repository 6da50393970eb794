"""Which runs, in which order: conditions and sort keys over run records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

from runexp.diagnostics import did_you_mean
from runexp.results.conditions import (
    Compared,
    Condition,
    ConditionError,
    Joined,
    Known,
    Not,
    Path,
    Value,
    parse_condition,
    paths_in,
)
from runexp.results.run_record import FACTS, MISSING, RunRecord, paths_of, steps_of, value_at

_ORDERING: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class SelectionError(ValueError):
    """What was asked of the runs cannot be understood: every mistake, with the option and the text it stands in."""

    def __init__(self, mistakes: Sequence[tuple[str, str, ConditionError]]) -> None:
        super().__init__("; ".join(mistake.message for _, _, mistake in mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: a condition, a path to sort by (`-` before it: the largest first), paths to show, and filters.

    `limit` 0 is all of them.
    """

    where: str = ""
    sort: str = ""
    columns: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    limit: int = 0


def needs_specs(query: Query, records: Sequence[RunRecord]) -> bool:
    """Whether some path of a query may be an address of the spec, which costs a look into every one.

    `SelectionError` for a condition that cannot be parsed.
    """
    _, paths = _parsed(query)
    return any(not _is_of_a_number(path, records) for _, _, path in paths)


def select(query: Query, records: Sequence[RunRecord]) -> list[RunRecord]:
    """The runs that fulfil a query, in its order; the newest first where it asks for none.

    `SelectionError` for paths that no run has, with the nearest.
    """
    condition, paths = _parsed(query)
    unknown = [(option, text, _unknown(path, records)) for option, text, path in paths if not _is_known(path, records)]
    if unknown and records:
        raise SelectionError(unknown)
    found = [record for record in records if _is_wanted(record, query) and _holds(condition, record)]
    found = _sorted(found, query.sort)
    return found[: query.limit] if query.limit else found


def holds(condition: Condition, record: RunRecord) -> bool:
    """Whether a run fulfils a condition. A value that a run does not have fulfils no comparison."""
    match condition:
        case Known(path=path):
            return _is_something(value_at(record, path.steps))
        case Not(inner=inner):
            return not holds(inner, record)
        case Joined(how=how, parts=parts):
            return (all if how == "all" else any)(holds(part, record) for part in parts)
        case Compared():
            return _compared(value_at(record, condition.path.steps), condition)


def _is_something(value: Any) -> bool:  # noqa: ANN401 - any value of a spec
    if value is MISSING or value is None or value is False:
        return False
    return _is_number(value) or bool(value)  # 0 is a number like any other


def _compared(value: Any, test: Compared) -> bool:  # noqa: ANN401 - any value of a spec
    if value is MISSING:
        return False
    operator, is_contrary = _CONTRARIES.get(test.operator, (test.operator, False))
    items = value if isinstance(value, (list, tuple)) else (value,)  # one of several is enough
    return is_contrary != any(_meets(item, operator, wanted) for item in items for wanted in test.values)


def _meets(value: Any, operator: str, wanted: Value) -> bool:  # noqa: ANN401 - any value of a spec
    if operator == "=":
        return _equal(value, wanted)
    if operator == "~":
        return str(_text(wanted)).casefold() in str(value).casefold()
    if _is_number(value) and _is_number(wanted):
        return _ORDERING[operator](value, wanted)
    if isinstance(value, str):
        return _ORDERING[operator](value, _text(wanted))
    return False


def _equal(value: Any, wanted: Value) -> bool:  # noqa: ANN401 - any value of a spec
    if isinstance(value, bool) or isinstance(wanted, bool) or wanted is None:
        return value is wanted
    if isinstance(value, str):
        return value == _text(wanted)
    return bool(value == wanted)


def _text(wanted: Value) -> str:
    """A value as it may stand in a text: `7` for 7.0."""
    return f"{wanted:g}" if isinstance(wanted, float) else str(wanted)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _parsed(query: Query) -> tuple[Condition | None, list[tuple[str, str, Path]]]:
    condition = None
    try:
        condition = parse_condition(query.where) if query.where else None
    except ConditionError as error:
        raise SelectionError([("--where", query.where, error)]) from None
    paths = [("--where", query.where, path) for path in (paths_in(condition) if condition else ())]
    if query.sort:
        key = query.sort.removeprefix("-")
        paths.append(("--sort", query.sort, Path(key, steps_of(key), len(query.sort) - len(key))))
    paths += [("--columns", column, Path(column, steps_of(column))) for column in query.columns]
    return condition, paths


def _holds(condition: Condition | None, record: RunRecord) -> bool:
    return condition is None or holds(condition, record)


def _is_wanted(record: RunRecord, query: Query) -> bool:
    if query.status and record.status not in query.status:
        return False
    return set(query.tags) <= set(record.tags)


def _is_of_a_number(path: Path, records: Iterable[RunRecord]) -> bool:
    """Whether every run that has the value at all has it without a look into its spec."""
    if len(path.steps) == 1 and path.steps[0] in FACTS:
        return True
    if path.steps and path.steps[0] in ("summary", "lock"):
        return True
    return any(value_at(record, path.steps) is not MISSING for record in records)


def _is_known(path: Path, records: Iterable[RunRecord]) -> bool:
    if len(path.steps) == 1 and path.steps[0] in FACTS:
        return True
    return any(value_at(record, path.steps) is not MISSING for record in records)


def _unknown(path: Path, records: Iterable[RunRecord]) -> ConditionError:
    there = list(dict.fromkeys(known for record in records for known in paths_of(record)))
    alone = [known for known in there if known.rpartition(".")[2] == path.text.rpartition(".")[2]]
    hint = f"did you mean {_listed(alone)}?" if alone else did_you_mean(path.text, there, kind="some there are", most=8)
    return ConditionError(f"no run has `{path.text}`", path.start, path.end, help=hint)


def _listed(names: Sequence[str], most: int = 4) -> str:
    return " or ".join(f"`{name}`" for name in names[:most])


def _sorted(records: list[RunRecord], sort: str) -> list[RunRecord]:
    newest_first = sorted(records, key=lambda record: (record.started or record.id, record.id), reverse=True)
    if not sort:
        return newest_first
    steps = steps_of(sort.removeprefix("-"))
    valued = [(value_at(record, steps), record) for record in newest_first]
    there = [pair for pair in valued if _has_place(pair[0])]
    there.sort(key=lambda pair: _key(pair[0]), reverse=sort.startswith("-"))
    return [record for _, record in there] + [record for value, record in valued if not _has_place(value)]


def _has_place(value: Any) -> bool:  # noqa: ANN401 - any value of a spec
    """What is missing or not a number comes last, whichever way round."""
    return value is not MISSING and value is not None and not (isinstance(value, float) and isnan(value))


def _key(value: Any) -> tuple[bool, Any]:  # noqa: ANN401 - any value of a spec
    """Numbers before texts."""
    return (False, value) if _is_number(value) else (True, str(value))


_CONTRARIES = {"!=": ("=", True), "!~": ("~", True), "in": ("=", False), "not in": ("=", True)}
