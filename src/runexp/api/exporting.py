"""A trained model as files that other programs use: a bundle, weights, a torch program, ONNX, estimators."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from runexp.api.bundles import checkpoint_folder
from runexp.api.fold_models import FINAL, FoldChoice, choose
from runexp.api.models import load_model, read_plan, write_bundle
from runexp.runtime.model import CannotLoad, Ensemble, Model
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
    fold: FoldChoice = None,
    checkpoint: str = FINAL,
    nodes: Sequence[str] | None = None,
    inputs: Side = "raw",
    runs: Path | str = "runs",
    allow_imports: Sequence[str] = (),
) -> Exported:
    """Write a run's model to `target`, a file or for bundles and estimators a folder, which must not be there yet.

    Left out, `target` is the experiment's name in the current folder. Networks (`torch`, `onnx`) take columns as they
    are read where the transforms of the data scale and shift, which becomes part of them; `inputs="transformed"` leaves
    the transforms out. `fold` chooses as in `load_model`; several folds stay apart in every form, and a network is one
    of them. What is written is whole or not there. Raises `CannotLoad` where the model cannot be written in
    this form, and `FileExistsError`.
    """
    if form not in get_args(ExportForm):
        raise CannotLoad(f"there is no form `{form}`; forms: {', '.join(get_args(ExportForm))}")
    run = find_run(Path(runs), str(reference))
    model = load_model(run, fold=fold, checkpoint=checkpoint, nodes=nodes, runs=runs, allow_imports=allow_imports)
    chosen = _Chosen(run, fold, checkpoint, inputs)
    path = Path(target) if target is not None else Path(model.name + (_ENDINGS[form] or f"-{form}"))
    if path.exists():
        raise FileExistsError(f"{path} is there already: name another with --output")
    make_folders(path.parent)
    temporary = aside(path)
    try:
        difference = _writer(form, model, chosen)(temporary)
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.unlink(missing_ok=True)
    return Exported(path, form, model.outputs, model.signature(), difference)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What of a run is written, and how."""

    run: Path
    fold: FoldChoice
    checkpoint: str
    inputs: Side


def _writer(form: ExportForm, model: Model | Ensemble, chosen: _Chosen) -> Callable[[Path], float | None]:
    notes = {"runexp": json.dumps({"name": model.name, "run": chosen.run.resolve().name, **model.signature()})}
    writers: dict[ExportForm, Callable[[Path], float | None]] = {
        "bundle": lambda path: _bundle(path, model, chosen),
        "skops": lambda path: _estimators(path, chosen),
        "safetensors": lambda path: to_weights(_by_fold(model), path),
        "torch": lambda path: to_program(_alone(model), path, chosen.inputs),
        "onnx": lambda path: to_onnx(_alone(model), path, chosen.inputs, notes),
    }
    return writers[form]


def _bundle(path: Path, model: Model | Ensemble, chosen: _Chosen) -> None:
    path.mkdir()
    write_bundle(chosen.run, path, nodes=model.outputs, checkpoint=chosen.checkpoint, fold=chosen.fold)


def _estimators(path: Path, chosen: _Chosen) -> None:
    """A file each; of several folds in a folder each."""
    meant = choose(chosen.run, read_plan(chosen.run), chosen.fold)
    kept = {
        (place.label if meant.is_together else "", estimator.name): estimator
        for place in meant.places
        for estimator in checkpoint_folder(chosen.run, place.checkpoint(chosen.checkpoint)).glob("estimators/*.skops")
    }
    if not kept:
        raise CannotLoad("there are no estimators in the checkpoint: `--format safetensors` exports the weights")
    for (label, name), estimator in kept.items():
        (path / label).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(estimator, path / label / name)


def _by_fold(model: Model | Ensemble) -> Mapping[str, Model]:
    """The models by what the names of their weights begin with."""
    return {f"{label}.": one for label, one in model.members.items()} if isinstance(model, Ensemble) else {"": model}


def _alone(model: Model | Ensemble) -> Model:
    if isinstance(model, Ensemble):
        raise CannotLoad(
            f"a network is one model, and these are {model.kind}: `--fold 0` exports one, `--format bundle` all of them"
        )
    return model
