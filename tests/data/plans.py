"""Plans of feature sets, written shortly."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runexp.api.checking import Checked, check
from runexp.diagnostics import Diagnostic, Span, SpecError
from runexp.plan.data import DataPlan, Domain, KeyPlan, SourcePlan, SplitPlan, TransformPlan
from runexp.plan.values import Call, FrozenMap, Origin
from runexp.runtime.data import FeatureSet, build_feature_set

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = Path("/nonexistent")


def origin(path: str) -> Origin:
    # Each item gets a line of its own, so that a test sees which one a diagnostic points at.
    line = 1 + sum(map(ord, path)) % 1000
    return Origin(path, Span("spec.yaml", line, 3, line, 9))


def file(path: Path | str) -> SourcePlan:
    kind: Any = "parquet" if str(path).endswith(".parquet") else "csv"
    return SourcePlan(kind, str(path), None, origin("data.d.source"))


def made(function: str, **arguments: Any) -> SourcePlan:
    call = Call(f"sklearn.datasets.{function}", f"sklearn.datasets:{function}", FrozenMap(arguments))
    return SourcePlan("call", "", call, origin("data.d.source"))


def key(name: str, domain: Domain, *columns: str, shape: tuple[int, ...] | None = None, dtype: str = "") -> KeyPlan:
    return KeyPlan(name, domain, columns, shape, dtype, origin(f"data.d.{domain}.{name}"))


def features(*columns: str, name: str = "x", **more: Any) -> KeyPlan:
    return key(name, "features", *columns, **more)


def target(*columns: str, name: str = "y", **more: Any) -> KeyPlan:
    return key(name, "targets", *columns, **more)


def tag(*columns: str, name: str = "t", **more: Any) -> KeyPlan:
    return key(name, "tags", *columns, **more)


def splits(kind: Any = "whole", /, *, column: str = "", by: str = "", groups: str = "", **shares: float) -> SplitPlan:
    return SplitPlan(kind, FrozenMap(shares), column, by, groups, origin("data.d.splits"))


WHOLE = splits()


def transform(name: str, *keys: str, fit_on: str = "train", **arguments: Any) -> TransformPlan:
    call = Call(name.replace(":", "."), name, FrozenMap(arguments))
    return TransformPlan(keys, call, fit_on, origin(f"data.d.transforms.{name}"))


def scaled(*keys: str, fit_on: str = "train") -> TransformPlan:
    return transform("sklearn.preprocessing:StandardScaler", *keys, fit_on=fit_on)


def plan(
    source: SourcePlan,
    *keys: KeyPlan,
    splits: SplitPlan = WHOLE,
    transforms: tuple[TransformPlan, ...] = (),
) -> DataPlan:
    return DataPlan("d", source, keys, splits, transforms, origin("data.d"))


def build(data: DataPlan, *, seed: int = 1, folder: Path = NOWHERE) -> FeatureSet:
    return build_feature_set(data, seed=seed, folder=folder)


def refused(data: DataPlan, *, seed: int = 1, folder: Path = NOWHERE) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        build_feature_set(data, seed=seed, folder=folder)
    return caught.value.diagnostics


def the_one(diagnostics: tuple[Diagnostic, ...], code: str, path: str) -> Diagnostic:
    assert [(found.code, found.path) for found in diagnostics] == [(code, path)]
    assert diagnostics[0].span == origin(path).span
    return diagnostics[0]


def csv_file(folder: Path, text: str | bytes, name: str = "table.csv") -> SourcePlan:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file(path)


def parquet_file(folder: Path, columns: Mapping[str, Any], name: str = "table.parquet") -> SourcePlan:
    path = folder / name
    pq.write_table(pa.table(dict(columns)), path, write_page_checksum=True)
    return file(path)


def specified(folder: Path, data: str, **files: str | bytes) -> Checked:
    """A checked spec in `folder` whose only feature set `d` is `data` in YAML, beside these files (`a__csv`)."""
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    split = "train" if "splits:" in data else "all"
    section = indent(dedent(data).strip(), "    ")
    spec = folder / "spec.yaml"
    spec.write_text(
        "runexp: 1\nname: t\nseed: 1\nnodes: {n: {inputs: d.x, use: pca}}\n"
        f"phases: {{f: {{kind: fit, nodes: [n], split: {split}}}}}\ndata:\n  d:\n{section}\n"
    )
    return check(spec)


def read(folder: Path, data: str, *, seed: int = 1, **files: str | bytes) -> FeatureSet:
    """The feature set of a spec that must be fine."""
    checked = specified(folder, data, **files)
    assert checked.diagnostics == ()
    return build(checked.linked.data[0], seed=seed, folder=folder)


def misread(folder: Path, data: str, **files: str | bytes) -> Diagnostic:
    """The one mistake of a spec that only the rows show."""
    with pytest.raises(SpecError) as caught:
        read(folder, data, **files)
    (found,) = caught.value.diagnostics
    return found


def miswritten(folder: Path, data: str, **files: str | bytes) -> Diagnostic:
    """The one mistake of a spec that `runexp validate` finds."""
    (found,) = specified(folder, data, **files).diagnostics
    return found


def shared(*parts: str) -> Path:
    folder = Path(os.environ.get("RUNEXP_SHARED") or ROOT.parent / "shared")
    path = folder.joinpath("data", *parts)
    if not path.exists():
        pytest.skip(f"real data is absent: {path} (set RUNEXP_SHARED)")
    return path
