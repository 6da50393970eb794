"""The feature sets of a checked spec: built, and described for people. No graph is built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runexp.api.checking import Checked
from runexp.diagnostics import Diagnostic, SpecError
from runexp.plan.data import DataPlan, MatrixPlan, SourcePlan
from runexp.report.data import KeyFacts, PairFacts, SetFacts
from runexp.runtime.data import FeatureSet, SummaryRow, build_feature_set
from runexp.runtime.data.pairs import PairMatrix
from runexp.runtime.data.table import Array

_MOST_VALUES = 4
_MOST_COUNTED = 2_000_000


def set_names(checked: Checked) -> tuple[str, ...]:
    """The feature sets of a valid spec, matrices not among them."""
    return tuple(data.name for data in checked.require().linked.data)


def read_set(checked: Checked, name: str) -> FeatureSet:
    """One feature set of a valid spec; `KeyError` for an unknown name, `SpecError` for what is wrong in its data."""
    plan = next((data for data in checked.require().linked.data if data.name == name), None)
    if plan is None:
        raise KeyError(name)
    return build_feature_set(plan, seed=checked.linked.seed, folder=checked.folder)


def describe_sets(checked: Checked, *, name: str = "", n_head: int = 0) -> tuple[SetFacts, ...]:
    """What all feature sets (or one, or the one a matrix is about) hold; `SpecError` with all that is wrong."""
    found: list[Diagnostic] = []
    described: list[SetFacts] = []
    for plan in checked.require().linked.data:
        if name and name != plan.name and name not in [matrix.name for matrix in plan.matrices]:
            continue
        try:
            features = read_set(checked, plan.name)
        except SpecError as error:
            found += error.diagnostics
        else:
            described.append(_described(plan, features, n_head))
    if found:
        raise SpecError(found)
    return tuple(described)


def described_briefly(plans: Iterable[DataPlan], sets: Mapping[str, FeatureSet]) -> Iterator[SetFacts]:
    """What built feature sets hold, without a second look at their sources; none that are streamed or very large."""
    for plan in plans:
        features = sets.get(plan.name)
        if features is not None and plan.stream is None and _n_values(features) <= _MOST_COUNTED:
            yield _described(plan, features, 0)


def _n_values(features: FeatureSet) -> int:
    return sum(found.raw.size for found in features.gathered.values())


def _described(plan: DataPlan, features: FeatureSet, n_head: int) -> SetFacts:
    return SetFacts(
        name=plan.name,
        source=_source(plan.source),
        joins=tuple(f"{join.data} by {join.on}, {_source(join.source)}" for join in plan.joins),
        n_rows=features.n_rows,
        splits=tuple((name, len(rows)) for name, rows in features.splits.items()),
        keys=tuple(_key(row) for row in features.summary()),
        pairs=tuple(_pairs(matrix, features.pairs[matrix.name]) for matrix in plan.matrices),
        columns=("row", *features.keys),
        head=tuple(_head(features, min(n_head, features.n_rows))),
    )


def _pairs(plan: MatrixPlan, matrix: PairMatrix) -> PairFacts:
    return PairFacts(plan.name, _source(plan.source), len(matrix.padded) - 1, matrix.n_surplus)


def _head(features: FeatureSet, n_rows: int) -> Iterator[tuple[str, ...]]:
    columns = [features.column(key).values for key in features.keys] if n_rows else []
    for row in range(n_rows):
        yield (str(row), *(_shown(values[row]) for values in columns))


def _key(row: SummaryRow) -> KeyFacts:
    return KeyFacts(
        name=row.key,
        domain=row.domain,
        shape=row.shape,
        dtype="text" if row.dtype.startswith("str") else row.dtype,
        minimum=row.min,
        maximum=row.max,
        mean=row.mean,
        n_missing=row.n_missing,
        n_distinct=row.n_distinct,
        categories=row.categories,
        transforms=row.transforms,
    )


def _source(source: SourcePlan) -> str:
    """The source without what may be secret: the URL of a database can hold a password."""
    if source.call is not None:
        return source.call.name
    if source.kind == "files":
        return ", ".join(f"{split}: {part.path}" for split, part in source.parts.items())
    return f"sql {source.query}" if source.kind == "sql" else source.path


def _shown(value: Array) -> str:
    """One value of a row, or the first of its values."""
    values = value.reshape(-1).tolist()
    shown = ", ".join(f"{item:.6g}" if isinstance(item, float) else str(item) for item in values[:_MOST_VALUES])
    return shown if len(values) <= _MOST_VALUES else f"{shown}, … ({len(values)})"
