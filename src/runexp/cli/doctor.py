"""`runexp doctor`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from runexp.cli.options import Format, NoColor, Runs
from runexp.cli.screen import wants_color, width

Form = Annotated[Format, typer.Option("--format", help="How it is written.")]


def doctor(*, runs: Runs = Path("runs"), form: Form = Format.TEXT, no_color: NoColor = False) -> None:
    """Look at the environment: libraries, devices, the folder of runs, the catalog. Writes nothing.

    Exit code 1 if something that runs need is missing.
    """
    from runexp.api.doctor import examine

    findings = examine(runs)
    if form is Format.JSON:
        import dataclasses
        import json

        ok = not any(finding.state == "missing" for finding in findings)
        record = {"ok": ok, "findings": [dataclasses.asdict(finding) for finding in findings]}
        print(json.dumps(record, indent=1, ensure_ascii=False))
    else:
        from runexp.report.doctor import render_doctor

        color = wants_color(sys.stdout, no_color=no_color)
        sys.stdout.write(render_doctor(findings, console_width=width(), color=color))
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(1)
