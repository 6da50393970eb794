"""A trained model as files that other programs use: a bundle, weights, a torch program, ONNX, estimators."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from runexp.api.models import FINAL, checkpoint_folder, load_model, write_bundle
from runexp.runtime.model import CannotLoad, Model
from runexp.runtime.model.exporting import to_onnx, to_program, to_weights
from runexp.runtime.model.network import Side
from runexp.store.atomic import aside, make_folders, sync_folder
from runexp.store.find import find_run

ExportForm = Literal["bundle", "safetensors", "torch", "onnx", "skops"]
_ENDINGS: dict[ExportForm, str] = {
    "bundle": "",
    "safetensors": ".safetensors",
    "torch": ".pt2",
    "onnx": ".onnx",
    "skops": "",
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. `difference` is the largest one between the written network and the model on a few rows, as a
    share of one plus the number; None where nothing was computed. `signature` is that of the model."""

    path: Path
    form: ExportForm
    nodes: tuple[str, ...]
    signature: dict[str, Any]
    difference: float | None = None


def export_model(
    reference: Path | str,
    form: ExportForm = "bundle",
    target: Path | str | None = None,
    *,
    checkpoint: str = FINAL,
    nodes: Sequence[str] | None = None,
    inputs: Side = "raw",
    runs: Path | str = "runs",
    allow_imports: Sequence[str] = (),
) -> Exported:
    """Write a run's model to `target`, a file or for bundles and estimators a folder, which must not be there yet.

    Left out, `target` is the experiment's name in the current folder. Networks (`torch`, `onnx`) take columns as they
    are read where the transforms of the data scale and shift, which becomes part of them; `inputs="transformed"` leaves
    the transforms out. What is written is whole or not there. Raises `CannotLoad` where the model cannot be written in
    this form, and `FileExistsError`.
    """
    if form not in get_args(ExportForm):
        raise CannotLoad(f"there is no form `{form}`; forms: {', '.join(get_args(ExportForm))}")
    run = find_run(Path(runs), str(reference))
    model = load_model(run, checkpoint=checkpoint, nodes=nodes, runs=runs, allow_imports=allow_imports)
    path = Path(target) if target is not None else Path(model.name + (_ENDINGS[form] or f"-{form}"))
    if path.exists():
        raise FileExistsError(f"{path} is there already: name another with --output")
    make_folders(path.parent)
    temporary = aside(path)
    try:
        difference = _writer(form, run, model, checkpoint, inputs)(temporary)
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.unlink(missing_ok=True)
    return Exported(path, form, model.outputs, model.signature(), difference)


def _writer(form: ExportForm, run: Path, model: Model, checkpoint: str, inputs: Side) -> Callable[[Path], float | None]:
    notes = {"runexp": json.dumps({"name": model.name, "run": run.resolve().name, **model.signature()})}
    writers: dict[ExportForm, Callable[[Path], float | None]] = {
        "bundle": lambda path: _bundle(run, path, model, checkpoint),
        "skops": lambda path: _estimators(checkpoint_folder(run, checkpoint), path),
        "safetensors": lambda path: to_weights(model, path),
        "torch": lambda path: to_program(model, path, inputs),
        "onnx": lambda path: to_onnx(model, path, inputs, notes),
    }
    return writers[form]


def _bundle(run: Path, path: Path, model: Model, checkpoint: str) -> None:
    path.mkdir()
    write_bundle(run, path, nodes=model.outputs, checkpoint=checkpoint)


def _estimators(checkpoint: Path, path: Path) -> None:
    kept = sorted(checkpoint.glob("estimators/*.skops"))
    if not kept:
        raise CannotLoad("there are no estimators in the checkpoint: `--format safetensors` exports the weights")
    path.mkdir()
    for estimator in kept:
        shutil.copyfile(estimator, path / estimator.name)
