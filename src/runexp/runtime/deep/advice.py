"""What reads well and yet teaches nothing, or too little: single classes, absent ones, constant columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from sklearn.base import is_classifier

from runexp.diagnostics import Diagnostic, Severity
from runexp.plan.experiment import Plan, leaves
from runexp.plan.graph import LossPlan, MetricPlan
from runexp.plan.phases import EvalPlan, FitPlan, Leaf, TrainPlan
from runexp.plan.values import Origin
from runexp.runtime.data.problems import shown
from runexp.runtime.data.table import Array
from runexp.runtime.deep.sampling import Sampled
from runexp.runtime.graph.estimators import make_estimator

Key = tuple[str, str]
"""A feature set and a key of it."""

_MOST_NAMES = 3
_EXACT_FLOAT32 = 2**24


def advise(plan: Plan, sets: Mapping[str, Sampled]) -> Iterator[Diagnostic]:
    """Everything of this kind in all sets."""
    phases = list(leaves(plan.phases))
    classes = {key for phase in phases for key in _class_keys(plan, phase)}
    learnt = {(name, phase.split) for phase in phases if not isinstance(phase, EvalPlan) for name in phase.data}
    judged = {(name, phase.split) for phase in phases if isinstance(phase, EvalPlan) for name in phase.data}
    for name, sampled in sets.items():
        if sampled.survey is None:
            continue
        yield from _rounded(sampled)
        if not sampled.is_whole:
            continue
        coded = [key for data, key in sorted(classes) if data == name and key in sampled.features.gathered]
        for key in coded:
            yield from _classes(sampled, key, [split for data, split in sorted(learnt) if data == name], judged)
        yield from _constant(sampled, coded)


def _class_keys(plan: Plan, phase: Leaf) -> Iterator[Key]:
    """The targets that a phase takes for classes."""
    if isinstance(phase, FitPlan):
        nodes = {node.name: node for node in plan.nodes}
        for name, (data, key) in phase.targets.items():
            if is_classifier(make_estimator(nodes[name], plan.seed)):
                yield data, key
        return
    losses = [loss for loss in phase.losses if loss.decision != "as_is"]
    metrics = [] if isinstance(phase, TrainPlan) else [item for item in phase.metrics if item.wants != "values"]
    found: list[LossPlan | MetricPlan] = [*losses, *metrics]
    for item in found:
        routes = [route for route in item.routes if route.source == "data" and route.argument in ("", "target")]
        yield from ((route.name, route.key) for route in routes[:1])


def _classes(sampled: Sampled, key: str, learnt: list[str], judged: set[Key]) -> Iterator[Diagnostic]:
    """One class, gaps between labels, and classes that a split lacks."""
    raw = sampled.features.gathered[key].raw
    if raw.ndim != 1 or raw.dtype.kind not in "iub":
        return
    labels, origin = np.unique(raw[raw >= 0]), sampled.plan.key(key).origin
    if len(labels) < 2 and len(np.unique(raw)) > 1:
        return  # labels below 0, which whatever takes them for classes refuses
    if len(labels) < 2:
        what = _named(sampled, key, labels)
        yield _warned(
            origin, "one-class-target", f"all rows of `targets.{key}` are of one class, {what}", is_error=True
        )
        return
    names = sampled.features.classes(key)
    absent = np.setdiff1d(np.arange(int(labels[-1]) + 1), labels) if labels[-1] < 2 * len(labels) + 10 else labels[:0]
    if len(absent) and not names:
        message = f"labels of `targets.{key}` go to {labels[-1]}, and {_listed(list(map(str, absent)))} never occurs"
        yield _warned(origin, "label-gap", message, hint="outputs for labels that never occur learn nothing")
    if sampled.is_divided and sampled.plan.windows is None:
        yield from _absent(sampled, key, labels, learnt, judged)


def _absent(sampled: Sampled, key: str, labels: Array, learnt: list[str], judged: set[Key]) -> Iterator[Diagnostic]:
    raw, origin = sampled.features.gathered[key].raw, sampled.plan.splits.origin
    counts = dict(zip(labels.tolist(), np.unique(raw[raw >= 0], return_counts=True)[1].tolist(), strict=True))
    splits = sampled.plan.splits
    could_stratify = splits.kind == "shares" and not splits.group_by and not splits.stratify_by
    hint = f"`stratify_by: {key}` gives every split its share of each class" if could_stratify else ""
    for split, rows in sampled.features.splits.items():
        lacking = np.setdiff1d(labels, raw[rows])
        if not len(lacking) or not len(rows):
            continue
        what = _named(sampled, key, lacking)
        if split in learnt:
            n_elsewhere = sum(counts[label] for label in lacking.tolist())
            message = f"`{split}` has no row of {what} of `targets.{key}`; other splits have {n_elsewhere}"
            yield _warned(origin, "absent-class", message, hint=hint, is_error=True)
        elif (sampled.plan.name, split) in judged:
            message = f"`{split}` has no row of {what} of `targets.{key}`, and is judged without"
            yield _warned(origin, "absent-class", message, hint=hint)


def _constant(sampled: Sampled, classes: list[str]) -> Iterator[Diagnostic]:
    surveyed = sampled.survey
    for match in surveyed.matches if surveyed else ():
        gathered = sampled.features.gathered.get(match.key.name)
        is_number = gathered is not None and gathered.raw.dtype.kind in "biuf"
        if gathered is None or not is_number or match.key.domain == "tags" or match.key.name in classes:
            continue
        flat = gathered.raw.reshape(len(gathered.raw), -1)
        constant = np.flatnonzero((flat == flat[:1]).all(axis=0)) if len(flat) > 1 else np.arange(0)
        if not len(constant):
            continue
        by_column = len(match.columns) == flat.shape[1]
        names = [match.columns[index] if by_column else f"value {index}" for index in constant]
        n_all = f"{len(constant)} of {flat.shape[1]} columns of" if flat.shape[1] > 1 else "the one column of"
        verb = "are" if len(constant) > 1 else "is"
        message = f"{n_all} `{match.key.domain}.{match.key.name}` {verb} constant: {_listed(names)}"
        yield _warned(match.key.origin, "constant-column", message, hint="what never changes tells nothing")


def _rounded(sampled: Sampled) -> Iterator[Diagnostic]:
    """Whole numbers that float32 cannot hold exactly; a transform sees them as they were read."""
    surveyed = sampled.survey
    for match in surveyed.matches if surveyed else ():
        gathered = sampled.features.gathered.get(match.key.name)
        if surveyed is None or gathered is None or gathered.raw.dtype != np.float32:
            continue
        if match.key.name in sampled.features.transforms or np.abs(gathered.raw).max(initial=0) < _EXACT_FLOAT32:
            continue
        for name in match.columns:
            values = surveyed.source.column(name, match.key.origin).values
            if values.dtype.kind not in "iu":
                continue
            bad = values.astype(np.float32).astype(np.float64) != values.astype(np.float64)
            if bad.any():
                row = int(np.argmax(bad.reshape(len(bad), -1).any(axis=1)))
                value = values[row].flat[0]
                where = f"{surveyed.source.place(row)} of {shown(surveyed.source.label)}"
                message = f"column {shown(name)} holds `{value}` in {where}, which float32 rounds"
                hint = "`dtype: int64` for codes and ids, `dtype: float64` or a scaler for amounts"
                yield _warned(match.key.origin, "rounded-values", message, hint=hint)
                break


def _named(sampled: Sampled, key: str, labels: Array) -> str:
    names = sampled.features.classes(key)
    written = [shown(names[int(label)] if names else label) for label in labels]
    return f"{'class' if len(written) == 1 else 'classes'} {_listed(written)}"


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _warned(origin: Origin, code: str, message: str, *, hint: str = "", is_error: bool = False) -> Diagnostic:
    severity = Severity.ERROR if is_error else Severity.WARNING
    return Diagnostic(code, message, origin.span, help=hint, severity=severity, path=origin.path)
