"""What a run goes on from after it was broken off: saved now and then in its folder, the newest two kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from threading import Event, Thread
from typing import Any

from runexp.api.recording import going_on
from runexp.engine.control import Control
from runexp.engine.course import Resumed
from runexp.engine.protocol import State
from runexp.events import load_event
from runexp.observe.event_log import EventLog, Mark
from runexp.plan.experiment import Plan, walk
from runexp.plan.phases import FitPlan, GroupPlan
from runexp.runtime.packing import Unpackable
from runexp.runtime.tensor_files import UNREADABLE
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.store.checkpoints import CheckpointFolder
from runexp.store.writer import Writer

_N_KEPT = 2
END = "end-"
"""What the names begin with of states after the last epoch of a phase."""


class Progress:
    """The progress store of a run. What it saves says how much of the event log stands before it."""

    def __init__(
        self, folder: CheckpointFolder, runtime: TorchRuntime, log: EventLog, control: Control, *, writer: Writer
    ) -> None:
        self._folder = folder
        self._runtime = runtime
        self._log = log
        self._control = control
        self._writer = writer
        self._interval_s = 0.0
        self._is_impossible = False

    def position(self) -> Mark | None:
        """How long the event log is; None where it could not be written any more."""
        return self._log.mark()

    def save(self, state: Mapping[str, Any], program: State | None, position: Mark | None) -> str:
        """Commit the state of now; older ones go after. Gives a warning, once, where it cannot be held by files."""
        self._control.due = self._interval_s == 0
        if self._is_impossible or position is None:
            return ""
        self._writer.finish()
        number = max(numbers(self._folder), default=-1) + 1
        warning = self._commit(f"{number:06d}", state, program, position)
        if self._control.signal:  # nothing comes after that could wait for it
            self._writer.finish()
        return warning

    def save_end(self, state: Mapping[str, Any], program: State, position: Mark | None) -> str:
        """Commit the state after the last epoch of a phase; that of the phase before goes after."""
        if self._is_impossible or position is None:
            return ""
        self._writer.finish()
        name = f"{END}{state['n_done']:03d}"
        with suppress(FileNotFoundError):  # the run was broken off since, and has come here again
            self._folder.remove(name)
        return self._commit(name, state, program, position)

    def conclude(self) -> None:
        """Delete what nothing goes on from any more; the end of the last training stays, so that it can be extended."""
        with suppress(OSError):  # the run is complete without it
            self._writer.finish()
            for number in numbers(self._folder):
                self._folder.remove(f"{number:06d}")

    def _commit(self, name: str, state: Mapping[str, Any], program: State | None, position: Mark) -> str:
        self._log.sync()
        whole = going_on({"engine": state}, position)
        try:
            captured = self._runtime.capture_checkpoint(whole, program)
        except Unpackable as error:
            self._is_impossible = True
            return f"a run that is broken off here cannot go on: {error}"
        self._writer.submit(lambda: self._write(name, captured.write), captured.n_bytes)
        return ""

    def _write(self, name: str, write: Callable[[Path], None]) -> None:
        """Commit, then delete what is older. Runs beside the run: it touches no state of it."""
        try:
            self._folder.save(name, write)
        except OSError as error:
            error.add_note(f"while saving the state to go on from in {self._folder.path(name)}")
            raise
        is_end = name.startswith(END)
        ends = [old for old in self._folder.names() if is_end and old.startswith(END) and old != name]
        for old in (*ends, *(f"{number:06d}" for number in numbers(self._folder)[:-_N_KEPT])):
            self._folder.remove(old)

    @contextmanager
    def every(self, seconds: float) -> Iterator[None]:
        """Ask for the state to be saved every so many seconds; 0: at every batch."""
        self._interval_s = seconds
        self._control.due = seconds == 0
        over = Event()
        clock = Thread(target=self._ask, args=(seconds, over), daemon=True, name="runexp-progress")
        if seconds:
            clock.start()
        try:
            yield
        finally:
            over.set()
            with suppress(OSError):  # what could not be saved is no reason to fail a run that has ended
                self._writer.finish()

    def _ask(self, seconds: float, over: Event) -> None:
        while not over.wait(seconds):
            self._control.due = True


def newest(
    progress: CheckpointFolder, log: Path, checkpoints: CheckpointFolder | None = None
) -> tuple[Path | None, tuple[str, ...]]:
    """The newest saved state that is whole and whose events are in the log, and a warning for each newer one.

    Checkpoints that the spec asked for count as much as what the run saved by itself.
    """
    warnings: list[str] = []
    found = [(progress, f"{number:06d}") for number in numbers(progress)]
    if checkpoints is not None:
        found += [(checkpoints, name) for name in checkpoints.all_names() if told_before(checkpoints.path(name))]
    found.reverse()  # of those at one place of the log the later stands before the earlier
    for folder, name in sorted(found, key=lambda item: _sequence(item[0].path(item[1])), reverse=True):
        path = folder.path(name)
        if folder.verify(name) and _is_told(path, log):
            return path, tuple(warnings)
        warnings.append(f"the state saved in {path} is damaged; an earlier one is used")
    return None, tuple(warnings)


def forget_later(checkpoints: CheckpointFolder, mark: Mark) -> None:
    """Delete the checkpoints of what has not happened any more: the run comes to them again."""
    for name in checkpoints.all_names():
        told = told_before(checkpoints.path(name))
        if told is not None and told.sequence > mark.sequence:
            checkpoints.remove(name)


def told_before(path: Path) -> Mark | None:
    """Where the event log stood when a checkpoint was saved; None where that is not known."""
    try:
        return saved_mark(path)
    except (OSError, *UNREADABLE):
        return None


def _sequence(path: Path) -> float:
    """What cannot be read counts as newest, so that it is told of."""
    mark = told_before(path)
    return inf if mark is None else mark.sequence


def _is_told(path: Path, log: Path) -> bool:
    """Whether all that happened before a state was saved is in the log."""
    try:
        return log.is_file() and log.stat().st_size >= saved_mark(path).offset
    except UNREADABLE:
        return False


def saved_mark(path: Path) -> Mark:
    """Where the event log stood when a state was saved."""
    log = _plain(path)["log"]
    return Mark(log["offset"], log["sequence"])


def restore(path: Path, plan: Plan, runtime: TorchRuntime) -> tuple[Resumed, tuple[str, ...]]:
    """Set the runtime back to a saved state; where the engine goes on, and warnings."""
    phases = [phase for phase in walk(plan.phases) if not isinstance(phase, GroupPlan)]
    over = phases[: _plain(path)["n_done"]]
    restored = runtime.read_checkpoint(path, [phase for phase in over if isinstance(phase, FitPlan)])
    engine = restored.engine
    then = tuple(load_event(told) for told in engine.get("then", ()))
    resumed = Resumed(
        engine["n_done"], engine["phase"], restored.program, restored.random, engine["n_passed"], engine["hooks"], then
    )
    return resumed, tuple(_refitted(restored.lost))


def _plain(path: Path) -> Mapping[str, Any]:
    plain: Mapping[str, Any] = json.loads((path / "state.json").read_text(encoding="utf-8"))
    return plain


def numbers(folder: CheckpointFolder) -> list[int]:
    """The numbers of the saved states that there are, the oldest first."""
    names = folder.names()
    return sorted(int(name) for name in names if name.isdecimal())


def _refitted(lost: Iterable[str]) -> Iterator[str]:
    for name in lost:
        yield f"the estimator `{name}` could not be written to a file; it was fitted again"
