"""Windows over rows: which rows each key takes of a window, and splits that leave rows in order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath

from runexp.compiler.columns import known_columns
from runexp.compiler.findings import Findings, Path
from runexp.compiler.tokens import is_text
from runexp.diagnostics import Severity, did_you_mean
from runexp.plan.data import KeyPlan, SourcePlan, WindowPlan
from runexp.plan.values import FrozenMap
from runexp.spec.data import Predicted, Splits, Windows

_MASK = "_mask"


def link_windows(
    found: Findings, source: SourcePlan | None, keys: Sequence[KeyPlan], path: Path, folder: FilePath
) -> WindowPlan | None:
    """The windows of a feature set, every default filled in; None where it has none."""
    data = found.spec.data[str(path[1])]
    windows, splits = data.windows, data.splits
    if windows is None:
        return None
    place = (*path, "windows")
    if source is not None and is_text(source) and not source.is_stream and data.tokenizer is None:
        message = "`windows` are cut from numbers, and the rows of a text are lines"
        found.error("missing-key", message, place, part="key", help="`tokenizer: char` reads it as tokens")
    _check_order(found, splits, path)
    _check_predict(found, windows, keys, place)
    _check_names(found, windows, keys, known_columns(source, folder) if source else (), place)
    if windows.stride > windows.size:
        found.error(
            "skipped-rows",
            f"windows of {windows.size} rows every {windows.stride} rows leave out "
            f"{windows.stride - windows.size} rows between two",
            (*place, "stride"),
            help="a `stride` up to `size` leaves none out",
            severity=Severity.WARNING,
        )
    along = splits.order if splits and isinstance(splits.order, str) else ""
    grouped = (splits.group_by or "") if splits else ""
    return WindowPlan(
        windows.size,
        windows.stride,
        windows.order or along,
        windows.group_by or grouped,
        FrozenMap({key.name: _cut(windows, key) for key in keys}),
        tuple(key.name for key in keys if windows.rows == "last" and key.domain == "features" and not key.is_tokens),
        found.origin(place),
    )


def _cut(windows: Windows, key: KeyPlan) -> tuple[int, int]:
    """The first row and the number of rows of a window that a key takes; 0 rows: that row's value alone."""
    predicted = _predicted(windows, key)
    if key.domain == "features" or predicted == "each":
        return 0, windows.size
    if predicted == "next":
        return 1, windows.size
    return windows.size - 1 + (predicted or 0), 0


def _predicted(windows: Windows, key: KeyPlan) -> Predicted | None:
    """What is asked of a target or tag; the mask of a target goes with it."""
    predict = windows.predict
    if isinstance(predict, dict):
        return predict.get(key.name, predict.get(key.name.removesuffix(_MASK)) if key.is_mask else None)
    return predict if key.domain == "targets" or key.is_mask else None


def _check_order(found: Findings, splits: Splits | None, path: Path) -> None:
    """Rows that are shuffled one by one leave no neighbours."""
    place = (*path, "splits")
    if splits is None or found.is_damaged(place) or not splits.shares or splits.order is not None:
        return
    if splits.group_by is None:
        found.error(
            "exclusive-keys",
            "`windows` and splits that shuffle rows exclude each other",
            place,
            part="key",
            label="neighbours go to different splits",
            help="`order: true` (or the column of time) cuts the rows in their order; `group_by` keeps groups whole",
        )


def _check_predict(found: Findings, windows: Windows, keys: Sequence[KeyPlan], path: Path) -> None:
    place = (*path, "predict")
    if found.is_damaged(path[:2]):
        return
    if isinstance(windows.predict, dict):
        known = [key.name for key in keys if key.domain != "features"]
        for name in windows.predict:
            if name not in known:
                found.unknown("target", name, (*place, name), known, part="key")
    elif windows.predict is not None and not any(key.domain == "targets" for key in keys):
        found.error(
            "missing-target",
            "`predict` says what a target is, and there is none",
            place,
            part="key",
            help="name the column to predict under `targets:`",
        )


def _check_names(
    found: Findings, windows: Windows, keys: Sequence[KeyPlan], columns: Sequence[str], path: Path
) -> None:
    known = tuple(dict.fromkeys((*(key.name for key in keys), *columns)))
    for option in ("order", "group_by"):
        name = getattr(windows, option)
        if columns and name is not None and name not in known:
            found.error(
                "unknown-column",
                f"the source of `{path[1]}` has no key or column `{name}`",
                (*path, option),
                label="no such column",
                help=did_you_mean(name, known, kind="columns"),
            )
