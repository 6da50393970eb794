"""Which of the models that a run has is meant: its only one, that of a fold, those of all folds, or the refit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runexp.api.recording import INPUTS
from runexp.plan.experiment import Plan
from runexp.runtime.model import CannotLoad
from runexp.store.checkpoints import CheckpointFolder

FINAL = "final"
FoldChoice = int | Literal["all", "refit"] | None
"""A fold by its number, all of them together, or the refit; None: the refit where there is one, else all."""

_REFIT = "refit"
_TRANSFORMS = "artifacts/transforms"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the model of a run, of one of its folds or of the refit lies below the run's folder.

    `label` is that of the fold; empty: of a run without folds. `kind` says which model it is.
    """

    label: str
    kind: str = ""

    @property
    def inputs(self) -> str:
        """The facts of the data it was trained on."""
        return INPUTS if not self._own else INPUTS.replace("artifacts/", f"artifacts/{self._own}", 1)

    @property
    def transforms(self) -> tuple[str, ...]:
        """The folders of fitted transforms, those of the fold first."""
        own = _TRANSFORMS.replace("artifacts/", f"artifacts/{self._own}", 1)
        return tuple(dict.fromkeys((own, _TRANSFORMS)))

    def checkpoint(self, name: str) -> str:
        """The name of a checkpoint below checkpoints/; what the refit ends with stands where a plain run leaves it."""
        if name == FINAL:
            return f"{self._own}{FINAL}"
        return f"{self.label}/{name}" if self.label else name

    @property
    def _own(self) -> str:
        return f"{self.label}/" if self.label not in ("", _REFIT) else ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The models that are meant; `is_together`: to be asked as one. `kind` says in words which they are."""

    places: tuple[Place, ...]
    kind: str = ""
    is_together: bool = False


def choose(folder: Path, plan: Plan, fold: FoldChoice) -> Chosen:
    """The models of a run that are meant; `CannotLoad` where there are none."""
    if plan.cv is None:
        if fold is not None:
            raise CannotLoad(f"{folder} is no cross-validation: it has one model and no folds")
        return Chosen((Place(""),))
    if isinstance(fold, int):
        return _alone(_one(folder, fold))
    if fold == _REFIT or (fold is None and plan.cv.refit):
        return _alone(_refit(folder, plan))
    return _all(folder)


def choose_bundled(folder: Path, told: Mapping[str, Any], fold: FoldChoice) -> Chosen:
    """The same of a bundle, which tells what it holds."""
    labels: list[str] = told.get("folds", [])
    if isinstance(fold, int) and f"fold-{fold}" in labels:
        return _alone(_fold(f"fold-{fold}"))
    if fold is not None and (not labels or fold != "all"):
        holds = ", ".join(labels) or "one model"
        raise CannotLoad(f"the bundle {folder} has no model of fold `{fold}`; it holds {holds}")
    if not labels:
        return _alone(Place("", told.get("kind", "")))
    return Chosen(tuple(map(_fold, labels)), told["kind"], is_together=True)


def _alone(place: Place) -> Chosen:
    return Chosen((place,), place.kind)


def _fold(label: str) -> Place:
    return Place(label, label.replace("-", " "))


def _one(folder: Path, fold: int) -> Place:
    known = _labels(folder)
    if f"fold-{fold}" not in known:
        there = ", ".join(label.removeprefix("fold-") for label in known) or "none"
        raise CannotLoad(f"{folder} has no model of fold {fold}; folds that have one: {there}")
    return _fold(f"fold-{fold}")


def _refit(folder: Path, plan: Plan) -> Place:
    if plan.cv is None or not plan.cv.refit:
        raise CannotLoad(f"{folder} has no refit: its spec does not say `refit: true` under `cv`")
    if not CheckpointFolder(folder / "checkpoints").verify(FINAL):
        raise CannotLoad(f"the refit of {folder} has not come to its end; `--fold all` asks the folds together")
    return Place(_REFIT, "the refit on all rows that are pooled")


def _all(folder: Path) -> Chosen:
    """Every fold that was completed; of a run that is not over none are asked together."""
    told = _told(folder)
    if not told:
        raise CannotLoad(
            f"the cross-validation in {folder} has not come to its end: go on with `runexp resume`, or ask one fold"
        )
    there = _labels(folder)
    kept = [one["label"] for one in told if one["status"] == "completed" and one["label"] in there]
    if not kept:
        raise CannotLoad(f"no fold of {folder} was completed")
    lost = [one["label"] for one in told if one["label"] not in kept]
    kind = f"{len(kept)} folds" if not lost else f"{len(kept)} of {len(told)} folds, without {', '.join(lost)}"
    return Chosen(tuple(map(_fold, kept)), kind, is_together=True)


def _labels(folder: Path) -> list[str]:
    """The folds that ended with a whole checkpoint, in order."""
    found = [path.parent.parent.name for path in (folder / "checkpoints").glob(f"fold-*/{FINAL}/weights.safetensors")]
    return sorted(found, key=lambda label: int(label.removeprefix("fold-")))


def _told(folder: Path) -> Sequence[Mapping[str, Any]]:
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        folds: list[dict[str, Any]] = summary["cv"]["folds"]
    except (OSError, ValueError, LookupError, TypeError):
        return ()
    return folds
