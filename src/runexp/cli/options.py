"""Options that several verbs share, with one wording."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from runexp.cli.completion import complete_spec

SpecPath = Annotated[
    str,
    typer.Argument(metavar="SPEC", help="The YAML file; `-` reads standard input.", autocompletion=complete_spec),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a value (YAML) by its address; repeatable."),
]
Runs = Annotated[Path, typer.Option("--runs", envvar="RUNEXP_RUNS", metavar="DIR", help="Where run folders are made.")]
RunDir = Annotated[Path | None, typer.Option("--run-dir", metavar="DIR", help="Exactly this folder, new or empty.")]
SaveEvery = Annotated[
    float,
    typer.Option("--save-every", min=0, metavar="SECONDS", help="How often the run saves what it would go on from."),
]
Grace = Annotated[
    float | None,
    typer.Option(
        "--grace",
        min=0,
        envvar="RUNEXP_GRACE",
        metavar="SECONDS",
        help="Leave so long after SIGTERM or SIGUSR1 at most; left out: after the batch, evaluation or fit that runs.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress; results and errors only.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show tracebacks and details.")]
NoColor = Annotated[bool, typer.Option("--no-color", help="Plain text (also: NO_COLOR=1).")]
Device = Annotated[
    str | None, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:1 or mps; beats the spec.")
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Beats the spec's seed.")]
AllowImport = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-import",
        metavar="PREFIX",
        help="Agree to code that a spec from outside of the current project names under `imports`; repeatable.",
    ),
]


class Format(StrEnum):
    """How a result is written."""

    TEXT = "text"
    JSON = "json"


def as_overrides(written: list[str] | None, *, device: str | None = None, seed: int | None = None) -> list[str]:
    """Every override of a command line as `path=value`; named options come last and win."""
    extra = [f"execution.device={device}"] if device else []
    extra += [f"seed={seed}"] if seed is not None else []
    return [*(written or []), *extra]
