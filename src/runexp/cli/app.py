"""The commands, and what becomes of an exception."""

from __future__ import annotations

import os
import sys
import traceback

import typer

from runexp.cli import (
    catalog,
    compare,
    doctor,
    explain,
    fmt,
    init,
    list_runs,
    plan,
    preview,
    run,
    schema,
    show,
    validate,
)
from runexp.version import __version__

_HELP = """An ML experiment as a YAML spec: checked like a program, run like a loop.

Start with `runexp validate SPEC`, look with `runexp preview SPEC --phase train`, then `runexp run SPEC`.
Results go to standard output, talk to standard error.

Exit codes: 0 done · 1 it ran and failed · 2 the spec or the command line is wrong, nothing was started ·
3 a fault of runexp · 130, 143 interrupted."""

app = typer.Typer(
    name="runexp",
    help=_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("validate")(validate.validate)
app.command("preview")(preview.preview)
app.command("plan")(plan.plan)
app.command("list")(list_runs.list_runs)
app.command("show")(show.show)
app.command("compare")(compare.compare)
app.command("tag")(annotate.tag)
app.command("note")(annotate.note)
app.command("rm")(rm.remove)
app.command("init")(init.init)
app.command("fmt")(fmt.fmt)
app.command("catalog")(catalog.catalog)
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)
app.command("explain")(explain.explain)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"runexp {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="The version."),
) -> None:
    pass


def main() -> None:
    """Run the command line. A fault of ours exits 3 with where its details lie, without a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if "--verbose" in sys.argv:
            traceback.print_exc()
        print(f"this is a bug in runexp: {type(error).__name__}: {error}", file=sys.stderr)
        print(f"details: {_write_details()}", file=sys.stderr)
        sys.exit(3)


def _write_details() -> str:
    import tempfile
    from pathlib import Path

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "runexp" / "faults"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="fault-", suffix=".txt", dir=cache)
        with os.fdopen(handle, "w", encoding="utf-8") as details:
            details.write(f"runexp {__version__}\n{sys.version}\n{sys.argv}\n\n{traceback.format_exc()}")
    except OSError as error:
        return f"could not be written ({error})"
    return name
