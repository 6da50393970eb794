"""`runexp predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from runexp.cli.completion import complete_run
from runexp.cli.folds import Fold, as_fold
from runexp.cli.options import AllowImport, Device, Quiet, Runs
from runexp.cli.screen import say, show_diagnostics
from runexp.diagnostics import SpecError

_MODEL = "A run (an id, a name, a folder, `last`), the folder of a bundle, or `models:/NAME@ALIAS`."
Model = Annotated[str, typer.Argument(metavar="RUN", help=_MODEL, autocompletion=complete_run)]
Data = Annotated[
    Path, typer.Argument(metavar="DATA", help="A table: .csv, .tsv or .parquet; of a model that reads text: .txt.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Where to; .csv or .parquet. Left out: CSV on standard output.")
]
Checkpoint = Annotated[str, typer.Option(help="A name below checkpoints/, or <phase>/best, <phase>/last.")]
Nodes = Annotated[list[str] | None, typer.Option("--node", help="A node to ask; repeatable.")]
Keep = Annotated[list[str] | None, typer.Option("--keep", help="A column of DATA to write as well; repeatable.")]
Uri = Annotated[str, typer.Option(help="The MLflow server or database whose registry is meant.")]


def predict(
    model: Model,
    data: Data,
    *,
    output: Output = None,
    fold: Fold = "",
    checkpoint: Checkpoint = "final",
    nodes: Nodes = None,
    keep: Keep = None,
    runs: Runs = Path("runs"),
    uri: Uri = "",
    device: Device = None,
    allow_import: AllowImport = None,
    quiet: Quiet = False,
) -> None:
    """Say what a trained model makes of the rows of a table, block by block, in their order.

    Columns: `<node>.class` and `<node>.probability.<class>`, or `<node>` in the target's own units. Of a
    cross-validation the refit is asked where there is one, else the models of all folds together: their mean, and in
    `<node>.spread` how far they are apart. Exit code 2 where the model or the table cannot be read, or does not fit.
    """
    from runexp.api.models import load_model
    from runexp.api.predicting import CannotPredict, CannotRead, Wanted, predict_file
    from runexp.runtime.model import CannotLoad
    from runexp.store.find import AmbiguousRun, UnknownRun

    try:
        loaded = load_model(
            model, fold=as_fold(fold), checkpoint=checkpoint, nodes=nodes or None, runs=runs, uri=uri,
            device=device or "cpu", allow_imports=allow_import or (),
        )  # fmt: skip
        written = predict_file(loaded, Wanted(data, tuple(keep or ())), output or sys.stdout.buffer)
    except SpecError as error:
        show_diagnostics(error.diagnostics, {})
        raise typer.Exit(2) from None
    except (CannotLoad, CannotPredict, CannotRead, UnknownRun, AmbiguousRun) as error:
        say(f"error: {error}")
        raise typer.Exit(2) from None
    if not quiet:
        said = f", perplexity {written.perplexity:.4g}" if written.perplexity is not None else ""
        say(f"{written.n_rows:,} rows by {loaded!r}{said}")
