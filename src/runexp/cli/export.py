"""`runexp export`."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runexp.cli.folds import Fold, as_fold
from runexp.cli.options import AllowImport, Format, Quiet, Runs
from runexp.cli.references import RunReference, require_run
from runexp.cli.screen import say, say_on_terminal

if TYPE_CHECKING:  # it imports torch
    from runexp.api.exporting import Exported


class ExportForm(StrEnum):
    """What a model is written as."""

    BUNDLE = "bundle"
    SAFETENSORS = "safetensors"
    TORCH = "torch"
    ONNX = "onnx"
    SKOPS = "skops"


class Inputs(StrEnum):
    """What an exported network takes."""

    RAW = "raw"
    TRANSFORMED = "transformed"


Form = Annotated[ExportForm, typer.Option("--format", help="What the model is written as.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="PATH", help="Where to; left out: its name, in this folder.")
]
Nodes = Annotated[
    list[str] | None, typer.Option("--node", metavar="NODE", help="A node to ask; repeatable. Left out: those judged.")
]
Checkpoint = Annotated[
    str, typer.Option("--checkpoint", metavar="NAME", help="`final`, `train/best`, `train/last`, ….")
]
Takes = Annotated[
    Inputs, typer.Option("--inputs", help="Whether a network takes columns as they are read, or transformed ones.")
]
Talk = Annotated[Format, typer.Option("--print", help="How what was written is told: text or json.")]


def export(
    reference: RunReference,
    *,
    form: Form = ExportForm.BUNDLE,
    output: Output = None,
    nodes: Nodes = None,
    fold: Fold = "",
    checkpoint: Checkpoint = "final",
    inputs: Takes = Inputs.RAW,
    runs: Runs = Path("runs"),
    allow_import: AllowImport = None,
    talk: Talk = Format.TEXT,
    quiet: Quiet = False,
) -> None:
    """Write a run's model for use elsewhere: a folder that `predict` reads, weights, a torch program, ONNX, estimators.

    ONNX and torch programs are run once on a few rows and compared with the model.
    """
    folder = require_run(runs, reference)
    say_on_terminal("importing torch, loading the model …", quiet=quiet)
    from runexp.api.exporting import export_model
    from runexp.runtime.model import CannotLoad

    try:
        exported = export_model(
            folder,
            form.value,
            output,
            fold=as_fold(fold),
            checkpoint=checkpoint,
            nodes=nodes,
            inputs=inputs.value,
            runs=runs,
            allow_imports=allow_import or (),
        )
    except (CannotLoad, FileExistsError) as error:
        say(f"error: {error}")
        raise typer.Exit(2) from None
    except OSError as error:
        say(f"error: nothing was exported: {error}")
        raise typer.Exit(1) from None
    if talk is Format.JSON:
        print(json.dumps(_as_json(exported), indent=1, ensure_ascii=False))
    elif not quiet:
        _tell(exported)


def _tell(exported: Exported) -> None:
    from runexp.report.wording import plain

    lines = [f"{exported.path}  {exported.form}  nodes {', '.join(map(plain, exported.nodes))}"]
    takes = ", ".join(dict.fromkeys(f"{one['data']}.{one['key']}" for one in exported.signature["inputs"]))
    lines.append(f"takes {plain(takes)}")
    if exported.difference is not None:
        close = f"to {exported.difference:.1g}" if exported.difference else "to the last bit"
        lines.append(f"gives what the model gives, {close}")
    say("\n".join(lines), sys.stdout)


def _as_json(exported: Exported) -> dict[str, Any]:
    return {
        "version": 1,
        "path": str(exported.path),
        "format": exported.form,
        "nodes": list(exported.nodes),
        "difference": exported.difference,
        "signature": exported.signature,
    }
