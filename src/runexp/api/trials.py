"""The trials of a sweep, or the repeats of a run: who is next, where each goes, what is written down of all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from typing import Protocol

from runexp.api.checking import Checked
from runexp.api.lineage import Ancestor
from runexp.api.relocating import plain_yaml
from runexp.api.stored_sweep import BEST, RESULTS, TRIALS
from runexp.api.trial_run import SpecTrial, flat_numbers
from runexp.api.trial_specs import SpecChanged, judged, spec_of
from runexp.engine.control import Control
from runexp.results.trials import Importance, Objective, SweepResults, Trial
from runexp.store.records import write_summary
from runexp.store.run_files import read_record
from runexp.store.run_folder import RunFolder
from runexp.store.status import State
from runexp.strategies.abreast import run_abreast
from runexp.strategies.engines import ClusterGone, Site
from runexp.strategies.sweep_cluster import BlindCluster, run_on_cluster
from runexp.strategies.sweep_run import IN_TURN, Execution, Outcome, TrialProgress, run_in_crew, run_in_turn
from runexp.strategies.sweep_search import Asked, Remembered, Verdict
from runexp.strategies.sweep_space import key_of, label_of


class Search(Protocol):
    """Says which trial comes next, and is told how each ended."""

    @property
    def n_trials(self) -> int:
        """How many there will be, as far as that is known now."""

    def ask(self) -> Asked | None:
        """The next trial, or None where none is left to begin."""

    def should_stop(self, number: int, step: int, value: float) -> bool:
        """Whether a running trial is to end early, given what it reports."""

    def tell(self, number: int, verdict: Verdict, values: tuple[float, ...] = (), error: str = "") -> None:
        """How a trial ended."""

    def remembered(self) -> Iterator[Remembered]:
        """The trials that have ended, by their numbers."""

    def importance(self) -> Importance | None:
        """How much of an objective's variance each parameter explains."""


class Watcher(Protocol):
    """Who watches the trials."""

    def begin(self, results: SweepResults, n_trials: int) -> None:
        """What is there already, and how many trials there will be."""

    def receive(self, trial: Trial, details: str = "") -> None:
        """A trial began, stands elsewhere, or ended; `details` is at length what it failed of."""


class Unwatched:
    """Nobody watches."""

    def begin(self, results: SweepResults, n_trials: int) -> None:
        """Say nothing."""

    def receive(self, trial: Trial, details: str = "") -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Undertaking:
    """What is run many times, how it is judged, and how it is run, on a cluster at `site`.

    Earlier runs that it takes weights from are those of `lineage`, or lie below `runs`; `home` is where trackers keep
    what the trials share.
    """

    checked: Checked
    search: Search
    objectives: tuple[Objective, ...] = ()
    monitor: str = ""
    execution: Execution = IN_TURN
    save_every_s: float = 30.0
    runs: Path = Path("runs")
    home: Path = Path("runs")
    lineage: tuple[Ancestor, ...] = ()
    site: Site | None = None

    @property
    def whose(self) -> str:
        """What many of them are called."""
        return "trials" if self.objectives else "repeats"


