"""Small Parquet files, and the feature sets they give: streamed and held."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from runexp.api.checking import check
from runexp.compiler.data import link_data
from runexp.compiler.findings import Findings
from runexp.diagnostics import SpecError
from runexp.plan.data import DataPlan
from runexp.plan.experiment import Plan
from runexp.plan.lanes import BatchPlan
from runexp.plan.values import Origin
from runexp.runtime.data import FeatureSet, build_feature_set
from runexp.runtime.streaming.column import StreamedColumn
from runexp.runtime.streaming.drawing import StreamBatcher
from runexp.runtime.streaming.opening import open_stream
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.source import read
from runexp.spec import parse

SEED = 3
WORDS = np.array(["ant", "bee", "cat"])


def table(n_rows: int, first: int = 0) -> pa.Table:
    """Rows known from their numbers: `row`, three floats, a class, its word, a part, a kind."""
    rows = np.arange(first, first + n_rows)
    rng = np.random.default_rng(first)
    x = rng.standard_normal((n_rows, 3)).astype(np.float32) * [1, 10, 0.1] + [0, 5, -1]
    y = rows % 3
    parts = np.array(["train", "train", "train", "val", "test"])[rows % 5]
    columns = {f"x{index}": x[:, index].astype(np.float32) for index in range(3)}
    return pa.table({"row": rows, **columns, "y": y, "word": WORDS[y], "part": parts, "kind": rows // 7 % 4})


def write(path: Path, n_rows: int, *, group: int = 50, first: int = 0) -> Path:
    """A file of rows in groups."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(n_rows, first), path, row_group_size=group)
    return path


def written(folder: Path, data: str, rest: str = "") -> Path:
    """A spec with one feature set `t`."""
    path = folder / "spec.yaml"
    body = indent(dedent(data).strip(), "    ")
    path.write_text(f"runexp: 1\nname: streams\nseed: {SEED}\ndata:\n  t:\n{body}\n{dedent(rest)}", encoding="utf-8")
    return path


def planned(folder: Path, data: str) -> DataPlan:
    """The plan of the feature set alone; `SpecError` where it is refused."""
    document, _ = read(written(folder, data))
    assert document is not None
    found = Findings(parse(document), folder)
    plans = link_data(found, folder)
    wrong = [one for one in found.diagnostics if one.is_error and one.path.startswith("data")]
    if wrong:
        raise SpecError(wrong)
    return plans["t"]


def streamed(folder: Path, data: str, *, options: str = "true") -> FeatureSet:
    """The feature set, streamed."""
    return open_stream(planned(folder, f"{dedent(data).strip()}\nstream: {options}"), seed=SEED, folder=folder)


def held(folder: Path, data: str) -> FeatureSet:
    """The same, in memory."""
    return build_feature_set(planned(folder, f"{dedent(data).strip()}\nstream: false"), seed=SEED, folder=folder)


def column(features: FeatureSet, key: str, split: str = "all") -> StreamedColumn:
    """A key of a streamed feature set."""
    assert features.stream is not None
    made = features.stream.column(key, split, features.tensor(key, "cpu"), Origin("phases.train", None))
    assert isinstance(made, StreamedColumn)
    return made


def whole(features: FeatureSet, key: str, split: str = "all") -> torch.Tensor:
    """All rows of a key in a split, held or streamed, in the order of the source."""
    if features.stream is not None:
        return column(features, key, split).whole()
    return features.tensor(key, "cpu")[torch.from_numpy(features.splits[split])]


def batcher(
    features: FeatureSet, *keys: str, size: int = 8, shuffle: bool = True, drop_last: bool = False, split: str = "all"
) -> StreamBatcher:
    """Who draws the batches of some keys."""
    plan = BatchPlan(size, shuffle, drop_last)
    return StreamBatcher([column(features, key, split) for key in keys], plan, SEED, "train")


def runtime(folder: Path, data: str, rest: str) -> tuple[Plan, TorchRuntime]:
    """The plan and the runtime of a whole spec; `SpecError` where it is refused."""
    checked = check(written(folder, data, rest))
    if checked.plan is None:
        raise SpecError(checked.diagnostics)
    made = TorchRuntime(checked.plan, folder=folder)
    made.rehearse(checked.plan.phases)
    return checked.plan, made
