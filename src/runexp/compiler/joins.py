"""Joined feature sets: their columns, keys and transforms as another set's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path as FilePath

from runexp.compiler.columns import Joined, known_columns
from runexp.compiler.findings import Findings, Path
from runexp.compiler.keys import code_categories, fitted_on, link_keys
from runexp.compiler.sources import link_source
from runexp.diagnostics import did_you_mean
from runexp.plan.data import JoinPlan, KeyPlan, TransformPlan
from runexp.plan.patterns import prefixed
from runexp.spec.data import Data, Join, Key, Transform


def link_joins(found: Findings, data: Data, path: Path, folder: FilePath) -> Joined:
    """Every join that can be linked; unknown sets, unknown columns and sets joined in a circle are reported."""
    plans: list[JoinPlan] = []
    keys: list[KeyPlan] = []
    columns: list[str] = []
    for join, place in _written(data, path):
        other = _other(found, join, place)
        if other is None:
            continue
        source = link_source(found, other, ("data", join.data), folder)
        own = link_source(found, data, path, folder)
        if source is None or own is None:
            continue
        on = _column(data, join.on)
        theirs = _column(other, join.on)
        if _has_column(found, str(path[1]), on, known_columns(own, folder), place):
            _has_column(found, join.data, theirs, known_columns(source, folder), place)
        plans.append(JoinPlan(join.data, source, on, theirs, found.origin(place)))
        columns += [f"{join.data}.{column}" for column in known_columns(source, folder)]
        keys += [
            replace(key, columns=tuple(prefixed(pattern, f"{join.data}.") for pattern in key.columns))
            for key in link_keys(found, other, ("data", join.data))
            if not (key.domain == "tags" and key.columns == (theirs,))  # the id, which this set has
        ]
    return Joined(tuple(plans), tuple(keys), tuple(columns))


def joined_keys(found: Findings, own: Sequence[KeyPlan], joined: Joined, path: Path) -> tuple[KeyPlan, ...]:
    """The keys of a set and of those it joins; a name that two of them have is reported at the join."""
    keys = {key.name: key for key in own}
    for key in joined.keys:
        if key.name in keys:
            found.error(
                "name-clash",
                f"the joined `{key.origin.path}` has the name of `{keys[key.name].origin.path}`",
                (*path, "join"),
                help="keys are named once in a feature set, joined ones too: rename one of the two",
            )
        else:
            keys[key.name] = key
    return tuple(keys.values())


def joined_transforms(found: Findings, joined: Joined, path: Path) -> tuple[TransformPlan, ...]:
    """The transforms that come along with joined keys, fitted on the rows of this set."""
    transforms: list[TransformPlan] = []
    for plan in joined.plans:
        other = found.spec.data[plan.data]
        place: Path = ("data", plan.data)
        for coder in code_categories(found, other, place):
            transforms.append(replace(coder, fit_on=fitted_on(found, "train", (*path, "join"), is_written=False)))
        for index, transform in enumerate(other.transforms):
            transforms += _carried(found, transform, (*place, "transforms", index), path)
    return tuple(transforms)


def _carried(found: Findings, transform: Transform, place: Path, path: Path) -> Iterator[TransformPlan]:
    """The transform written at `place`, for the set at `path`."""
    linked = found.call(transform.use, transform.arguments, place, kinds=("transform", "estimator"))
    keys = (transform.on,) if isinstance(transform.on, str) else transform.on
    is_written = "fit_on" in transform.model_fields_set
    fit_on = fitted_on(found, transform.fit_on, (*path, "join"), is_written=is_written)
    if linked:
        yield TransformPlan(keys, linked[0], fit_on, found.origin((*path, "join")))


def _written(data: Data, path: Path) -> Iterator[tuple[Join, Path]]:
    if isinstance(data.join, Join):
        yield data.join, (*path, "join")
        return
    for index, join in enumerate(data.joins):
        yield join, (*path, "join", index)


def _other(found: Findings, join: Join, place: Path) -> Data | None:
    """The feature set that is joined: another one, of rows, that joins none itself."""
    names = found.names("data")
    if join.data not in names:
        found.unknown("feature set", join.data, (*place, "data"), names)
        return None
    other = found.spec.data.get(join.data)
    if other is None:
        return None
    reason = ""
    if join.data == place[1]:
        reason = "is this set itself"
    elif other.matrix is not None:
        reason = "holds values between pairs of rows; a loss names it"
    elif other.join is not None:
        reason = "joins a set itself; join both here"
    if reason:
        found.error("wrong-value", f"`{join.data}` {reason}", (*place, "data"), help="`join` takes a list, too")
        return None
    return other


def _has_column(found: Findings, data: str, column: str, known: Sequence[str], place: Path) -> bool:
    """Whether a set may have the column that rows are matched by; reports one that it has not."""
    if not known or column in known or found.is_damaged(("data", data)):
        return True
    found.error(
        "unknown-column",
        f"the source of `{data}` has no column `{column}` to match rows by",
        (*place, "on"),
        label="no such column",
        help=did_you_mean(column, known, kind="columns"),
    )
    return False


def _column(data: Data, name: str) -> str:
    """The column of a set that `on` names: of a key with one column, or the column itself."""
    for keys in (data.tags, data.features, data.targets):
        key = keys.get(name)
        written = key.columns if isinstance(key, Key) else key
        if isinstance(written, tuple) and len(written) == 1:
            written = written[0]
        if isinstance(written, str):
            return written
    return name
