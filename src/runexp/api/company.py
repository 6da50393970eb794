"""What keeps a run company without being part of it: its trackers, its monitor, and what becomes of its model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from runexp.api.checking import Checked
from runexp.api.confusions import add_up, write_confusions, written_confusions
from runexp.api.redaction import redacted_text
from runexp.api.registering import Registering
from runexp.api.tracking import Home, Member, Trackers
from runexp.engine.control import Control
from runexp.engine.live import Live
from runexp.events import Event, RunFinished
from runexp.observe.accompanied import Companion
from runexp.observe.monitoring import Monitor
from runexp.observe.sink import Sink
from runexp.observe.speed import Speed
from runexp.runtime.pace import Pace
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.store.run_folder import RunFolder

Metrics = Mapping[str, Mapping[str, float]]
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
_KEPT = ("spec.yaml", "resolved.yaml", "plan.json", "lock.json", "splits.parquet", "summary.json", "checkpoints")
"""What of a run folder trackers are given, where it is there."""


class Company:
    """Opened when a run begins and told its end; nothing of it can stop the run or change how it ends."""

    def __init__(
        self,
        checked: Checked,
        folder: RunFolder,
        control: Control,
        *,
        member: Member | None = None,
        is_resumed: bool = False,
    ) -> None:
        self._checked = checked
        self._folder = folder
        self._plan = checked.linked
        self.companions: Sequence[Companion] = ()
        self._member = member
        self._home = Home(folder, self.runs, member, is_resumed, lambda: bool(control.signal))
        self._trackers: Trackers | None = None

    @property
    def runs(self) -> Path:
        """Where what runs share lies: the folder of runs, or the run's own where that was given exactly."""
        if self._member is not None:
            return self._member.runs
        path = self._folder.path
        is_below = bool(_ID.fullmatch(path.name)) and path.parent.name == self._plan.name
        return path.parent.parent if is_below else path

    def open_trackers(self) -> Sequence[Sink]:
        """The sinks of the trackers."""
        trackers = self._trackers = Trackers(self._checked, self._home)
        if not trackers.hosts:
            return ()

        def tell(event: Event) -> Iterator[Event]:
            if isinstance(event, RunFinished):
                trackers.settle()  # so that what they lack is on record
            yield from trackers.warnings()

        self.companions = (*self.companions, tell)
        return trackers.hosts

    def open_monitor(self, live: Live, runtime: TorchRuntime | None) -> Sequence[Sink]:
        """The monitor, if resources are to be measured; of a runtime also its speed. Folds tell theirs themselves."""
        if self._plan.tracking is None or not self._plan.tracking.resources:
            return ()
        every_s, speed = self._plan.tracking.every_s, None
        if runtime is not None:
            runtime.pace = Pace()
            speed = Speed(every_s=every_s, pace=runtime.pace.read)
        monitor = Monitor(live, every_s=every_s, speed=speed)
        self.companions = (*self.companions, monitor.before)
        return (monitor,)

    def conclude(self, status: str, metrics: Metrics, runtime: TorchRuntime | None) -> tuple[str, ...]:
        """Hand over files, register the model, tell the trackers the end. Gives what a person should know."""
        notes: list[str] = []
        trackers = self._trackers or Trackers(self._checked, self._home)
        asked = self._plan.register if self._member is None else None  # of many runs the best is run alone
        registering = Registering(asked, self._folder, self.runs) if asked else None
        if registering is not None:
            registering.begin(status, metrics, trackers)
        if trackers.hosts:
            notes += self._hand_over(status, runtime, trackers)
        if registering is not None:
            notes.append(redacted_text(registering.told(trackers), self._checked.document))
        return tuple(notes)

    def _hand_over(self, status: str, runtime: TorchRuntime | None, trackers: Trackers) -> Iterator[str]:
        if self._plan.tracking is not None and self._plan.tracking.tensorboard:
            yield from self._draw(runtime)
            for path, name in written_confusions(self._folder.path):
                trackers.keep(path, name)
        for name in _KEPT:
            if (path := self._folder.path / name).exists():
                trackers.keep(path, name)
        yield from trackers.finish(status)

    def _draw(self, runtime: TorchRuntime | None) -> Sequence[str]:
        """Write the confusion matrices, artifacts/confusion/<phase>.json; those of folds are there and are added up."""

        def write(path: str, content: bytes) -> None:
            self._folder.write(f"artifacts/{path}", content)

        if runtime is not None:
            return write_confusions(self._plan, runtime, write)
        try:
            add_up(self._folder.path, write)
        except (OSError, ValueError, KeyError) as error:
            return (f"there is no confusion matrix of all folds: {type(error).__name__}: {error}",)
        return ()
