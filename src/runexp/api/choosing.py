"""What a fold of a nested cross-validation takes along, so that its values can be chosen wherever it runs."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from pkgutil import resolve_name

from runexp.api.checking import Checked, check
from runexp.api.recording import WRITTEN
from runexp.engine.control import Control
from runexp.events import Event
from runexp.plan.experiment import Plan
from runexp.runtime.folds.fold import Fold
from runexp.store.names import inside

INNER = "inner"
"""Below the folder of a run: a sweep for each of its folds."""

_CHOOSE = "runexp.api.nested:choose"
"""By its address, as a worker's entry is: a run has a sweep inside, whose trials are runs."""


@dataclass(frozen=True, slots=True)
class InnerSweep:
    """The sweep inside of a fold: `base` is the spec as its run keeps it, `path` the folder of the run."""

    base: Checked
    path: Path
    save_every_s: float

    def folder(self, fold: Fold) -> Path:
        """Where the trials of a fold go."""
        return inside(self.path, f"{INNER}/{fold.label}")

    def made(self, fold: Fold, plan: Plan, control: Control) -> Generator[Event, None, Plan | None]:
        """What is told while it chooses, and then the plan of the fold; None where it was asked to stop."""
        plan_of_fold: Plan | None = yield from resolve_name(_CHOOSE)(self, fold, plan, control)
        return plan_of_fold


def inner_sweep(checked: Checked, path: Path, *, save_every_s: float) -> InnerSweep | None:
    """The sweep inside of the folds of a run; None where they have none.

    Its trials are made of the spec that the run keeps, whose files nobody changes meanwhile. The code that this may run
    has been agreed to for the run.
    """
    cv = checked.linked.cv
    if cv is None or not cv.is_nested:
        return None
    kept = check(path / WRITTEN, folder=checked.folder).require()
    agreed = replace(kept, allowed=(*checked.allowed, *checked.parsed_spec.imports))
    return InnerSweep(agreed, path, save_every_s)
