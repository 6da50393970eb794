"""`runexp plan`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from runexp.cli.checked import require_checked
from runexp.cli.options import AllowImport, Device, NoColor, Overrides, Seed, SpecPath, as_overrides
from runexp.cli.screen import say, show_diagnostics, wants_color, width

if TYPE_CHECKING:  # imported by the functions, to start fast
    from runexp.api.checking import Checked
    from runexp.plan.experiment import Plan
    from runexp.plan.picture import Size


class PlanForm(StrEnum):
    """How the plan is written."""

    TREE = "tree"
    JSON = "json"
    MERMAID = "mermaid"


Other = Annotated[str | None, typer.Argument(metavar="[OTHER]", help="A second spec: show what differs.")]
Then = Annotated[
    list[str] | None,
    typer.Option("--then-set", metavar="PATH=VALUE", help="Override in the second spec (or in SPEC again)."),
]
Why = Annotated[
    str | None, typer.Option("--why", metavar="PATH", help="Where this value was written and what it beat.")
]


def plan(
    spec: SpecPath,
    other: Other = None,
    *,
    overrides: Overrides = None,
    then: Then = None,
    why: Why = None,
    form: Annotated[PlanForm, typer.Option("--format", help="tree, json, or mermaid (the graph).")] = PlanForm.TREE,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also build the graph and read rows: shapes and parameter counts in it.")
    ] = False,
    allow_import: AllowImport = None,
    device: Device = None,
    seed: Seed = None,
    no_color: NoColor = False,
) -> None:
    """Show the linked plan: every name resolved, every default filled in. Runs nothing.

    With a second spec, or --then-set, show what differs between the two plans.
    """
    written = as_overrides(overrides, device=device, seed=seed)
    checked = require_checked(spec, written, no_color=no_color)
    if why is not None:
        _explain(checked, why)
    elif other is not None or then:
        compared = require_checked(other or spec, [*written, *(then or [])], no_color=no_color)
        _compare(checked, compared, form)
    else:
        sizes = _sizes(checked, allow_import or (), no_color=no_color) if deep else {}
        _show(checked, form, sizes, color=wants_color(sys.stdout, no_color=no_color))


def _sizes(checked: Checked, allow: Sequence[str], *, no_color: bool) -> Mapping[str, Size]:
    """What building the graph tells of it; leaves with 2 where that finds a mistake."""
    from runexp.api.deep import check_deep
    from runexp.api.trust import allowing

    deepened = check_deep(allowing(checked, allow))
    new = [item for item in deepened.checked.diagnostics if item not in checked.diagnostics]
    show_diagnostics(new, checked.files, no_color=no_color)
    if not deepened.checked.is_valid:
        raise typer.Exit(2)
    return deepened.drawn


def _show(checked: Checked, form: PlanForm, sizes: Mapping[str, Size], *, color: bool) -> None:
    from runexp.api.redaction import redacted, redacted_text

    linked = checked.linked
    if form is PlanForm.JSON:
        from runexp.plan.experiment import digest, dump

        body = redacted(dump(linked) | _drawn(linked, sizes), checked.document)
        print(json.dumps({"digest": digest(linked)} | body, indent=1, ensure_ascii=False))
    elif form is PlanForm.MERMAID:
        from runexp.report.mermaid import render_graph_mermaid

        sys.stdout.write(render_graph_mermaid(linked, sizes))
    else:
        from runexp.report.plan import render_plan

        text = render_plan(linked, console_width=width(), color=color, sizes=sizes)
        sys.stdout.write(redacted_text(text, checked.document))


def _drawn(plan: Plan, sizes: Mapping[str, Size]) -> dict[str, object]:
    """The picture of the graph, where something is known that the plan does not tell."""
    from runexp.plan.picture import as_data, draw

    return {"graph": as_data(draw(plan, sizes))} if sizes else {}


def _compare(checked: Checked, compared: Checked, form: PlanForm) -> None:
    from runexp.api.redaction import redacted, redacted_text
    from runexp.plan.difference import ABSENT, difference
    from runexp.report.difference import render_difference

    changes = difference(checked.linked, compared.linked)
    if form is not PlanForm.JSON:
        text = redacted_text(render_difference(changes), checked.document)
        sys.stdout.write(redacted_text(text, compared.document))
        return
    sides = [
        {"address": change.address}
        | ({} if change.before is ABSENT else {"before": change.before})
        | ({} if change.after is ABSENT else {"after": change.after})
        for change in changes
    ]
    sides = redacted(redacted(sides, checked.document), compared.document)
    print(json.dumps(sides, indent=1, ensure_ascii=False))


def _explain(checked: Checked, address: str) -> None:
    from runexp.api.checking import default_at, path_of
    from runexp.diagnostics import did_you_mean
    from runexp.report.difference import render_history

    document = checked.document
    path = path_of(address)
    if document is not None and document.find(path) is not None:
        sys.stdout.write(render_history(address, document, path))
        return
    found, default = default_at(checked, path)
    if found:
        print(f"{address} = {json.dumps(default, ensure_ascii=False)}\n  left out: this is the default")
        return
    known = tuple(document.addresses()) if document else ()
    say(f"error: the spec has no `{address}`; {did_you_mean(address, known, kind='addresses')}")
    raise typer.Exit(2)
