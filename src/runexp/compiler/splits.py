"""How the rows of a feature set are divided, and what cannot be asked for together."""

from __future__ import annotations

from typing import Literal

from runexp.compiler.findings import Findings, Path
from runexp.plan.data import SplitPlan
from runexp.plan.values import FrozenMap
from runexp.spec.data import Condition, Data, Splits

_SUM_TOLERANCE = 1e-6
_EXCLUSIVE = (
    ("column", "order"),
    ("order", "stratify_by"),
    ("order", "group_by"),
    *((way, other) for way in ("where", "files") for other in ("column", "order")),
    ("where", "files"),
)
_ONLY_OF_SHARES = ("stratify_by", "group_by")  # and of the shares `within` a split that is given otherwise
_ONLY_WITH = {"gap": "order", "stratify_bins": "stratify_by"}
_WITHOUT_SHARES = ("column", "where", "files")


def link_splits(found: Findings, data: Data, path: Path) -> SplitPlan:
    """The plan of the splits; the sources of `files` are part of the source."""
    origin = found.origin(path)
    splits = data.splits
    if splits is None:
        return SplitPlan("whole", FrozenMap(), "", "", "", origin)
    _check_splits(found, splits, path)
    return SplitPlan(
        kind=_kind(splits),
        shares=FrozenMap(splits.shares),
        column=splits.column or (splits.order if isinstance(splits.order, str) else ""),
        stratify_by=splits.stratify_by or "",
        group_by=splits.group_by or "",
        origin=origin,
        where=FrozenMap(_written(splits)),
        allow_overlap=splits.allow_overlap,
        within=FrozenMap(splits.within or {}),
        n_bins=splits.stratify_bins or 0,
        gap=splits.gap,
    )


def _kind(splits: Splits) -> Literal["shares", "column", "order", "where", "files"]:
    if splits.where:
        return "where"
    if splits.files:
        return "files"
    if splits.column is not None:
        return "column"
    return "order" if splits.order is not None else "shares"


def _conditions(written: dict[str, Condition]) -> dict[str, dict[str, object]]:
    """Column → comparison → value, as far as they are written."""
    return {
        column: {
            (field.alias or name): value
            for name, field in Condition.model_fields.items()
            if (value := getattr(condition, name)) is not None
        }
        for column, condition in written.items()
    }


def _check_splits(found: Findings, splits: Splits, path: Path) -> None:
    if _are_exclusive(found, splits, path):
        return
    _check_needed(found, splits, path)
    way = next((name for name in _WITHOUT_SHARES if getattr(splits, name) is not None), "")
    shares = splits.shares
    if way and shares:
        name = next(iter(shares))
        found.error(
            "exclusive-keys",
            f"`{way}` and the share of `{name}` exclude each other",
            (*path, name),
            part="key",
        )
    elif found.is_damaged(path):
        return
    elif not splits.names and splits.column is None:
        found.error(
            "missing-key",
            "`splits` names no split",
            path,
            part="key",
            help="for instance {train: 0.8, test: 0.2}",
        )
        found.distrust(path)
    elif shares and abs(sum(shares.values()) - 1) > _SUM_TOLERANCE:
        total = f"{sum(shares.values()):.6g}"
        found.error("bad-shares", f"the shares of the splits add up to {total}, not 1", path, part="key")
    _check_conditions(found, splits, path)
    _check_within(found, splits, path)


def _are_exclusive(found: Findings, splits: Splits, path: Path) -> bool:
    ways = [(way, option) for way in _WITHOUT_SHARES for option in _ONLY_OF_SHARES if not splits.within]
    for first, second in (*_EXCLUSIVE, *ways):
        if getattr(splits, first) is not None and getattr(splits, second) is not None:
            found.error("exclusive-keys", f"`{first}` and `{second}` exclude each other", (*path, second), part="key")
            return True
    return False


def _check_needed(found: Findings, splits: Splits, path: Path) -> None:
    for option, needed in _ONLY_WITH.items():
        if getattr(splits, option) and getattr(splits, needed) is None and found.lacks(path, needed):
            found.error("missing-key", f"`{option}` needs `{needed}`", (*path, option), part="key")


def _check_within(found: Findings, splits: Splits, path: Path) -> None:
    """Only splits are divided again, into parts with names of their own, whose shares add up to 1."""
    taken = list(splits.where or splits.files or splits.shares)
    for name, parts in (splits.within or {}).items():
        place = (*path, "within", name)
        if splits.column is None and name not in taken and not found.is_damaged(path):
            found.unknown("split", name, place, taken, part="key")
        for part in parts:
            if part in taken:
                message = f"`{part}` is a split already"
                found.error("name-clash", message, (*place, part), part="key", help="a part has a name of its own")
        taken += parts
        if abs(sum(parts.values()) - 1) > _SUM_TOLERANCE and not found.is_damaged(place):
            total = f"{sum(parts.values()):.6g}"
            found.error("bad-shares", f"the shares within `{name}` add up to {total}, not 1", place, part="key")


def _check_conditions(found: Findings, splits: Splits, path: Path) -> None:
    for name, conditions in _written(splits).items():
        empty = [column for column, comparisons in conditions.items() if not comparisons]
        if empty or not conditions:
            found.error(
                "missing-key",
                f"the split `{name}` has a condition that says nothing",
                (*path, "where", name, *empty[:1]),
                part="key",
                help="for instance `{age: {ge: 18}}`; eq, ne, lt, le, gt, ge, in, not_in",
            )


def _written(splits: Splits) -> dict[str, dict[str, dict[str, object]]]:
    return {name: _conditions(conditions) for name, conditions in (splits.where or {}).items()}
