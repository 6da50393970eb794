"""How the rows of a feature set are divided, and what cannot be asked for together."""

from __future__ import annotations

from runexp.compiler.findings import Findings, Path
from runexp.plan.data import SplitPlan
from runexp.plan.values import FrozenMap
from runexp.spec.data import Condition, Data, Splits

_SUM_TOLERANCE = 1e-6
_EXCLUSIVE = (
    ("stratify_by", "group_by"),
    ("column", "stratify_by"),
    ("column", "group_by"),
    ("column", "order"),
    ("order", "stratify_by"),
    ("order", "group_by"),
    *((way, other) for way in ("where", "files") for other in ("column", "order", "stratify_by", "group_by")),
    ("where", "files"),
)
_WITHOUT_SHARES = ("column", "where", "files")


def link_splits(found: Findings, data: Data, path: Path) -> SplitPlan:
    """The plan of the splits; the sources of `files` are part of the source."""
    origin = found.origin(path)
    splits = data.splits
    if splits is None:
        return SplitPlan("whole", FrozenMap(), "", "", "", origin)
    _check_splits(found, splits, path)
    if splits.where:
        return SplitPlan("where", FrozenMap(), "", "", "", origin, FrozenMap(_written(splits)), splits.allow_overlap)
    if splits.files:
        return SplitPlan("files", FrozenMap(), "", "", "", origin)
    if splits.column is not None:
        return SplitPlan("column", FrozenMap(), splits.column, "", "", origin)
    shares = FrozenMap(splits.shares)
    if splits.order is not None:
        column = "" if splits.order is True else splits.order
        return SplitPlan("order", shares, column, "", "", origin)
    return SplitPlan("shares", shares, "", splits.stratify_by or "", splits.group_by or "", origin)


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
    for first, second in _EXCLUSIVE:
        if getattr(splits, first) is not None and getattr(splits, second) is not None:
            found.error("exclusive-keys", f"`{first}` and `{second}` exclude each other", (*path, second), part="key")
            return
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
