"""The splits that a feature set has inside a fold: the parts of the fold, and the splits outside of the pool."""

from __future__ import annotations

from runexp.compiler.findings import Findings, Path
from runexp.spec import Spec
from runexp.spec.strategies import CVData


def folded(spec: Spec) -> dict[str, CVData]:
    """The feature sets that are divided into folds: those named, or else every one with features."""
    if spec.cv is None:
        return {}
    if spec.cv.data:
        return dict(spec.cv.data)
    joined = {join.data for data in spec.data.values() for join in data.joins}
    return {name: CVData() for name, data in spec.data.items() if data.features and name not in joined}


def pool_of(spec: Spec, name: str) -> tuple[str, ...]:
    """The splits of a folded set that are pooled; empty where only its rows can tell, or where it has no splits."""
    written = folded(spec)[name].pool
    splits = spec.data[name].splits if name in spec.data else None
    if written is not None or spec.cv is None:
        return written or ()
    names = (splits.names if splits else None) or ()
    return tuple(split for split in names if split in spec.cv.parts)


def splits_in_fold(spec: Spec, name: str) -> tuple[str, ...] | None:
    """What phases can name; None where only the rows of the set can tell. The set has to be folded."""
    parts = spec.cv.parts if spec.cv is not None else ()
    splits = spec.data[name].splits
    if splits is None:
        return parts
    pooled = pool_of(spec, name)
    if splits.names is None or not set(pooled) <= set(splits.names):
        return None  # or what is pooled is misspelt, of which enough is said
    inner = {part for split, divided in (splits.within or {}).items() if split in pooled for part in divided}
    return (*parts, *(split for split in splits.names if split not in {*pooled, *inner, *parts}))


def fitted_in_fold(found: Findings, split: str, path: Path, *, is_written: bool) -> str:
    """What a transform of a folded set is fitted on: the fold's own training rows, unless it says otherwise (S-03)."""
    cv = found.spec.cv
    if cv is None or not is_written:
        return cv.train if cv is not None else split
    known = splits_in_fold(found.spec, str(path[1]))
    if known is not None and split not in known:
        found.unknown("split", split, (*path, "fit_on"), known)
    elif split == cv.held_out_name:
        message = f"`{split}` is the held-out part of each fold, which nothing may be fitted on"
        found.error("wrong-value", message, (*path, "fit_on"), help=f"`fit_on: {cv.train}`, or leave it out")
    return split
