"""Going on with a run that was broken off, in its own folder, as if it had never stopped."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runexp.api.checking import Checked, check
from runexp.api.company import Company
from runexp.api.concluding import failing_with
from runexp.api.lineage import recorded
from runexp.api.progress import forget_later, newest, restore, saved_mark
from runexp.api.recording import WRITTEN
from runexp.api.running import (
    SAVE_EVERY_S,
    Beginning,
    Run,
    Watch,
    Watched,
    execute,
    execute_folds,
    make_ready,
    refuse_limits,
)
from runexp.api.tracking import Member
from runexp.api.trust import own_modules
from runexp.engine.control import Control
from runexp.observe.event_log import Mark, read_events
from runexp.plan.experiment import digest
from runexp.runtime.data.problems import first_line
from runexp.runtime.settings import settled
from runexp.runtime.tensor_files import UNREADABLE
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.runtime.versions import library_versions
from runexp.store.records import SUMMARY, read_lock_file
from runexp.store.run_folder import RunFolder
from runexp.store.status import read_status

EVENTS = "events.jsonl"


class CannotResume(Exception):  # noqa: N818 - it reads as what happened
    """A run cannot go on: it is over, there is nothing to go on from, or what it was made with has changed.

    `is_over` says that nothing is left to do; `differences` are what changed.
    """

    def __init__(self, message: str, *, is_over: bool = False, differences: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.is_over = is_over
        self.differences = differences


@dataclass(frozen=True, slots=True)
class BrokenOff:
    """A run that can go on: its folder, its spec as it was understood, and what it was made with."""

    folder: Path
    checked: Checked
    lock: Mapping[str, Any]


def open_run(folder: Path, *, overrides: Sequence[str] = ()) -> BrokenOff:
    """What a run goes on from. `CannotResume` where it is complete, or its folder lacks what it takes.

    `overrides` may change limits and thresholds under `guards`, and nothing else.
    """
    if is_complete(folder):
        raise CannotResume(f"{folder} is complete: nothing is left to do", is_over=True)
    return as_it_began(folder, overrides)


def is_complete(folder: Path) -> bool:
    """Whether a run came to its end."""
    status = read_status(folder)
    return status is not None and status.state == "completed" and (folder / SUMMARY).is_file()


def as_it_began(folder: Path, overrides: Sequence[str] = ()) -> BrokenOff:
    """A run with the spec and the lock it began with; `CannotResume` where its folder lacks what it takes."""
    try:
        lock = read_lock_file(folder)
    except (OSError, ValueError) as error:
        message = f"{folder} was broken off before it had begun; run its spec again"
        raise CannotResume(message) from error
    written_from = Path(str(lock.get("made", {}).get("folder") or "."))
    here = written_from if written_from.is_dir() else Path.cwd()
    checked = check(folder / WRITTEN, folder=here, overrides=overrides)
    if not checked.is_valid:
        raise CannotResume(f"the spec in {folder} is not valid here: {checked.diagnostics[0].message}")
    if digest(checked.linked) != lock.get("plan"):
        if overrides:
            raise CannotResume("a run goes on with other limits and thresholds (`guards.…`), and with nothing else new")
        raise CannotResume(f"{folder / WRITTEN} is not the spec that the run began with")
    return BrokenOff(folder, checked, lock)


def resume(
    run: BrokenOff,
    *,
    watch: Watch,
    control: Control | None = None,
    force: bool = False,
    save_every_s: float = SAVE_EVERY_S,
    member: Member | None = None,
    tell: Callable[[str], object] = lambda message: None,
) -> Run:
    """Go on with a run in its folder; its numbers and weights are those of one that was never broken off (S-40).

    Raises `CannotResume` where data, code or versions have changed, unless `force`; `FolderInUse` where it is running;
    `SpecError` for data or shapes that no longer work. `tell` hears of damaged files; `member` says what it is one of.
    """
    settings = settled(run.checked.linked.execution)
    with RunFolder.reopen(run.folder) as folder, own_modules(run.checked) as modules, settings:
        plan, lost = recorded(run.checked.linked, run.lock)
        if lost and force is False and not folder.progress().names():
            message = f"what `{lost[0]}` began with is gone, and nothing was saved; run the spec again"
            raise CannotResume(message)
        opened = make_ready(run.checked, plan)
        changed = tuple(_changed(run.lock, opened.fingerprints, modules.digests()))
        if changed and not force:
            message = "what the run was made with has changed, so that it would not go on as it began"
            raise CannotResume(message, differences=changed)
        for difference in changed:
            tell(f"{difference}; what follows is not what the run would have given")
        refuse_limits(run.checked, folder.path)
        how = Control() if control is None else control
        watched = Watched(watch, Company(run.checked, folder, how, member=member, is_resumed=True))
        if opened.division.folds:
            began = _began(folder)
            return execute_folds(folder, opened, began, watched, control=how, save_every_s=save_every_s)
        runtime = opened.hand_over()
        beginning, warnings = _beginning(run, folder, runtime)
        for warning in warnings:
            tell(warning)
        control = control or Control()
        with failing_with(folder):
            folder.status.update("running")
        return execute(
            folder,
            run.checked.linked,
            runtime,
            replace(beginning, document=run.checked.document),
            watched,
            control=how,
            save_every_s=save_every_s,
        )


def _beginning(run: BrokenOff, folder: RunFolder, runtime: TorchRuntime) -> tuple[Beginning, tuple[str, ...]]:
    """From the newest saved state that is whole; from the start where there is none."""
    log = folder.path / EVENTS
    checkpoints = folder.checkpoints()
    path, damaged = newest(folder.progress(), log, checkpoints)
    mark = Mark(0, 0) if path is None else saved_mark(path)
    forget_later(checkpoints, mark)
    if path is None:
        return Beginning(mark if log.exists() else None), damaged
    try:
        resumed, lost = restore(path, run.checked.linked, runtime)
    except UNREADABLE as error:
        raise CannotResume(f"the state saved in {path} cannot be read: {first_line(error)}") from error
    told = tuple(stamped for stamped in read_events(log) if stamped.sequence < mark.sequence)
    return Beginning(mark, told, resumed), (*damaged, *lost)


def _began(folder: RunFolder) -> float:
    """When a run of folds began, in seconds since the epoch: as its log says, or now where that is empty."""
    log = folder.path / EVENTS
    first = next(read_events(log), None) if log.exists() else None
    return first.time if first is not None else time.time()


def _changed(lock: Mapping[str, Any], fingerprints: Mapping[str, str], code: Mapping[str, str]) -> Iterator[str]:
    """What differs from what the run was made with, a sentence each."""
    if lock["python"] != platform.python_version():
        yield f"Python is {platform.python_version()}, it was {lock['python']}"
    now, then = library_versions(), lock["packages"]
    for name in sorted({*now, *then}):
        if now.get(name) != then.get(name):
            yield f"{name} is {now.get(name, 'missing')}, it was {then.get(name, 'missing')}"
    for kind, before, after in (("data", lock["sources"], fingerprints), ("code", lock["code"], code)):
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                yield f"the {kind} of `{name}` is not what it was when the run began"
