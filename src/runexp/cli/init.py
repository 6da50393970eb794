"""`runexp init`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from runexp.cli.completion import complete_template
from runexp.cli.options import NoColor
from runexp.cli.screen import say, show_diagnostics

Template = Annotated[str, typer.Argument(metavar="[TEMPLATE]", help="See --list.", autocompletion=complete_template)]
Output = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; `-`: standard output.")]
Name = Annotated[str, typer.Option("--name", metavar="NAME", help="The experiment's name, and the file's.")]
List = Annotated[bool, typer.Option("--list", help="The templates there are.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that exists.")]
FromData = Annotated[str, typer.Option("--from-data", metavar="TABLE", help="Draft it for a .csv, .tsv or .parquet.")]
Target = Annotated[str, typer.Option("--target", metavar="COLUMN", help="With --from-data: what is predicted.")]
Id = Annotated[str, typer.Option("--id", metavar="COLUMN", help="With --from-data: what tells rows apart.")]
Group = Annotated[str, typer.Option("--group", metavar="COLUMN", help="With --from-data: rows that stay together.")]


def init(
    template: Template = "",
    *,
    output: Output = "",
    name: Name = "",
    list_: List = False,
    force: Force = False,
    from_data: FromData = "",
    target: Target = "",
    id_: Id = "",
    group: Group = "",
    no_color: NoColor = False,
) -> None:
    """Write a spec to start from: a template, or one drafted for a table of yours.

    `runexp init --from-data table.csv --target price` looks at the columns and explains in comments what it
    made of them. A file that exists is left alone, with exit code 2.
    """
    if list_ or not (template or from_data):
        _show_templates(asked=list_)
        return
    _refuse_mixtures(template, from_data, target=target, others=id_ or group)
    _refuse_name(name)
    stem = name or template or Path(from_data).name.partition(".")[0]
    path = None if output == "-" else Path(output or f"{stem}.yaml")
    if path is not None and path.exists() and not force:
        raise _refused(f"{path} exists; --force replaces it, --output FILE writes elsewhere")
    folder = path.parent if path is not None else Path()
    if from_data:
        text = _drafted(Path(from_data), target, id_, group, folder=folder, name=name, no_color=no_color)
    else:
        text = _from_template(template, name, folder)
    _write(path, text)


def _show_templates(*, asked: bool) -> None:
    from runexp.api.templates import templates

    for name, summary in templates().items():
        print(f"{name}\n  {summary}")
    if not asked:
        say("\nname one: runexp init TEMPLATE; or draft one: runexp init --from-data table.csv --target COLUMN")
        raise typer.Exit(2)


def _refuse_mixtures(template: str, from_data: str, *, target: str, others: str) -> None:
    if template and from_data:
        raise _refused("a template and --from-data are two ways to start; leave one out")
    if from_data and not target:
        raise _refused("--from-data needs --target COLUMN: what is predicted")
    if not from_data and (target or others):
        raise _refused("--target, --id and --group belong to --from-data TABLE")


def _refuse_name(name: str) -> None:
    import re

    if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise _refused(f"`{name}` cannot be a name: use letters, digits, `.`, `_`, `-`, at most 100")


def _from_template(template: str, name: str, folder: Path) -> str:
    from runexp.api.templates import template_text, templates, with_modeline
    from runexp.diagnostics import did_you_mean

    if template not in templates():
        raise _refused(f"there is no template `{template}`; {did_you_mean(template, templates(), kind='templates')}")
    return with_modeline(template_text(template, name=name), folder)


def _drafted(table: Path, target: str, id_: str, group: str, *, folder: Path, name: str, no_color: bool) -> str:
    from runexp.api.drafting import draft_spec
    from runexp.api.table_roles import Named
    from runexp.diagnostics import SpecError

    try:
        return draft_spec(table, Named(target, id_, group), folder=folder, name=name)
    except SpecError as error:
        show_diagnostics(error.diagnostics, {}, no_color=no_color)
        raise typer.Exit(2) from None


def _write(path: Path | None, text: str) -> None:
    from runexp.api.editing import save_text

    if path is None:
        sys.stdout.write(text)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_text(path, text)
    except OSError as error:
        raise _refused(f"{path} cannot be written: {error.strerror or error}") from None
    import shlex

    print(path)
    verb = "sweep" if "\nsweep:\n" in text else "run"
    say(f"next: runexp {verb} {shlex.quote(str(path))}")


def _refused(message: str) -> typer.Exit:
    say(f"error: {message}")
    return typer.Exit(2)
