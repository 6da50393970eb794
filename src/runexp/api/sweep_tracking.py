"""Trackers of a sweep: its own run, below which those of its trials stand, and what varies in them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from runexp.api.checking import Checked
from runexp.api.redaction import redacted_text
from runexp.api.stored_sweep import BEST, RESULTS
from runexp.api.tracking import TENSORBOARD, TRACKING, Home, tracked, varied
from runexp.engine.control import Control
from runexp.observe.tracking.host import Limits, TrackerHost
from runexp.observe.tracking.mlflow import GROUP, MLflowTracker, Server
from runexp.observe.tracking.tensorboard import FOLDER
from runexp.observe.tracking.tensorboard_sweep import Varied, write_experiment
from runexp.observe.tracking.tracker import Point, TrackedRun
from runexp.plan.experiment import Plan, walk
from runexp.plan.phases import TrainPlan
from runexp.plan.sweeps import SweepPlan
from runexp.plan.values import thaw
from runexp.results.trials import SweepResults
from runexp.store.run_folder import RunFolder


@dataclass(slots=True)
class _SweepRun:
    """The run of a sweep in MLflow: the numbers that its trials are judged by, on a step a trial."""

    tracker: MLflowTracker
    known: Mapping[str, int] = field(default_factory=dict)

    def start(self, run: TrackedRun) -> Mapping[str, int]:
        """Make it, or find that of a sweep that goes on."""
        self.known = self.tracker.start(run)
        return self.known

    def log(self, points: Sequence[Point]) -> None:
        """Take the numbers of trials that it has not yet."""
        self.tracker.log([point for point in points if point.step > self.known.get(point.name, -1)])

    def keep(self, path: Path, name: str) -> None:
        """Take a file of the sweep."""
        self.tracker.keep(path, name)

    def finish(self, status: str) -> None:
        """Say how it ended."""
        self.tracker.finish(status)


class SweepTrackers:
    """Tells the trackers of a spec of a sweep as a whole; what they refuse stops nothing and is told in tracking.json.

    `begin` before the first trial, so that trials find the run they stand below; `finish` after the last.
    """

    def __init__(self, checked: Checked, folder: RunFolder, runs: Path, control: Control) -> None:
        self._checked = checked
        self._folder = folder
        self._told: dict[str, dict[str, object]] = {}
        self._run: _SweepRun | None = None
        self._server: Server | None = None
        self._host: TrackerHost | None = None
        self._limits = replace(Limits(), is_hurried=lambda: bool(control.signal))
        plan = checked.linked.tracking
        if plan is not None and plan.mlflow:
            self._server = Server(plan.mlflow.uri, runs)
            is_resumed = (folder.path / RESULTS).is_file()
            run = tracked(checked, Home(folder, runs, is_resumed=is_resumed))
            run = replace(run, tags={**run.tags, GROUP: folder.id})
            self._host = TrackerHost("MLflow", self._made, run, per_batch=False, limits=self._limits)

    def begin(self) -> None:
        """Open the run of the sweep, and tell what varies."""
        plan = self._checked.linked
        if self._host is not None:
            self._host.settle()
        if plan.tracking is not None and plan.tracking.tensorboard and plan.sweep is not None:
            self._note(TENSORBOARD, _problem_of(lambda: _write_experiment(self._folder.path, plan)), uri=FOLDER)

    def finish(self, results: SweepResults) -> None:
        """Tell what its trials gave, and how it ended."""
        if self._host is not None:
            self._tell_mlflow(self._host, results)
        if self._told:
            with suppress(OSError):  # a full disk is told where it matters
                self._folder.write(TRACKING, json.dumps(self._told, indent=1, ensure_ascii=False) + "\n")

    def _made(self) -> _SweepRun:
        plan = self._checked.linked.tracking
        assert plan is not None
        assert plan.mlflow is not None
        assert self._server is not None
        self._run = _SweepRun(MLflowTracker(self._server, plan.mlflow.experiment))
        return self._run

    def _tell_mlflow(self, host: TrackerHost, results: SweepResults) -> None:
        points = list(_points(results, time.time()))
        host.do(lambda: self._run.log(points) if self._run is not None else None)
        for name in ("spec.yaml", "resolved.yaml", RESULTS, BEST):
            if (self._folder.path / name).is_file():
                host.keep(self._folder.path / name, name)
        host.finish(results.status)
        where = {}
        if self._run is not None and self._server is not None:
            uri = redacted_text(self._server.address, self._checked.document)
            where = {"uri": uri, "experiment": self._run.tracker.experiment, "run": self._run.tracker.run_id}
        self._note("MLflow", host.problem, **where)

    def _note(self, name: str, problem: str, **where: str) -> None:
        told = redacted_text(problem, self._checked.document)
        self._told[name] = {"complete": not problem, "problem": told, **where}


def _points(results: SweepResults, now: float) -> Iterator[Point]:
    """The values of each trial, by its number; last the best, once more, under a name of its own."""
    for trial in results.completed:
        for objective, value in zip(results.objectives, trial.values, strict=True):
            yield Point(objective.address.replace(".", "/"), value, trial.number, now)
    last = max((trial.number for trial in results.trials), default=0)
    best = results.best if len(results.objectives) == 1 else None
    if best is not None:
        yield Point(f"best/{results.objectives[0].address.replace('.', '/')}", best.values[0], last, now)
        yield Point("best/trial", float(best.number), last, now)


def _problem_of(work: Callable[[], object]) -> str:
    try:
        work()
    except Exception as error:  # a tracker that fails stops nothing
        return f"{type(error).__name__}: {error}"
    return ""


def _write_experiment(folder: Path, plan: Plan) -> None:
    sweep = plan.sweep
    assert sweep is not None
    trained = {phase.label for phase in walk(plan.phases) if isinstance(phase, TrainPlan)}
    judged = {}
    for objective in sweep.objectives:
        phase, _, name = objective.address.rpartition(".")
        judged[objective.address] = f"{phase}/final/{name}" if phase in trained else f"{phase}/{name}"
    write_experiment(folder, plan.name, list(_varied(sweep)), judged)


def _varied(sweep: SweepPlan) -> Iterator[Varied]:
    for one in sweep.parameters:
        values = varied({str(index): thaw(value) for index, value in enumerate(one.values)})
        yield Varied(one.address, tuple(values.values()), one.low, one.high)
