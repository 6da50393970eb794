"""The order of axes that nodes take: rows lie along the first."""

from __future__ import annotations

from collections.abc import Mapping

from runexp.compiler.findings import Findings, Path


def check_rows_first(found: Findings, arguments: Mapping[str, object], path: Path) -> None:
    """Report `batch_first: false`, with which torch would take rows for steps without a word."""
    if arguments.get("batch_first") is False:
        message = "rows lie along the first axis, and `batch_first: false` takes the first for steps"
        found.error("wrong-value", message, (*path, "batch_first"), help="leave it out: it is true wherever it counts")
