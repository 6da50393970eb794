"""What a tracker is, and what it is told. A plug-in needs to import nothing of this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol


class Point(NamedTuple):
    """One number of a run.

    `name` is `<phase>/<number>`, or `<phase>/batch/<number>` of a batch. `step` counts the batches that the run, or the
    fold, had worked off: of a name no two points have the same, and a later one has a larger. `time` is in seconds
    since the epoch; `epoch` and `batch` are -1 where there is none.
    """

    name: str
    value: float
    step: int
    time: float
    fold: str = ""
    epoch: int = -1
    batch: int = -1

    @property
    def path(self) -> str:
        """The name, below its fold."""
        return f"{self.fold}/{self.name}" if self.fold else self.name


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """The run that a tracker is told of.

    `parameters` are all of the resolved spec, flat; `chosen` those that were written, numbers, words and truth values
    alone; `spec` its text. `group` is the id of what the run is one of, such as a sweep; `started` when it began, in
    seconds since the epoch. No secret is among them.
    """

    name: str
    id: str
    folder: Path
    parameters: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, str | float | bool] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    spec: str = ""
    description: str = ""
    group: str = ""
    is_resumed: bool = False
    started: float = 0.0


class Tracker(Protocol):
    """Receives a run. All its methods are called from one thread, in order.

    What raises is called again later, with the same arguments, and once more when the run is over; what takes longer
    than half a minute is given up. The run never waits for it before its end.
    """

    def start(self, run: TrackedRun) -> Mapping[str, int]:
        """Begin, or go on with a run that was resumed. Gives the last step that it has of each point's path."""

    def log(self, points: Sequence[Point]) -> None:
        """Take some numbers."""

    def keep(self, path: Path, name: str) -> None:
        """Take a file, or all that is in a folder, of the run; `name` is where it goes, such as `checkpoints/best`."""

    def finish(self, status: str) -> None:
        """The run ended: completed, stopped, failed or interrupted. All before it has been told."""
