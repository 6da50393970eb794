"""Trials as they run: a line each in a pipe; on a terminal also those that run now, in one table that moves."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TextIO

from rich.console import Console
from rich.live import Live as Display
from rich.table import Table
from rich.text import Text

from runexp.observe.wording import number, numbers, printable
from runexp.results.trials import SweepResults, Trial, short_names

_FRAMES_A_SECOND = 4
_STYLES = {"completed": "green", "pruned": "yellow", "failed": "red", "interrupted": "red"}


class _Told:
    """What is said of trials: how many there are, which is the best so far."""

    def __init__(self) -> None:
        self.results: SweepResults | None = None
        self.n_trials = 0
        self.ended: dict[int, Trial] = {}

    def begin(self, results: SweepResults, n_trials: int) -> str:
        """The first line."""
        self.results, self.n_trials = results, n_trials
        self.ended = {trial.number: trial for trial in results.trials}
        more = f", {len(self.ended)} of them have ended before" if self.ended else ""
        return f"{n_trials} trials{more}; they go to {results.folder}"

    def line(self, trial: Trial) -> str:
        """What is said of a trial that has ended."""
        self.ended[trial.number] = trial
        objectives = self.results.objectives if self.results is not None else ()
        judged = {one.address: trial.metrics[one.address] for one in objectives if one.address in trial.metrics}
        short = short_names(trial.changes)
        changes = " ".join(f"{short[address]}={_shown(value)}" for address, value in trial.changes.items())
        took = f"{trial.seconds:.1f} s" if trial.seconds is not None else ""
        words = [f"trial {trial.number}", trial.status, numbers(judged), changes, took, trial.error]
        best = "best so far" if self.is_best(trial) else ""
        return printable("  ".join(word for word in (*words, best) if word))

    def is_best(self, trial: Trial) -> bool:
        """Whether no trial that has ended is better by the only objective."""
        objectives = self.results.objectives if self.results is not None else ()
        if len(objectives) != 1 or not trial.values:
            return False
        sign = -1.0 if objectives[0].mode == "max" else 1.0
        others = [sign * one.values[0] for one in self.ended.values() if one.values and one.number != trial.number]
        return sign * trial.values[0] < min(others, default=float("inf"))


class PlainTrials:
    """A line for each trial as it ends, and at length what it failed of."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told = _Told()

    def begin(self, results: SweepResults, n_trials: int) -> None:
        """Say how many there will be."""
        self._write(self._told.begin(results, n_trials))

    def receive(self, trial: Trial, details: str = "") -> None:
        """Say how a trial ended; where it stands is not told."""
        if trial.status != "running":
            self._write(self._told.line(trial))
            if details:
                self._write(details.rstrip())

    def close(self) -> None:
        """Nothing is held."""

    def _write(self, line: str) -> None:
        with suppress(OSError):  # nobody is left to tell
            encoding = self._stream.encoding or "utf-8"
            self._stream.write(f"{line}\n".encode(encoding, "replace").decode(encoding))
            self._stream.flush()


class LiveTrials:
    """The same on a terminal, and below the lines the trials that run now with their newest numbers."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = _Told()
        self._running: dict[int, Trial] = {}
        self._display = Display(
            get_renderable=self._draw,
            console=console,
            refresh_per_second=_FRAMES_A_SECOND,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=sys.stderr.isatty(),
        )

    def begin(self, results: SweepResults, n_trials: int) -> None:
        """Say how many there will be, and begin to draw."""
        self._console.print(Text(self._told.begin(results, n_trials)))
        self._display.start()

    def receive(self, trial: Trial, details: str = "") -> None:
        """Note where a trial stands; one that has ended leaves a line."""
        if trial.status == "running":
            self._running = {**self._running, trial.number: trial}
            return
        self._running = {number: one for number, one in self._running.items() if number != trial.number}
        self._console.print(Text(self._told.line(trial), style=_STYLES.get(trial.status, "")))
        if details:
            self._console.print(Text(details.rstrip()))

    def close(self) -> None:
        """Give the terminal back as it was."""
        self._display.stop()

    def _draw(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
        n_ended = len(self._told.ended)
        table.add_row(Text(f"{n_ended}/{self._told.n_trials}", "bold"), Text(self._best(), "dim"))
        for trial in self._running.values():
            table.add_row(Text(f"trial {trial.number}"), Text(self._stands(trial), no_wrap=True, overflow="ellipsis"))
        return table

    def _best(self) -> str:
        best = next((trial for trial in self._told.ended.values() if self._told.is_best(trial)), None)
        return f"best: trial {best.number}" if best else ""

    def _stands(self, trial: Trial) -> str:
        phase = trial.place.partition(" ")[0]
        newest = {
            name.rpartition(".")[2]: value for name, value in trial.metrics.items() if name.startswith(f"{phase}.")
        }
        return printable("  ".join((trial.place, numbers(_few(newest)))))


def _few(metrics: Mapping[str, float], most: int = 4) -> dict[str, float]:
    return dict(list(metrics.items())[:most])


def _shown(value: object) -> str:
    return number(value) if isinstance(value, float) else str(value)
