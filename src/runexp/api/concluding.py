"""The end of a run: what it came to in its summary, and a failure of the disk told with how to go on."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runexp.events import RunFinished
from runexp.plan.experiment import Plan
from runexp.plan.units import units_of
from runexp.results.requirements import Verdict, as_json, judge
from runexp.store.records import LOCK_FILE, write_summary
from runexp.store.run_folder import RunFolder
from runexp.store.status import utc_now

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a summary says beside numbers."""

    units: Mapping[str, Mapping[str, str]]
    requirements: tuple[Verdict, ...]


def conclude(folder: RunFolder, plan: Plan, finished: RunFinished, found: Mapping[str, Any]) -> Conclusion:
    """Write the summary of a run; `found` has its final numbers by phase as `metrics`, of folds their means.

    Thresholds are judged where the run came to its end. `OSError` if it cannot be written.
    """
    is_over = finished.status in ("completed", "stopped")
    verdicts = judge(plan.guards.require, found["metrics"]) if is_over else ()
    units = units_of(plan)
    told = {"units": units, "requirements": as_json(verdicts)}
    present = {name: value for name, value in told.items() if value}
    write_summary(folder.path, {"status": finished.status, **found, **present})
    return Conclusion(units, verdicts)


@contextmanager
def failing_with(folder: RunFolder, *, can_go_on: bool = True) -> Iterator[None]:
    """Let an `OSError` of a run be on record, as far as the disk lets it, and say what to do."""
    try:
        yield
    except OSError as error:
        with suppress(OSError):  # the disk that refused the one may refuse this too
            folder.status.update("failed", error=f"{type(error).__name__}: {error}")
        error.add_note(what_to_do(error, folder if can_go_on else None))
        raise


def create_folder(runs: Path, name: str, at: Path | None) -> RunFolder:
    """A folder for a run; an `OSError` says what to do."""
    try:
        return RunFolder.create(runs, name, now=utc_now(), at=at)
    except OSError as error:
        error.add_note(what_to_do(error))
        raise


def what_to_do(error: OSError, folder: RunFolder | None = None) -> str:
    """How to go on after a failure of the disk, with a run in `folder` if that can go on."""
    first = "make room on the disk" if error.errno in _NO_ROOM else "see to the disk"
    if folder is not None and (folder.path / LOCK_FILE).is_file():
        return f"{first}, then: runexp resume {folder.path}"
    return f"{first}, then run the spec again"
