"""Plan → a finished run in its folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from runexp.api.checking import Checked
from runexp.api.folds import files_of, folded_loss_nodes, jobs_of, summary_of
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
from runexp.runtime.folds.divide import Division, divide_folds
from runexp.runtime.randomness import kept_randomness
from runexp.runtime.settings import settled
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.store.records import write_summary
from runexp.store.run_folder import RunFolder
from runexp.store.status import utc_now
from runexp.strategies.cross_validation import CrossValidation
from runexp.strategies.fold_run import Around

Watch = Callable[[Live], Sequence[Sink]]
"""Makes the sinks that show a run, given where the engine stands."""

Built = Callable[[Mapping[str, str]], None]
"""Is told the fingerprints of the data once all is built, before anything runs or is written."""


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
    """The live things of a valid spec, those of the first fold where it has folds.

    `SpecError` for data or shapes that cannot work; writes nothing. Code of the user's is imported, so
    `own_modules(checked)` has to be entered.
    """
    return _built(checked)[0]


def run(
    checked: Checked, place: Place, *, watch: Watch, control: Control | None = None, built: Built | None = None
) -> Run:
    """Build, then run. `SpecError` before anything is written; afterwards the folder tells how it ended."""
    with own_modules(checked) as modules, settled(checked.require().linked.execution):
        opened = _Opened(checked, *_built(checked))
        if built is not None and opened.runtime is not None:
            built(opened.runtime.fingerprints)
        return _run_built(opened, place, watch, code=modules.digests(), control=control or Control())


@dataclass(slots=True)
class _Opened:
    """A spec made ready: its live things, those of the first fold where it has folds, and its folds."""

    checked: Checked
    runtime: TorchRuntime | None
    division: Division

    def write_inputs(self, folder: RunFolder, code: Mapping[str, str]) -> None:
        """Write what the run starts from."""
        if self.runtime is not None:
            write_inputs(folder, self.checked, self.runtime, self.division, code=code)

    def hand_over(self) -> TorchRuntime:
        """The live things, which are held here no longer: the rows of the first fold are not to outlive it."""
        runtime, self.runtime = self.runtime, None
        assert runtime is not None
        return runtime


def _run_built(opened: _Opened, place: Place, watch: Watch, *, code: Mapping[str, str], control: Control) -> Run:
    plan = opened.checked.require().linked
    with RunFolder.create(place.runs, plan.name, now=utc_now(), at=place.at) as folder:
        try:
            opened.write_inputs(folder, code)
        except OSError as error:
            with suppress(OSError):  # the disk that refused the inputs may refuse this too
                folder.status.update("failed", error=f"{type(error).__name__}: {error}")
            raise
        around = Around(control, Live(), frozenset())
        if opened.division.folds:
            jobs = jobs_of(opened.checked, opened.division, folder)
            return _run_folds(folder, plan, CrossValidation(plan, jobs, first=opened.hand_over()), watch, around)
        return _run_in(folder, plan, opened.hand_over(), watch, around)


def _built(checked: Checked) -> tuple[TorchRuntime, Division]:
    plan = checked.require().linked
    try:
        with kept_randomness():
            division = divide_folds(plan, folder=checked.folder)
            first = division.folds[0] if division.folds else None
            runtime = TorchRuntime(plan, folder=checked.folder, fold=first)
            runtime.rehearse(plan.in_fold().phases)
            for item in plan.callbacks:  # code of the user's that fails does so before anything is written
                runtime.open_experiment_callback(item)
    except SpecError as error:
        raise SpecError([_placed(found, checked) for found in error.diagnostics]) from error
    return runtime, division


def _run_in(folder: RunFolder, plan: Plan, runtime: TorchRuntime, watch: Watch, around: Around) -> Run:
    recorder = Recorder(loss_nodes_of(plan))
    checkpoints = Checkpoints(folder.checkpoints(), runtime)
    runtime.folders.keep_in(folder.inside("callbacks"))
    sinks = _sinks(folder, recorder, watch(around.live))
    experiment = Interpreter(
        plan, runtime, checkpoints=checkpoints, control=around.control, live=around.live, wants=subscribed(sinks)
    )
    finished = pump(experiment.run(), sinks)
    results = recorder.results()
    checkpoints.save_final(finished.status)
    units = units_of(plan)
    told = {"units": units} if units else {}
    write_summary(folder.path, {"status": finished.status, "metrics": results.summary(), **told})
    return Run(folder.path, results, finished, experiment.error, units)


def _run_folds(folder: RunFolder, plan: Plan, folds: CrossValidation, watch: Watch, around: Around) -> Run:
    recorder = Recorder(folded_loss_nodes(plan, folds.labels))
    folder.checkpoints()  # freed of what is half-written
    sinks = _sinks(folder, recorder, watch(around.live))
    finished = pump(folds.run(replace(around, wants=subscribed(sinks))), sinks)
    files_of(plan, folder).conclude(folds.folds)
    results = recorder.results()
    units = units_of(plan)
    write_summary(
        folder.path, {"status": finished.status, **summary_of(results), **({"units": units} if units else {})}
    )
    return Run(folder.path, results, finished, folds.error, units)


def _sinks(folder: RunFolder, recorder: Recorder, watching: Sequence[Sink]) -> list[Sink]:
    """What every run is recorded by, and who watches this one."""
    return [
        EventLog(folder.inside("events.jsonl")),
        MetricsTable(folder.path),
        StatusSink(folder.status.update),
        ResultsSink(recorder),
        *watching,
    ]


def _placed(found: Diagnostic, checked: Checked) -> Diagnostic:
    """What is known by its address alone, at the place that address was written; code may have told a secret."""
    found = replace(found, message=redacted_text(found.message, checked.document))
    if found.span is not None or not found.path or checked.document is None:
        return found
    return replace(found, span=checked.document.span_of(tuple(found.path.split("."))))
