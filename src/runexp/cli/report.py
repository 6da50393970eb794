"""`runexp report`."""

from __future__ import annotations

from collections.abc import Sequence
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
    """Make one HTML file of a run, a sweep, or several runs side by side, that opens anywhere. Runs nothing.

    Prints its path.

    Of several runs it is written to comparison.html here, unless -o says where.
    """
    folders = require_runs(runs, references)
    is_of_sweep = _is_of_sweep(folders)
    try:
        from runexp.api.reporting import REPORT, write_report, write_sweep_report
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("jinja2", "markupsafe", "vl_convert"):
            raise
        say(f"error: a report needs {error.name}, which is not installed: pip install 'runexp[report]'")
        raise typer.Exit(2) from None
    from runexp.api.opening import StoredRun
    from runexp.api.stored_sweep import NoTrials

    target = to or (folders[0] / REPORT if len(folders) == 1 else Path("comparison.html"))
    try:
        if is_of_sweep:
            write_sweep_report(folders[0], target, interactive=interactive)
        else:
            write_report([StoredRun(folder) for folder in folders], target, interactive=interactive)
    except NoTrials as error:
        say(f"error: {error}")
        raise typer.Exit(2) from None
    except OSError as error:
        say(f"error: {target} cannot be written: {error.strerror or error}")
        raise typer.Exit(1) from None
    print(target)


def _is_of_sweep(folders: Sequence[Path]) -> bool:
    """Whether a sweep, or repeats, are meant; leaves with 2 where one is among several."""
    from runexp.api.stored_sweep import is_sweep

    sweeps = [folder for folder in folders if is_sweep(folder)]
    if sweeps and len(folders) > 1:
        say(f"error: {sweeps[0]} is a sweep, which has a page of its own: runexp report {sweeps[0]}")
        raise typer.Exit(2)
    return bool(sweeps)
