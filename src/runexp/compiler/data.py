"""The data pass: sources, keys, splits and transforms, linked."""

from __future__ import annotations

from pathlib import Path as FilePath

from runexp.compiler.columns import check_columns
from runexp.compiler.findings import Findings, Path
from runexp.compiler.keys import adapt_keys, code_categories, link_keys
from runexp.compiler.sources import link_source
from runexp.compiler.splits import link_splits
from runexp.compiler.transforms import link_transforms
from runexp.plan.data import DataPlan
from runexp.spec.data import Data


def link_data(found: Findings, folder: FilePath) -> dict[str, DataPlan]:
    """Every feature set that could be linked; paths are relative to `folder`, the spec's own."""
    plans = {}
    for name, data in found.spec.data.items():
        path: Path = ("data", name)
        source = link_source(found, data, path, folder)
        keys = link_keys(found, data, path)
        _check_features(found, data, path)
        check_columns(found, source, keys, path, folder)
        splits = link_splits(found, data, (*path, "splits"))
        written, keys = link_transforms(found, data, path, keys)
        transforms = (*code_categories(found, data, path), *written)
        keys = adapt_keys(keys, transforms)
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
