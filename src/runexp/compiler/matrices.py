"""Matrices: sources that hold values between pairs of the rows of a feature set."""

from __future__ import annotations

from collections.abc import Mapping

from runexp.compiler.findings import Findings, Path
from runexp.compiler.sources import is_pattern
from runexp.plan.data import DataPlan, MatrixPlan, SourcePlan
from runexp.spec.data import Data, Matrix

_KINDS = frozenset({"csv", "numpy"})
_OF_ROWS = ("features", "targets", "tags", "splits", "transforms", "windows", "join")


def link_matrix(found: Findings, data: Data, source: SourcePlan | None, path: Path) -> MatrixPlan | None:
    """The matrix that a source holds; None where it or the rows it is about are broken."""
    matrix = data.matrix
    if matrix is None:
        return None
    for key in _OF_ROWS:
        if key in data.model_fields_set and getattr(data, key):
            message = f"`matrix` and `{key}` exclude each other"
            hint = f"a matrix has no columns of its own; those of its rows belong to `data.{matrix.rows}`"
            found.error("exclusive-keys", message, (*path, key), part="key", help=hint)
    if not _knows_rows(found, matrix, path) or source is None:
        return None
    if source.kind not in _KINDS or is_pattern(source.path):
        found.error(
            "wrong-value",
            "a matrix is read from one CSV or NumPy file",
            (*path, "source"),
            help="a .csv or .tsv, with the ids of rows and columns or without, or a .npy",
        )
        return None
    if source.kind == "numpy" and matrix.id is not None:
        message = "a NumPy file has no ids by which rows could be matched"
        hint = "leave `id` out where both stand in the same order, or write a CSV with the ids"
        found.error("exclusive-keys", message, (*path, "matrix", "id"), part="key", help=hint)
    place = found.origin((*path, "matrix"))
    return MatrixPlan(str(path[1]), source, matrix.id or "", matrix.triangle, matrix.diagonal, place)


def check_ids(found: Findings, plans: Mapping[str, DataPlan]) -> None:
    """Report ids that are no tag of the rows, where the rows are known."""
    for name, data in found.spec.data.items():
        matrix = data.matrix
        if matrix is None or matrix.id is None or matrix.rows not in plans or found.is_damaged(("data", matrix.rows)):
            continue
        tags = [key.name for key in plans[matrix.rows].keys if key.domain == "tags"]
        if matrix.id not in tags:
            found.unknown("tag", matrix.id, ("data", name, "matrix", "id"), tags)


def _knows_rows(found: Findings, matrix: Matrix, path: Path) -> bool:
    place = (*path, "matrix", "rows")
    names = [name for name in found.names("data") if name != path[1]]
    if matrix.rows not in names:
        found.unknown("feature set", matrix.rows, place, names)
        return False
    rows = found.spec.data.get(matrix.rows)
    if rows is not None and rows.matrix is not None:
        found.error("wrong-value", f"`{matrix.rows}` is a matrix, and has no rows to be about", place)
        return False
    return rows is not None
