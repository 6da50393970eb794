"""The data pass: sources, keys, splits and transforms, linked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as FilePath

from runexp.compiler.columns import check_columns
from runexp.compiler.findings import Findings, Path
from runexp.compiler.joins import joined_keys, joined_transforms, link_joins
from runexp.compiler.keys import adapt_keys, code_categories, link_keys
from runexp.compiler.matrices import check_ids, link_matrix
from runexp.compiler.sources import link_source
from runexp.compiler.splits import link_splits
from runexp.compiler.streams import check_transforms, link_stream
from runexp.compiler.tokens import link_tokenizer, stream_keys, streamed
from runexp.compiler.transforms import link_transforms
from runexp.compiler.windows import link_windows
from runexp.plan.data import DataPlan, MatrixPlan, SourcePlan
from runexp.spec.data import Data


def link_data(found: Findings, folder: FilePath) -> dict[str, DataPlan]:
    """Every feature set that could be linked; paths are relative to `folder`, the spec's own."""
    plans: dict[str, DataPlan] = {}
    matrices: dict[str, list[MatrixPlan]] = {}
    for name, data in found.spec.data.items():
        path: Path = ("data", name)
        source = link_source(found, data, path, folder)
        if data.matrix is not None:
            matrix = link_matrix(found, data, source, path)
            matrices.setdefault(data.matrix.rows, []).extend([matrix] if matrix else [])
        elif (plan := _link_set(found, data, streamed(found, source, path), path, folder)) is not None:
            plans[name] = plan
    check_ids(found, plans)
    return {name: replace(plan, matrices=tuple(matrices.get(name, ()))) for name, plan in plans.items()}


def _link_set(found: Findings, data: Data, source: SourcePlan | None, path: Path, folder: FilePath) -> DataPlan | None:
    """One feature set of rows, with the keys of those it joins."""
    joined = link_joins(found, data, path, folder)
    own = stream_keys(found, data, link_keys(found, data, path), path)
    keys = joined_keys(found, own, joined, path)
    _check_features(found, data, path)
    check_columns(found, source, own, path, folder, joined=joined)
    splits = link_splits(found, data, (*path, "splits"))
    written, keys = link_transforms(found, data, path, keys)
    transforms = (*code_categories(found, data, path), *joined_transforms(found, joined, path), *written)
    keys = adapt_keys(keys, transforms)
    tokenizer = link_tokenizer(found, data, path)
    windows = link_windows(found, source, keys, path, folder)
    if source is None:
        return None
    plan = DataPlan(
        str(path[1]),
        source,
        keys,
        splits,
        transforms,
        found.origin(path),
        tokenizer=tokenizer,
        windows=windows,
        joins=joined.plans,
        stream=link_stream(found, data, source, path, folder),
    )
    check_transforms(found, plan)
    return plan


def _check_features(found: Findings, data: Data, path: Path) -> None:
    if not data.features and data.join is None and found.lacks(path, "features"):
        found.error(
            "missing-key",
            f"`data.{path[1]}` lacks the key `features`",
            path,
            part="key",
            label="`features` is missing",
            help="what nodes are fed with, as key and columns: `features: {x: x_*}`",
        )
        found.distrust(path)
