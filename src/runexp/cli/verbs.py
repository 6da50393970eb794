"""The verbs: name → the function of it, imported when it is asked for; and a command line of some of them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

import typer

from runexp.version import __version__

_HELP = """An ML experiment as a YAML spec: checked like a program, run like a loop.

Start with `runexp validate SPEC`, look with `runexp preview SPEC --phase train`, then `runexp run SPEC`.
Results go to standard output, talk to standard error.

Exit codes: 0 done · 1 it ran and failed · 2 the spec or the command line is wrong, nothing was started ·
3 a fault of runexp · 130, 143 interrupted."""

# In the order of the help.
VERBS = {
    "run": "runexp.cli.run:run",
    "sweep": "runexp.cli.sweep:sweep",
    "resume": "runexp.cli.resume:resume",
    "validate": "runexp.cli.validate:validate",
    "preview": "runexp.cli.preview:preview",
    "plan": "runexp.cli.plan:plan",
    "data": "runexp.cli.data:data",
    "list": "runexp.cli.list_runs:list_runs",
    "show": "runexp.cli.show:show",
    "compare": "runexp.cli.compare:compare",
    "predict": "runexp.cli.predict:predict",
    "tag": "runexp.cli.annotate:tag",
    "note": "runexp.cli.annotate:note",
    "rm": "runexp.cli.rm:remove",
    "reproduce": "runexp.cli.reproduce:reproduce",
    "export": "runexp.cli.export:export",
    "init": "runexp.cli.init:init",
    "fmt": "runexp.cli.fmt:fmt",
    "catalog": "runexp.cli.catalog:catalog",
    "schema": "runexp.cli.schema:schema",
    "doctor": "runexp.cli.doctor:doctor",
    "explain": "runexp.cli.explain:explain",
}


def app_with(verbs: Iterable[str]) -> typer.Typer:
    """A command line that has these verbs."""
    app = typer.Typer(
        name="runexp",
        help=_HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for verb in verbs:
        module, function = VERBS[verb].split(":")
        app.command(verb)(getattr(import_module(module), function))
    app.callback()(_root)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        print(f"runexp {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="The version."),
) -> None:
    pass
