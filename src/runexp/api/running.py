"""Plan → a finished run in its folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runexp.api.checking import Checked
from runexp.api.recording import Checkpoints, write_inputs
from runexp.engine.control import Control
from runexp.engine.experiment import Experiment as Interpreter
from runexp.engine.live import Live
from runexp.events import Event, RunFinished
from runexp.observe import EventLog, MetricsTable, RecorderSink, Sink, StatusSink, pump, subscribed
from runexp.plan.experiment import Plan
from runexp.results import Recorder, RunResults
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.store import CheckpointFolder, RunFolder, write_summary

Watch = Callable[[Live], Sequence[Sink]]
"""Makes the sinks that show a run, given where the engine stands."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of an experiment: its folder, how it ended, what it found out."""

    folder: Path
    results: RunResults
    finished: RunFinished
    error: Exception | None = None

    @property
    def status(self) -> str:
        """completed, stopped, failed or interrupted."""
        return self.finished.status


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run goes: a new folder below `runs`, or exactly `at`."""

    runs: Path = field(default_factory=lambda: Path("runs"))
    at: Path | None = None


def run(checked: Checked, place: Place, *, watch: Watch, control: Control | None = None) -> Run:
    """Build, then run. Nothing is written before everything is built; `SpecError` for data or shapes that cannot work.

    Whatever happens afterwards, the folder ends with a status and every fact up to then.
    """
    plan = _plan(checked)
    runtime = TorchRuntime(plan, folder=checked.folder)
    with RunFolder.create(place.runs, plan.name, at=place.at) as folder:
        write_inputs(folder, checked, runtime)
        return _run_in(folder, plan, runtime, watch, control or Control())


def preview(
    checked: Checked, label: str, *, watch: Watch, n_epochs: int = 0, n_steps: int = 0, control: Control | None = None
) -> RunResults:
    """Run one phase or group and put everything back; nothing is written. An error of the phase is raised."""
    plan = _plan(checked)
    runtime = TorchRuntime(plan, folder=checked.folder)
    live, recorder = Live(), Recorder()
    experiment = Interpreter(plan, runtime, live=live, control=control)
    events = experiment.preview_phase(label, n_epochs=n_epochs, n_steps=n_steps)
    pump(events, [RecorderSink(recorder.receive), *watch(live)])
    return recorder.results()


def _run_in(folder: RunFolder, plan: Plan, runtime: TorchRuntime, watch: Watch, control: Control) -> Run:
    live, recorder = Live(), Recorder()
    checkpoints = Checkpoints(CheckpointFolder(folder.path / "checkpoints"), runtime)
    sinks: list[Sink] = [
        EventLog(folder.path / "events.jsonl"),
        MetricsTable(folder.path),
        StatusSink(folder.status.update),
        RecorderSink(recorder.receive),
        *watch(live),
    ]
    experiment = Interpreter(
        plan, runtime, checkpoints=checkpoints, control=control, live=live, wants=subscribed(sinks)
    )
    outcome = _Outcome()
    finished = pump(outcome.guard(experiment.run()), sinks)
    results = recorder.results()
    write_summary(folder.path, results.summary(), status=finished.status)
    checkpoints.save_final(finished.status)
    return Run(folder.path, results, finished, outcome.error)


class _Outcome:
    """Lets the pump finish its work after a failure, and keeps the error for the caller."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def guard(self, events: Iterator[Event]) -> Iterator[Event]:
        """The events; the error that ends them is kept, since the last event told of it."""
        try:
            yield from events
        except Exception as error:
            self.error = error


def _plan(checked: Checked) -> Plan:
    plan = checked.require().plan
    if plan is None:
        raise ValueError("a valid spec has a plan")
    return plan
