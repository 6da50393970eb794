"""The end of a run: what it came to in its summary, and a failure of the disk told with how to go on."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from runexp.events import RunFinished
from runexp.plan.experiment import Plan
from runexp.plan.units import units_of
from runexp.results.requirements import Verdict, as_json, judge
from runexp.store.records import LOCK_FILE, write_summary
from runexp.store.run_folder import RunFolder

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
        error.add_note(what_to_do(error, folder, can_go_on=can_go_on))
        raise


def what_to_do(error: OSError, folder: RunFolder, *, can_go_on: bool) -> str:
    """How to go on after a failure of the disk."""
    first = "make room on the disk" if error.errno in _NO_ROOM else "see to the disk"
    if can_go_on and (folder.path / LOCK_FILE).is_file():
        return f"{first}, then: runexp resume {folder.path}"
    return f"{first}, then run the spec again"
