"""Plan → a finished run in its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from runexp.api.checking import Checked
from runexp.api.recording import Checkpoints, ResultsSink, write_inputs
from runexp.api.redaction import redacted_text
from runexp.api.trust import own_modules
from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.control import Control
from runexp.engine.experiment import Experiment as Interpreter
from runexp.engine.live import Live
from runexp.events import RunFinished
from runexp.observe.event_log import EventLog
from runexp.observe.metrics_table import MetricsTable
from runexp.observe.pump import pump
from runexp.observe.sink import Sink, subscribed
from runexp.observe.status_sink import StatusSink
from runexp.plan.experiment import Plan
from runexp.plan.units import units_of
from runexp.results import Recorder, RunResults, loss_nodes_of
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.store.records import write_summary
from runexp.store.run_folder import RunFolder
from runexp.store.status import utc_now

Watch = Callable[[Live], Sequence[Sink]]
"""Makes the sinks that show a run, given where the engine stands."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of an experiment: its folder, what it found out, and what it failed of, if it did.

    `folder` is None for a preview, which leaves nothing behind. `units` tells, by phase and number, what is in a
    target's own units and what in those that transforms gave it.
    """

    folder: Path | None
    results: RunResults
    finished: RunFinished
    error: Exception | None = None
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Run({self.results.name!r}, {self.status}, {str(self.folder)!r})"

    @property
    def status(self) -> str:
        """completed, stopped, failed or interrupted."""
        return self.finished.status


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run goes: a new folder below `runs`, or exactly `at`."""

    runs: Path = field(default_factory=lambda: Path("runs"))
    at: Path | None = None


def build(checked: Checked) -> TorchRuntime:
    """The live things of a valid spec. `SpecError` for data or shapes that cannot work; writes nothing.

    Code of the user's is imported, so `own_modules(checked)` has to be entered.
    """
    plan = checked.require().linked
    try:
        runtime = TorchRuntime(plan, folder=checked.folder)
        runtime.rehearse(plan.phases)
        for item in plan.callbacks:  # code of the user's that fails does so before anything is written
            runtime.open_experiment_callback(item)
    except SpecError as error:
        raise SpecError([_placed(found, checked) for found in error.diagnostics]) from error
    return runtime


def run(checked: Checked, place: Place, *, watch: Watch, control: Control | None = None) -> Run:
    """Build, then run. `SpecError` before anything is written; afterwards the folder tells how it ended."""
    with own_modules(checked) as modules:
        runtime = build(checked)
        return _run_built(checked, runtime, place, watch, code=modules.digests(), control=control or Control())


def _run_built(
    checked: Checked, runtime: TorchRuntime, place: Place, watch: Watch, *, code: Mapping[str, str], control: Control
) -> Run:
    plan = checked.require().linked
    with RunFolder.create(place.runs, plan.name, now=utc_now(), at=place.at) as folder:
        try:
            write_inputs(folder, checked, runtime, code=code)
        except OSError as error:
            with suppress(OSError):  # the disk that refused the inputs may refuse this too
                folder.status.update("failed", error=f"{type(error).__name__}: {error}")
            raise
        return _run_in(folder, plan, runtime, watch, control)


def _run_in(folder: RunFolder, plan: Plan, runtime: TorchRuntime, watch: Watch, control: Control) -> Run:
    live, recorder = Live(), Recorder(loss_nodes_of(plan))
    checkpoints = Checkpoints(folder.checkpoints(), runtime)
    runtime.folders.keep_in(folder.inside("callbacks"))
    sinks: list[Sink] = [
        EventLog(folder.inside("events.jsonl")),
        MetricsTable(folder.path),
        StatusSink(folder.status.update),
        ResultsSink(recorder),
        *watch(live),
    ]
    experiment = Interpreter(
        plan, runtime, checkpoints=checkpoints, control=control, live=live, wants=subscribed(sinks)
    )
    finished = pump(experiment.run(), sinks)
    results = recorder.results()
    checkpoints.save_final(finished.status)
    units = units_of(plan)
    told = {"units": units} if units else {}
    write_summary(folder.path, {"status": finished.status, "metrics": results.summary(), **told})
    return Run(folder.path, results, finished, experiment.error, units)


def _placed(found: Diagnostic, checked: Checked) -> Diagnostic:
    """What is known by its address alone, at the place that address was written; code may have told a secret."""
    found = replace(found, message=redacted_text(found.message, checked.document))
    if found.span is not None or not found.path or checked.document is None:
        return found
    return replace(found, span=checked.document.span_of(tuple(found.path.split("."))))
