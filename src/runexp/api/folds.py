"""What cross-validation leaves in a run folder: checkpoints and transformers of each fold, numbers of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from runexp.api.checking import Checked
from runexp.api.confusions import write_confusions
from runexp.api.fold_progress import FoldRecord
from runexp.api.recording import INPUTS, Checkpoints, inputs_json
from runexp.api.trust import roots_of
from runexp.plan.experiment import Plan
from runexp.results import RunResults, loss_nodes_of
from runexp.runtime.data import transformer_files
from runexp.runtime.folds.divide import Division
from runexp.runtime.folds.fold import Fold
from runexp.runtime.folds.predictions import merged, out_of_fold
from runexp.runtime.recorded.files import as_bytes
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.source import Document
from runexp.store.atomic import make_folders, write_atomically
from runexp.store.checkpoints import CheckpointFolder
from runexp.store.names import inside
from runexp.store.run_folder import RunFolder
from runexp.strategies.fold_run import FoldJob


@dataclass(frozen=True, slots=True)
class FoldFiles:
    """The files of each fold below a run folder, under the fold's label."""

    path: Path
    plan: Plan
    held_out: str
    save_every_s: float
    document: Document | None = None

    @property
    def cluster(self) -> Path:
        """By which the run and its workers elsewhere speak."""
        return self.path.absolute() / "progress" / "cluster"

    def record(self, fold: Fold) -> FoldRecord:
        """What a fold has told and where it stands, until the run is complete."""
        return FoldRecord(
            inside(self.path, f"progress/{fold.label}"), save_every_s=self.save_every_s, document=self.document
        )

    def checkpoints(self, fold: Fold, runtime: TorchRuntime) -> Checkpoints:
        """The checkpoints of one fold: `checkpoints/fold-0/train/epoch-0003`."""
        return self._checkpoints(runtime, f"{fold.label}/")

    def place(self, fold: Fold, runtime: TorchRuntime) -> None:
        """What phases record lies under the label of the fold: `predictions/fold-0/test.parquet`; files of callbacks
        too, in `callbacks/fold-0/`."""
        runtime.folders.keep_in(lambda names: inside(self.path, f"callbacks/{fold.label}/{names}"))
        runtime.records.keep_in(self.path, group=fold.label, fold=None if fold.is_refit else fold.index)

    def keep(self, fold: Fold, runtime: TorchRuntime, status: str) -> Sequence[str]:
        """The weights it ended with, the transformers fitted on its rows (`artifacts/fold-0/transforms/…`), the facts
        of its data that a model of it needs, what it says of the rows held out, and, for pictures, whom it takes for
        whom."""
        own = "" if fold.is_refit else f"{fold.label}/"  # what a run of one training leaves is that of the refit
        self._checkpoints(runtime, own).save_final(status)
        for path, content in transformer_files(
            features for name, features in runtime.sets.items() if name in fold.rows
        ):
            self._write(path.replace("artifacts/", f"artifacts/{own}", 1), content)
        self._write(INPUTS.replace("artifacts/", f"artifacts/{own}", 1), inputs_json(runtime.sets.values()).encode())
        if status == "completed" and not fold.is_refit:
            said = out_of_fold(self.plan, runtime, fold, held_out=self.held_out)
            if said is not None:
                self._write(_predictions(fold), as_bytes(said))
        tracking = self.plan.tracking
        if status != "completed" or tracking is None or not tracking.tensorboard:
            return ()
        return write_confusions(self.plan, runtime, lambda path, text: self._write(f"artifacts/{own}{path}", text))

    def _checkpoints(self, runtime: TorchRuntime, prefix: str) -> Checkpoints:
        return Checkpoints(CheckpointFolder(self.path / "checkpoints"), runtime, prefix=prefix)

    def conclude(self, folds: Iterable[Fold]) -> None:
        """Put the predictions of all folds into one file, `predictions/out_of_fold.parquet`."""
        files = [path for fold in folds if (path := inside(self.path, _predictions(fold))).exists()]
        if files:
            self._write("predictions/out_of_fold.parquet", merged(files))

    def _write(self, relative: str, content: bytes) -> None:
        path = inside(self.path, relative)
        make_folders(path.parent)
        write_atomically(path, content)


def files_of(plan: Plan, folder: RunFolder, *, save_every_s: float, document: Document | None) -> FoldFiles:
    """Where the folds of a plan leave their files, and how often the state they go on from; no secret of the document
    is among what they tell."""
    secretive = document if document is not None and document.secrets() else None
    held_out = plan.cv.held_out if plan.cv is not None else ""
    return FoldFiles(folder.path, plan.in_fold(), held_out, save_every_s, secretive)


def jobs_of(checked: Checked, division: Division, files: FoldFiles, whole: Plan) -> list[FoldJob]:
    """A job for every fold of a spec, and one for the refit; the plan `whole` has found what it begins with."""
    plan = whole.in_fold()
    names = tuple(prefix.removesuffix(".*") for prefix in checked.parsed_spec.imports)
    folders = roots_of(checked) if names else ()
    n_folds = len(division.folds)
    jobs = [FoldJob(plan, checked.folder, fold, n_folds, files, folders, names) for fold in division.folds]
    if division.refit is not None:
        jobs.append(replace(jobs[0], plan=whole.in_refit(), fold=division.refit))
    return jobs


def _predictions(fold: Fold) -> str:
    return f"progress/{fold.label}/predictions.parquet"


def folded_loss_nodes(plan: Plan, labels: Iterable[str]) -> dict[str, dict[str, str]]:
    """By the label of a phase in its fold: the node that each of its losses is applied to."""
    inner = loss_nodes_of(plan.in_fold())
    return {f"{fold}/{label}": nodes for fold in labels for label, nodes in inner.items()}


def summary_of(results: RunResults) -> dict[str, Any]:
    """The means over the folds as `metrics`, as one run has them, and the numbers of the refit under its label; the
    folds and their spread as `cv`."""
    if results.cv is None:
        return {"metrics": results.summary()}
    refit = {label: numbers for label, numbers in results.summary().items() if label.startswith("refit/")}
    table = results.cv.table()
    folds = [
        asdict(facts)
        | {"metrics": {address: values[facts.index] for address, values in table.items() if facts.index in values}}
        for facts in results.cv.facts
    ]
    spreads = {address: asdict(spread) for address, spread in results.cv.spreads().items()}
    told = {"refit": asdict(results.cv.refit)} if results.cv.refit is not None else {}
    return {"metrics": results.cv.summary() | refit, "cv": {"folds": folds, "spread": spreads} | told}
