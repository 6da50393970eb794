"""What a run goes on from after it was broken off: saved now and then in its folder, the newest two kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from runexp.engine.control import Control
from runexp.engine.course import Resumed
from runexp.engine.protocol import State
from runexp.observe.event_log import EventLog, Mark
from runexp.plan.experiment import Plan, walk
from runexp.plan.phases import FitPlan, GroupPlan
from runexp.runtime.packing import Unpackable
from runexp.runtime.tensor_files import UNREADABLE
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.store.checkpoints import CheckpointFolder

_N_KEPT = 2


class Progress:
    """The progress store of a run. What it saves says how much of the event log stands before it."""

    def __init__(self, folder: CheckpointFolder, runtime: TorchRuntime, log: EventLog, control: Control) -> None:
        self._folder = folder
        self._runtime = runtime
        self._log = log
        self._control = control
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
        self._log.sync()
        plain = {"n_done": state["n_done"], "log": {"offset": position.offset, "sequence": position.sequence}}
        number = max(numbers(self._folder), default=-1) + 1
        try:
            self._folder.save(
                f"{number:06d}",
                lambda aside: self._runtime.write_checkpoint(aside, plain | {"engine": state}, program),
            )
        except Unpackable as error:
            self._is_impossible = True
            return f"a run that is broken off here cannot go on: {error}"
        except OSError as error:
            error.add_note(f"while saving the state to go on from in {self._folder.path(f'{number:06d}')}")
            raise
        for old in numbers(self._folder)[:-_N_KEPT]:
            self._folder.remove(f"{old:06d}")
        return ""

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

    def _ask(self, seconds: float, over: Event) -> None:
        while not over.wait(seconds):
            self._control.due = True


def newest(folder: CheckpointFolder, log: Path) -> tuple[Path | None, tuple[str, ...]]:
    """The newest saved state that is whole and whose events are in the log, and a warning for each newer one."""
    warnings: list[str] = []
    for number in reversed(numbers(folder)):
        path = folder.path(f"{number:06d}")
        if folder.verify(path.name) and _is_told(path, log):
            return path, tuple(warnings)
        warnings.append(f"the state saved in {path} is damaged; an earlier one is used")
    return None, tuple(warnings)


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
    resumed = Resumed(engine["n_done"], engine["phase"], restored.program, restored.random)
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
