"""Progress for terminals: where the run stands, drawn ten times a second by a thread of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from rich.console import Console, Group, RenderableType
from rich.live import Live as Display
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from runexp.engine.live import Live
from runexp.events import (
    EpochFinished,
    EvaluationFinished,
    Event,
    InnerTrialFinished,
    PhaseFinished,
    PhaseStarted,
    RunFinished,
    Status,
    ValuesChosen,
    WarningRaised,
)
from runexp.observe.sink import Stamped
from runexp.observe.wording import numbers, printable, sentence

_WIDE = 70
_FRAMES_A_SECOND = 10
_MARKS: Mapping[Status, tuple[str, str, str]] = {  # sign, the same in ASCII, style
    "completed": ("✓", "+", "green"),
    "stopped": ("■", "=", "yellow"),
    "failed": ("✗", "x", "red"),
    "interrupted": ("✗", "x", "red"),
}


@dataclass(frozen=True, slots=True)
class _Watched:
    """The running phase, when it began, and its newest metrics."""

    started: PhaseStarted
    since: float
    metrics: Mapping[str, float] = field(default_factory=dict)


class RichProgress:
    """Draws the running phase from `live`; finished phases and warnings leave a line each."""

    wants: frozenset[type[Event]] = frozenset(
        {
            EpochFinished,
            EvaluationFinished,
            InnerTrialFinished,
            PhaseFinished,
            PhaseStarted,
            RunFinished,
            ValuesChosen,
            WarningRaised,
        }
    )

    def __init__(self, live: Live, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._live = live
        self._console = console
        self._clock = clock
        self._watched: _Watched | None = None
        self._choosing = ""
        self._display = Display(
            get_renderable=self._draw,
            console=console,
            refresh_per_second=_FRAMES_A_SECOND,
            transient=True,
            # What a user's code prints goes above the bar, but never from a pipe onto the terminal.
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=sys.stderr.isatty(),
        )

    def receive(self, stamped: Stamped) -> None:
        """Note what the thread shall draw, and print what shall stay."""
        match stamped.event:
            case PhaseStarted() as event:
                self._watched = _Watched(event, self._clock())
                self._display.start()
            case EvaluationFinished() | EpochFinished() as event if self._watched:
                self._watched = replace(self._watched, metrics={**self._watched.metrics, **event.metrics})
            case PhaseFinished() as event:
                conclusion = self._conclusion(event)
                self._clear()
                self._console.print(conclusion)
            case InnerTrialFinished() | ValuesChosen() as event:
                self._choose(event)
            case WarningRaised() as event:
                self._console.print(Text(sentence(event), style="yellow"))
            case RunFinished(status=status) as event if status in ("failed", "interrupted"):
                self._console.print(self._marked(status, sentence(event)))

    def close(self) -> None:
        """Give the terminal back as it was."""
        self._clear()

    def _choose(self, event: InnerTrialFinished | ValuesChosen) -> None:
        """The newest trial inside of a fold is drawn; what failed and what was chosen stays."""
        line = sentence(event)
        if isinstance(event, ValuesChosen):
            self._clear()
            self._console.print(self._marked("completed", line))
            return
        if event.status == "failed":
            self._console.print(self._marked("failed", line))
        self._choosing = line
        self._display.start()

    def _clear(self) -> None:
        self._watched = None
        self._choosing = ""
        self._display.stop()

    def _draw(self) -> RenderableType:
        watched = self._watched
        if watched is None:
            return Text(self._choosing, no_wrap=True, overflow="ellipsis")
        return Group(self._position(watched), self._numbers(watched))

    def _position(self, watched: _Watched) -> Table:
        """One line: phase, epoch, bar of the epoch's batches, time left."""
        live, phase = self._live, watched.started
        width = self._console.width
        is_here = f"/{phase.phase}".endswith(f"/{live.phase}")  # in a fold the engine does not know of it
        batch, epoch = (live.batch, live.epoch) if is_here else (0, 0)
        cells: list[RenderableType] = [Text(printable(phase.phase), "bold", no_wrap=True, overflow="ellipsis")]
        if phase.n_epochs:
            word = "epoch " if width >= _WIDE else ""
            cells.append(Text(f"{word}{min(epoch + 1, phase.n_epochs)}/{phase.n_epochs}", no_wrap=True))
        if phase.n_batches:
            cells.append(ProgressBar(phase.n_batches, batch, width=_clamp(width - _WIDE, 6, 30)))
        if phase.n_batches and width >= _WIDE:
            cells.append(Text(f"{batch}/{phase.n_batches}", no_wrap=True))
        left = _time_left(_fraction(phase, epoch, batch), self._clock() - watched.since)
        cells.append(Text(f"{left} left" if left else "", "dim", no_wrap=True))
        grid = Table.grid(padding=(0, 1))
        grid.add_column(max_width=max(8, width // 3))
        grid.add_row(*cells)
        return grid

    def _numbers(self, watched: _Watched) -> Text:
        monitored = {name: watched.metrics[name] for name in watched.started.monitored if name in watched.metrics}
        shown = printable(numbers({**self._latest(), **monitored}))
        return Text(shown, no_wrap=True, overflow="ellipsis")

    def _latest(self) -> Mapping[str, float]:
        try:
            return self._live.latest()
        except Exception:  # the phase may close under the thread's hands; the next frame asks again
            return {}

    def _conclusion(self, event: PhaseFinished) -> Text:
        since = self._watched.since if self._watched else self._clock()
        return self._marked(event.status, f"{sentence(event)}  {_clock_face(self._clock() - since)}")

    def _marked(self, status: Status, line: str) -> Text:
        sign, ascii_sign, style = _MARKS[status]
        return Text.assemble((ascii_sign if self._console.options.ascii_only else sign, style), " ", line)


def _fraction(phase: PhaseStarted, epoch: int, batch: int) -> float:
    """How much of the phase is done, from 0 to 1."""
    by_steps = phase.n_steps and not phase.n_epochs
    total = phase.n_steps if by_steps else max(phase.n_epochs, 1) * phase.n_batches
    return min((epoch * phase.n_batches + batch) / total, 1.0) if total else 0.0


def _time_left(fraction: float, elapsed: float) -> str:
    """Empty as long as a guess would be worth nothing."""
    return _clock_face(elapsed * (1 - fraction) / fraction) if fraction > 0 and elapsed >= 1 else ""


def _clock_face(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))
