"""The data pass: sources, keys, splits and transforms, linked."""

from __future__ import annotations

from pathlib import Path as FilePath

from runexp.compiler.columns import check_columns
from runexp.compiler.findings import Findings, Path
from runexp.compiler.sources import link_source
from runexp.compiler.splits import link_splits
from runexp.plan.data import (
    DataPlan,
    Domain,
    KeyPlan,
    TransformPlan,
)
from runexp.spec.data import Data, Key, Keys, Transform


def link_data(found: Findings, folder: FilePath) -> dict[str, DataPlan]:
    """Every feature set that could be linked; paths are relative to `folder`, the spec's own."""
    plans = {}
    for name, data in found.spec.data.items():
        path: Path = ("data", name)
        source = link_source(found, data, path, folder)
        keys = _keys(found, data, path)
        _check_features(found, data, path)
        check_columns(found, source, keys, path, folder)
        splits = link_splits(found, data, (*path, "splits"))
        transforms = tuple(
            linked
            for index, transform in enumerate(data.transforms)
            if (linked := _transform(found, transform, (*path, "transforms", index), keys))
        )
        if source is not None:
            plans[name] = DataPlan(name, source, keys, splits, transforms, found.origin(path))
    return plans


def _check_features(found: Findings, data: Data, path: Path) -> None:
    if not data.features and data.matrix is None and found.lacks(path, "features"):
        found.error(
            "missing-key",
            f"`data.{path[1]}` lacks the key `features`",
            path,
            part="key",
            label="`features` is missing",
            help="what nodes are fed with, as key and columns: `features: {x: x_*}`",
        )
        found.distrust(path)


def _keys(found: Findings, data: Data, path: Path) -> tuple[KeyPlan, ...]:
    domains: tuple[tuple[Domain, Keys], ...] = (
        ("features", data.features),
        ("targets", data.targets),
        ("tags", data.tags),
    )
    plans: dict[str, KeyPlan] = {}
    for domain, keys in domains:
        for name, key in keys.items():
            place = (*path, domain, name)
            if name in plans:
                found.error(
                    "name-clash",
                    f"`{name}` is a key of {plans[name].domain} already",
                    place,
                    part="key",
                    help="keys are named once in a feature set: `<data>.<key>` has to be unique",
                )
                continue
            plans[name] = _key(name, domain, key, found, place)
    return tuple(plans.values())


def _key(name: str, domain: Domain, key: str | tuple[str, ...] | Key, found: Findings, path: Path) -> KeyPlan:
    whole = key if isinstance(key, Key) else Key(columns=key)
    columns = (whole.columns,) if isinstance(whole.columns, str) else whole.columns
    return KeyPlan(name, domain, columns, whole.shape, whole.dtype or "", found.origin(path))


def _transform(found: Findings, transform: Transform, path: Path, keys: tuple[KeyPlan, ...]) -> TransformPlan | None:
    linked = found.call(transform.use, transform.arguments, path, kinds=("transform", "estimator"))
    written = (transform.on,) if isinstance(transform.on, str) else transform.on
    known = [key.name for key in keys]
    for index, name in enumerate(written):
        place = (*path, "on") if isinstance(transform.on, str) else (*path, "on", index)
        if name not in known and not found.is_damaged(path[:2]):
            found.unknown("data key", name, place, known)
    splits = found.spec.data[str(path[1])].splits
    names = splits.names if splits else None
    fit_on = transform.fit_on if splits else "all"
    if names and fit_on not in names and not found.is_damaged((*path[:2], "splits")):
        if "fit_on" in transform.model_fields_set:
            found.unknown("split", fit_on, (*path, "fit_on"), names)
        else:
            found.error(
                "unknown-split",
                "a transform is fitted on the split `train`, which is not defined",
                path,
                help="say on which: `fit_on: …`; splits: " + ", ".join(names),
            )
    return TransformPlan(written, linked[0], fit_on, found.origin(path)) if linked else None
