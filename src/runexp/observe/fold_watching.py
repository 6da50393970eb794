"""Folds that may run at once, watched from outside: a line each in a pipe; on a terminal a table with a row a fold."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TextIO

from rich.console import Console
from rich.live import Live as Display
from rich.table import Table
from rich.text import Text

from runexp.events import (
    EpochFinished,
    EvaluationFinished,
    FoldFinished,
    FoldStarted,
    PhaseFinished,
    PhaseStarted,
    RefitFinished,
    RefitStarted,
    WarningRaised,
)
from runexp.observe.sink import Stamped
from runexp.observe.wording import numbers, printable, sentence
from runexp.plan.values import FrozenMap

_INTERVAL_S = 2.0
_FRAMES_A_SECOND = 4
_MOST_NUMBERS = 4
_STYLES = {"completed": "green", "failed": "red", "interrupted": "red"}


@dataclass(frozen=True, slots=True)
class _Fold:
    """Where a fold stands: what it is called, its phase and epoch, its newest numbers, how it ended."""

    label: str
    name: str = ""
    status: str = "running"
    place: str = ""
    n_epochs: int = 0
    metrics: Mapping[str, float] = field(default_factory=FrozenMap)


class FoldStands:
    """Follows the events of folds: `folds` has those that began, by label, and `n_folds` how many there are."""

    def __init__(self) -> None:
        self.n_folds = 0
        self.folds: Mapping[str, _Fold] = {}

    def note(self, stamped: Stamped) -> None:
        """Move a fold to where an event says it is."""
        match stamped.event:
            case FoldStarted() as event:
                self.n_folds = event.n_folds
                self._set(_Fold(event.group, event.name))
            case RefitStarted() as event:
                self._set(_Fold(event.group))
            case FoldFinished() | RefitFinished() as event:
                self._set(replace(self._of(event.group), status=event.status, place=event.where))
            case PhaseStarted() | PhaseFinished() | EpochFinished() | EvaluationFinished() as event:
                self._move(event)

    def _move(self, event: PhaseStarted | PhaseFinished | EpochFinished | EvaluationFinished) -> None:
        label, _, phase = event.phase.partition("/")
        fold = self._of(label)
        match event:
            case PhaseStarted(n_epochs=n_epochs):
                fold = replace(fold, place=phase, n_epochs=n_epochs)
            case EpochFinished():
                of = f"/{fold.n_epochs}" if fold.n_epochs else ""
                fold = replace(fold, place=f"{phase} {event.epoch + 1}{of}", metrics=event.metrics)
            case PhaseFinished():
                fold = replace(fold, place=phase, metrics=event.metrics or fold.metrics)
            case EvaluationFinished():
                fold = replace(fold, metrics=FrozenMap({**fold.metrics, **event.metrics}))
        self._set(fold)

    def _of(self, label: str) -> _Fold:
        return self.folds.get(label) or _Fold(label)

    def _set(self, fold: _Fold) -> None:
        self.folds = {**self.folds, fold.label: fold}  # the thread that draws may be reading the old one


class PlainFolds:
    """A line when a fold begins, every two seconds where one stands, and when one ends."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._stands = FoldStands()
        self._told_at: dict[str, float] = {}

    def receive(self, stamped: Stamped) -> None:
        """Say what there is to say of an event."""
        self._stands.note(stamped)
        match stamped.event:
            case FoldFinished() | RefitFinished() as event:
                fold = self._stands.folds[event.group]
                said = sentence(event) or f"{event.group} {event.status}  {_shown(fold)}"
                self._write(said)
            case FoldStarted() | RefitStarted() | WarningRaised() as event:
                self._write(sentence(event))
            case EpochFinished() as event:
                label = event.phase.partition("/")[0]
                if stamped.time - self._told_at.get(label, float("-inf")) >= _INTERVAL_S:
                    self._told_at[label] = stamped.time
                    fold = self._stands.folds[label]
                    self._write(f"{label}  {fold.place}  {_shown(fold)}")

    def close(self) -> None:
        """Nothing is held."""

    def _write(self, line: str) -> None:
        with suppress(OSError):  # nobody is left to tell
            encoding = self._stream.encoding or "utf-8"
            self._stream.write(f"{printable(line)}\n".encode(encoding, "replace").decode(encoding))
            self._stream.flush()


class LiveFolds:
    """A table that moves: each fold, where it stands, its newest numbers."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stands = FoldStands()
        self._display = _display(self.draw, console)
        self._display.start()

    def receive(self, stamped: Stamped) -> None:
        """Note where a fold stands; warnings leave a line."""
        self._stands.note(stamped)
        if isinstance(stamped.event, WarningRaised):
            self._console.print(Text(sentence(stamped.event), style="yellow"))

    def close(self) -> None:
        """Give the terminal back as it was."""
        self._display.stop()

    def draw(self) -> Table:
        """The table as it is now; of more folds than there are lines those that have not ended first."""
        folds = list(self._stands.folds.values())
        room = max(3, self._console.height - 3)
        if len(folds) > room:
            folds = sorted(folds, key=lambda fold: fold.status != "running")[:room]
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
        ended = sum(fold.status != "running" for fold in self._stands.folds.values())
        table.add_row(Text("folds", "bold"), Text(f"{ended}/{self._stands.n_folds}", "bold"), Text(""))
        for fold in folds:
            name = f"{fold.label} {fold.name}" if fold.name else fold.label
            place = fold.place if fold.status == "running" else fold.status
            table.add_row(
                Text(printable(name), no_wrap=True, overflow="ellipsis"),
                Text(printable(place), _STYLES.get(fold.status, ""), no_wrap=True),
                Text(_shown(fold), no_wrap=True, overflow="ellipsis"),
            )
        return table


def _display(draw: Callable[[], Table], console: Console) -> Display:
    return Display(
        get_renderable=draw,
        console=console,
        refresh_per_second=_FRAMES_A_SECOND,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
        redirect_stderr=sys.stderr.isatty(),
    )


def _shown(fold: _Fold) -> str:
    return printable(numbers(dict(list(fold.metrics.items())[:_MOST_NUMBERS])))
