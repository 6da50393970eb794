"""`runexp plan`."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import Annotated

import typer

from runexp.cli.checked import require_checked
from runexp.cli.options import Device, NoColor, Overrides, Seed, SpecPath, as_overrides
from runexp.cli.screen import wants_color, width


class PlanForm(StrEnum):
    """How the plan is written."""

    TREE = "tree"
    JSON = "json"
    MERMAID = "mermaid"


def plan(
    spec: SpecPath,
    *,
    overrides: Overrides = None,
    form: Annotated[PlanForm, typer.Option("--format", help="tree, json, or mermaid (the graph).")] = PlanForm.TREE,
    device: Device = None,
    seed: Seed = None,
    no_color: NoColor = False,
) -> None:
    """Show the linked plan: every name resolved, every default filled in. Runs nothing."""
    checked = require_checked(spec, as_overrides(overrides, device=device, seed=seed), no_color=no_color)
    linked = checked.require().plan
    if linked is None:
        raise typer.Exit(2)
    if form is PlanForm.JSON:
        from runexp.plan.experiment import digest, dump

        print(json.dumps({"digest": digest(linked)} | dump(linked), indent=1, ensure_ascii=False))
        return
    from runexp.report.mermaid import render_graph_mermaid
    from runexp.report.plan import render_plan

    if form is PlanForm.MERMAID:
        sys.stdout.write(render_graph_mermaid(linked))
    else:
        color = wants_color(sys.stdout, no_color=no_color)
        sys.stdout.write(render_plan(linked, console_width=width(), color=color))