class Trials:
    """Runs the trials that have not ended yet, in a folder that is held for them."""

    def __init__(self, what: Undertaking, folder: RunFolder, watcher: Watcher, control: Control) -> None:
        self._what = what
        self._folder = folder
        self._watcher = watcher
        self._control = control
        self._trials = {one.number: self._as_trial(one) for one in what.search.remembered()}
        self.results = self._results("failed")
        """What they gave, once they were run; as they stood before until then."""

    def run(self) -> SweepResults:
        """Run to the end, or to a signal, and write down what was found.

        `SpecChanged` where the spec was changed; `ClusterGone` and `BlindCluster` where the cluster cannot go on.
        """
        what = self._what
        self._write(self._results("running"))
        self._watcher.begin(self._results("running"), what.search.n_trials)
        try:
            for number, outcome in self._endings():
                self._note(number, outcome)
        except KeyboardInterrupt:
            self._control.interrupt(self._control.signal or "SIGINT")
        except (SpecChanged, ClusterGone, BlindCluster):
            self._conclude("failed")
            raise
        return self._conclude("interrupted" if self._control.signal else "completed")

    def _endings(self) -> Iterator[tuple[int, Outcome]]:
        what, how = self._what, self._what.execution
        asked = (self._next, self._hear, self._control)
        if what.site is not None:
            n_jobs, folder = max(1, what.search.n_trials), self._folder.inside("progress")
            return run_on_cluster(*asked, site=what.site, n_jobs=n_jobs, folder=folder)
        if how.manner == "vectorized":
            return run_abreast(*asked, n_at_once=how.workers, whose=what.whose)
        if how.manner == "processes":
            return run_in_crew(*asked, n_workers=how.workers)
        return run_in_turn(*asked)

    def _next(self) -> tuple[Asked, SpecTrial] | None:
        asked = self._what.search.ask()
        if asked is None:
            return None
        key = key_of(asked.point)
        self._show(Trial(asked.number, key, dict(asked.point), "running"))
        return asked, SpecTrial(
            number=asked.number,
            parent=self._folder.id,
            base=self._what.checked,
            checked=judged(spec_of(self._what.checked, asked.point), self._what.execution, self._what.whose),
            point=asked.point,
            folder=self._place(key),
            monitor=self._what.monitor,
            save_every_s=self._what.save_every_s,
            runs=self._what.runs,
            home=self._what.home,
            lineage=self._what.lineage,
        )

    def _hear(self, number: int, progress: TrialProgress) -> bool:
        known = self._trials[number]
        metrics = {**known.metrics, **progress.metrics}
        self._show(Trial(number, known.id, known.changes, "running", (), metrics, None, progress.place))
        return progress.value is not None and self._what.search.should_stop(number, progress.step, progress.value)

    def _note(self, number: int, outcome: Outcome) -> None:
        """Tell everybody how a trial ended. One that was interrupted has not."""
        known = self._trials[number]
        outcome, values = self._judged(outcome)
        trial = Trial(
            number=number,
            id=known.id,
            changes=known.changes,
            status=outcome.ending,
            values=values,
            metrics=outcome.metrics,
            seconds=outcome.seconds,
            error=outcome.error,
        )
        if outcome.ending != "interrupted":
            self._what.search.tell(number, outcome.ending, values, outcome.error)
        self._show(trial, outcome.details)
        self._write(self._results("running"))

    def _judged(self, outcome: Outcome) -> tuple[Outcome, tuple[float, ...]]:
        """The values of the objectives; a trial without them has failed."""
        if outcome.ending != "completed":
            return outcome, ()
        values = tuple(outcome.metrics.get(one.address, nan) for one in self._what.objectives)
        lacking = [one.address for one, value in zip(self._what.objectives, values, strict=True) if not isfinite(value)]
        if not lacking:
            return outcome, values
        return Outcome("failed", outcome.metrics, outcome.seconds, f"it ended without a number for {lacking[0]}"), ()

    def _show(self, trial: Trial, details: str = "") -> None:
        self._trials[trial.number] = trial
        self._watcher.receive(trial, details)

    def _conclude(self, status: State) -> SweepResults:
        results = self.results = self._results(status, importance=self._what.search.importance())
        self._write(results)
        best = results.best if results.objectives[1:] == () and results.objectives else None
        if best is not None and status != "failed":  # of a spec that has changed, what it was is not known
            self._write_best(best, results)
        metrics: dict[str, dict[str, float]] = {}
        for address, value in (best.metrics if best is not None else _means(results)).items():
            phase, _, name = address.rpartition(".")
            metrics.setdefault(phase, {})[name] = value
        write_summary(self._folder.path, {"status": status, "metrics": metrics})
        self._folder.status.update(status)
        return results

    def _results(self, status: str, importance: Importance | None = None) -> SweepResults:
        trials = tuple(self._trials[number] for number in sorted(self._trials))
        name = self._what.checked.linked.name
        return SweepResults(name, status, self._what.objectives, trials, importance, self._folder.path)

    def _write(self, results: SweepResults) -> None:
        body = {"version": 1, "n_trials": self._what.search.n_trials, "results": results.as_json()}
        self._folder.write(RESULTS, json.dumps(body, indent=1, ensure_ascii=False) + "\n")

    def _write_best(self, best: Trial, results: SweepResults) -> None:
        """The spec of the best trial, to be run alone. Its variables have given way to their values."""
        checked = spec_of(self._what.checked, best.changes)
        objective = results.objectives[0]
        head = f"# The best of {len(results.completed)} trials: {objective.address} {best.values[0]:.6g}"
        head += f" (trial {best.number}, {TRIALS}/{best.id}).\n"
        changes = "".join(f"# {address}: {label_of(value)}\n" for address, value in best.changes.items())
        text = plain_yaml(checked, self._folder.path, leave_out=("sweep", "vars"))
        self._folder.write(BEST, f"{head}{changes}{text}")

    def _as_trial(self, one: Remembered) -> Trial:
        key = key_of(one.point)
        record = read_record(self._place(key), "")
        return Trial(
            number=one.number,
            id=key,
            changes=one.point,
            status=one.verdict,
            values=one.values,
            metrics=flat_numbers(record.metrics),
            seconds=record.seconds,
            error=one.error,
        )

    def _place(self, key: str) -> Path:
        return self._folder.path / TRIALS / key


def _means(results: SweepResults) -> Mapping[str, float]:
    """The mean of each final number, of repeats; nothing of trials that differ in more than their seed."""
    return {} if results.objectives else {name: spread.mean for name, spread in results.spreads().items()}
