"""`runexp report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runexp.cli.options import Runs
from runexp.cli.references import RunReferences, require_runs
from runexp.cli.screen import say

To = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="Where to; left out: report.html in the run's folder."),
]
Interactive = Annotated[bool, typer.Option("--interactive", help="Charts to point at, for 0.9 MB more.")]


def report(
    references: RunReferences, *, to: To = None, interactive: Interactive = False, runs: Runs = Path("runs")
) -> None:
    """Make one HTML file of a run, or of several side by side, that opens anywhere. Runs nothing; prints its path.

    Of several runs it is written to comparison.html here, unless -o says where.
    """
    folders = require_runs(runs, references)
    try:
        from runexp.api.reporting import REPORT, write_report
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("jinja2", "markupsafe", "vl_convert"):
            raise
        say(f"error: a report needs {error.name}, which is not installed: pip install 'runexp[report]'")
        raise typer.Exit(2) from None
    from runexp.api.opening import StoredRun

    target = to or (folders[0] / REPORT if len(folders) == 1 else Path("comparison.html"))
    try:
        write_report([StoredRun(folder) for folder in folders], target, interactive=interactive)
    except OSError as error:
        say(f"error: {target} cannot be written: {error.strerror or error}")
        raise typer.Exit(1) from None
    print(target)
