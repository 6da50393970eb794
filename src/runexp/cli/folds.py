"""The option `--fold` of the verbs that use a model."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

_HELP = (
    "Of a cross-validation: the model of one fold by its number, `all` of them together, or `refit`. Left out: the"
    " refit where there is one, else all."
)
Fold = Annotated[str, typer.Option("--fold", metavar="N|all|refit", help=_HELP)]


def as_fold(written: str) -> int | Literal["all", "refit"] | None:
    """What was written as `load_model` takes it; exit code 2 for anything else."""
    if not written:
        return None
    named: dict[str, Literal["all", "refit"]] = {"all": "all", "refit": "refit"}
    if written in named:
        return named[written]
    if written.isdecimal() and len(written) < 10:
        return int(written)
    raise typer.BadParameter(f"`{written}` is no fold: a number from 0, `all` or `refit`", param_hint="--fold")
