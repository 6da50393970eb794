"""Plan → a finished run in its folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from runexp.api.abandoning import abandon
from runexp.api.checking import Checked
from runexp.api.company import Company
from runexp.api.concluding import Conclusion, conclude, create_folder, failing_with, what_to_do
from runexp.api.folds import files_of, folded_loss_nodes, jobs_of, summary_of
from runexp.api.lineage import Ancestor, default_runs, told, traced
from runexp.api.progress import Progress
from runexp.api.recording import Checkpoints, Records, ResultsSink, complete_graph, write_inputs
from runexp.api.redaction import hiding, redacted_text
from runexp.api.tracking import Member, missing_libraries
from runexp.api.trust import own_modules
from runexp.diagnostics import Diagnostic, SpecError
from runexp.engine.control import Control
from runexp.engine.course import Resumed
from runexp.engine.experiment import Experiment as Interpreter
from runexp.engine.live import Live
from runexp.engine.protocol import Runtime
from runexp.events import PhaseFinished, PhaseStarted, RunFinished
from runexp.observe.accompanied import accompanied
from runexp.observe.event_log import EventLog, Mark
from runexp.observe.from_now_on import FromNowOn
from runexp.observe.metrics_table import MetricsTable
from runexp.observe.pump import pump
from runexp.observe.sink import Sink, Stamped, subscribed, wanted
from runexp.observe.status_sink import StatusSink
from runexp.plan.experiment import Plan
from runexp.results import Recorder, RunResults, loss_nodes_of
from runexp.results.requirements import Verdict
from runexp.runtime.explaining import asked_for, is_shortage
from runexp.runtime.folds.divide import Division, divide_folds
from runexp.runtime.limits import exceeded_at_once, held_to
from runexp.runtime.randomness import kept_randomness
from runexp.runtime.settings import settled
from runexp.runtime.stacking.refusals import check_stackable
from runexp.runtime.torch_runtime import TorchRuntime
from runexp.source import Document
from runexp.store.run_folder import RunFolder
from runexp.store.writer import Writer
from runexp.strategies.clusters import check_cluster, site_of_folds
from runexp.strategies.cross_validation import CrossValidation
from runexp.strategies.fold_run import Around

SAVE_EVERY_S = 30.0
Asked = ParamSpec("Asked")
Given = TypeVar("Given")

Watch = Callable[[Live], Sequence[Sink]]
"""Makes the sinks that show a run, given where the engine stands."""

Built = Callable[[Mapping[str, str]], None]
"""Is told the fingerprints of the data once all is built, before anything runs or is written."""


Driven = Callable[[TorchRuntime], Runtime]
"""Gives what an experiment drives in the place of its runtime."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of an experiment: its folder, what it found out, and what it failed of, if it did.

    `folder` is None for a preview, which leaves nothing behind. `units` tells, by phase and number, what is in a
    target's own units and what in those that transforms gave it. `notes` are what happened after its end: what trackers
    lack, where its model was registered, or why not.
    """

    folder: Path | None
    results: RunResults
    finished: RunFinished
    error: Exception | None = None
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    requirements: tuple[Verdict, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Run({self.results.name!r}, {self.status}, {str(self.folder)!r})"

    def _repr_html_(self) -> str:
        return self.results._repr_html_()

    @property
    def status(self) -> str:
        """completed, stopped, failed or interrupted."""
        return self.finished.status

    @property
    def missed(self) -> tuple[Verdict, ...]:
        """The thresholds of its spec that it did not reach."""
        return tuple(verdict for verdict in self.requirements if not verdict.is_met)

    @property
    def can_go_on(self) -> bool:
        """Whether `runexp resume` could go on with it, had it been broken off."""
        return self.folder is not None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run goes: a new folder below `runs`, or exactly `at`.

    Every `save_every_s` seconds it saves there what it would go on from; 0: at every batch. `member` says what the run
    is one of, such as a sweep: trackers put its runs below one, and none of them registers a model. Earlier runs that
    the spec names are looked for below `runs`; of `lineage` those are taken that were taken before.
    """

    runs: Path = field(default_factory=lambda: Path("runs"))
    at: Path | None = None
    save_every_s: float = SAVE_EVERY_S
    member: Member | None = None
    lineage: tuple[Ancestor, ...] = ()


def build(checked: Checked, plan: Plan | None = None, *, fold: int = 0) -> TorchRuntime:
    """The live things of a valid spec, those of one fold where it has folds: the first, unless another is asked for;
    `plan`: with what it begins with.

    `IndexError` where there is no such fold; `SpecError` for data or shapes that cannot work; writes nothing. Code of
    the user's is imported, so `own_modules(checked)` has to be entered.
    """
    return make_ready(
        checked, plan or placed(checked, traced, checked.require().linked, default_runs())[0], fold=fold
    ).hand_over()


def run(
    checked: Checked,
    place: Place,
    *,
    watch: Watch,
    control: Control | None = None,
    built: Built | None = None,
    driven: Driven | None = None,
) -> Run:
    """Build, then run. `SpecError` before anything is written; afterwards the folder tells how it ended.

    `driven` gives what its experiment drives instead of the runtime itself: then nothing is saved to go on from.
    """
    with own_modules(checked) as modules, settled(checked.require().linked.execution):
        plan, ancestors = placed(checked, traced, checked.linked, place.runs, place.lineage)
        opened = make_ready(checked, plan, ancestors)
        refuse_limits(checked)
        if built is not None and opened.runtime is not None:
            built(opened.runtime.fingerprints)
        how = control or Control()
        return _run_built(opened, place, watch, code=modules.digests(), control=how, driven=driven)


def refuse_limits(checked: Checked, folder: Path | None = None) -> None:
    """`SpecError` where a limit of the spec leaves no room for a first step."""
    found = exceeded_at_once(checked.linked.guards, folder)
    if found:
        raise SpecError(found)


@dataclass(slots=True)
class Opened:
    """A spec made ready: its live things, those of the first fold where it has folds, and its folds."""

    checked: Checked
    runtime: TorchRuntime | None
    division: Division
    plan: Plan
    ancestors: tuple[Ancestor, ...]

    def write_inputs(self, folder: RunFolder, code: Mapping[str, str]) -> None:
        """Write what the run starts from."""
        if self.runtime is not None:
            lineage = told(self.ancestors)
            write_inputs(folder, self.checked, self.runtime, self.division, code=code, lineage=lineage)

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """The content hash of every source, by feature set, as long as the live things are held here."""
        return self.runtime.fingerprints if self.runtime is not None else {}

    def hand_over(self) -> TorchRuntime:
        """The live things, which are held here no longer: the rows of the first fold are not to outlive it."""
        runtime, self.runtime = self.runtime, None
        assert runtime is not None
        return runtime


def _run_built(
    opened: Opened,
    place: Place,
    watch: Watch,
    *,
    code: Mapping[str, str],
    control: Control,
    driven: Driven | None = None,
) -> Run:
    plan = opened.checked.require().linked
    with create_folder(place.runs, plan.name, place.at) as folder:
        with failing_with(folder, can_go_on=False):
            opened.write_inputs(folder, code)
        watched = Watched(watch, Company(opened.checked, folder, control, member=place.member))
        if opened.division.folds:
            return execute_folds(folder, opened, None, watched, control=control, save_every_s=place.save_every_s)
        runtime = opened.hand_over()
        beginning = Beginning(document=opened.checked.document)
        return execute(
            folder, plan, runtime, beginning, watched, control=control, save_every_s=place.save_every_s, driven=driven
        )


def make_ready(checked: Checked, plan: Plan, ancestors: tuple[Ancestor, ...] = (), *, fold: int = 0) -> Opened:
    """Read the data, divide the folds, build what is live, as `build`."""
    lacking = missing_libraries(plan)
    if lacking:
        raise SpecError(lacking)
    runtime, division = placed(checked, _open, checked, plan, fold)
    return Opened(checked, runtime, division, plan, ancestors)


def _open(checked: Checked, plan: Plan, fold: int) -> tuple[TorchRuntime, Division]:
    check_cluster(site_of_folds(plan))
    with kept_randomness():
        division = divide_folds(plan, folder=checked.folder)
        if fold and fold >= len(division.folds):
            raise IndexError(f"there is no fold {fold}: {_counted(len(division.folds))}")
        first = division.folds[fold] if division.folds else None
        runtime = TorchRuntime(plan, folder=checked.folder, fold=first)
        runtime.rehearse(plan.in_fold().phases)
        if plan.cv is not None and plan.cv.execution == "vectorized":
            check_stackable(runtime, plan.in_fold().phases)
        for item in plan.callbacks:  # code of the user's that fails does so before anything is written
            runtime.open_experiment_callback(item)
    return runtime, division


def placed(checked: Checked, act: Callable[Asked, Given], *asked: Asked.args, **named: Asked.kwargs) -> Given:
    """What `act` gives; what it finds wrong is shown where it was written in the spec."""
    try:
        return act(*asked, **named)
    except SpecError as error:
        raise SpecError([_placed(found, checked) for found in error.diagnostics]) from error
    except (MemoryError, RuntimeError) as error:
        if not is_shortage(error):
            raise
        raise SpecError([_placed(_too_large(error), checked)]) from error


def _counted(n_folds: int) -> str:
    return f"the last of these {n_folds} is {n_folds - 1}" if n_folds else "the spec has no `cv`"


def _too_large(error: Exception) -> Diagnostic:
    wanted = asked_for(error)
    more = f": {wanted} more could not be had" if wanted else ""
    hint = "fewer columns, a smaller dtype, or `stream: true` for data; smaller layers for the graph"
    message = f"out of memory before the first step, while data were read and the graph was built{more}"
    return Diagnostic("too-large", message, help=hint, path="data")


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a run begins: at its start, or where the one in this folder was broken off, with what that had told.

    `document` knows the secrets of the spec, which nobody is to be told.
    """

    mark: Mark | None = None
    told: tuple[Stamped, ...] = ()
    resumed: Resumed | None = None
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """Who shows a run, and who keeps it company: its trackers, its monitor, and what becomes of its model."""

    shows: Watch
    company: Company


def execute(
    folder: RunFolder,
    plan: Plan,
    runtime: TorchRuntime,
    beginning: Beginning,
    watch: Watched,
    *,
    control: Control,
    save_every_s: float,
    driven: Driven | None = None,
) -> Run:
    """Run what is left of a plan in its folder."""
    live, recorder = Live(), Recorder(loss_nodes_of(plan), held=Records(folder.path))
    company = watch.company
    control.abandon = partial(abandon, folder)
    with failing_with(folder):
        runtime.folders.keep_in(lambda names: folder.inside(f"callbacks/{names}"))
        runtime.records.keep_in(folder.path)
        log = EventLog(folder.inside("events.jsonl"), beginning.mark)
        checkpoints = Checkpoints(folder.checkpoints(), runtime, log=log)
        needed = hiding(_needed(folder, log, recorder), beginning.document)
        told = hiding(company.open_trackers(), beginning.document)
        sinks = [*needed, *told, *company.open_monitor(live, runtime)]
        shown = hiding(watch.shows(live), beginning.document)
        tell_again(beginning.told, [*needed[1:3], *told], shown)
        sinks += shown
        progress = Progress(folder.progress(), runtime, log, control, writer=Writer())
        experiment = Interpreter(
            plan, driven(runtime) if driven is not None else runtime, checkpoints=checkpoints,
            progress=progress if driven is None else None, resumed=beginning.resumed, control=control, live=live,
            wants=subscribed(sinks),
        )  # fmt: skip
        first = beginning.mark.sequence if beginning.mark else 0
        with progress.every(save_every_s), held_to(plan.guards, control, folder.path):
            events = accompanied(experiment.run(), company.companions)
            finished = pump(events, sinks, first=first, needed=needed)
        results = recorder.results()
        found = Conclusion({}, ())
        with nullcontext() if experiment.error is None else suppress(OSError):  # what it failed of is to be told
            complete_graph(folder, runtime)
            checkpoints.save_final(finished.status)
            found = conclude(folder, plan, finished, {"metrics": results.summary()})
        if finished.status == "completed":
            progress.conclude()  # last: a run without a summary is not over
    error = experiment.error
    if isinstance(error, OSError):
        error.add_note(what_to_do(error, folder))
    notes = company.conclude(finished.status, results.summary(), runtime)
    return Run(folder.path, results, finished, error, found.units, found.requirements, notes)


def execute_folds(
    folder: RunFolder, opened: Opened, began: float | None, watch: Watched, *, control: Control, save_every_s: float
) -> Run:
    """Run the folds. Where the run goes on, `began` is when it began, in seconds since the epoch, and folds that are
    over are not run again."""
    plan, document, company = opened.plan, opened.checked.document, watch.company
    files = files_of(plan, folder, save_every_s=save_every_s, document=document)
    jobs = jobs_of(opened.checked, opened.division, files, plan)
    control.abandon = partial(abandon, folder)
    folds = CrossValidation(plan, jobs, first=opened.hand_over(), lock=folder.lock, began=began)
    live, recorder = Live(), Recorder(folded_loss_nodes(plan, folds.labels), held=Records(folder.path))
    with failing_with(folder):
        folder.status.update("running")
        folder.checkpoints(), folder.progress()  # freed of what is half-written
        needed = hiding(_needed(folder, _log_from_the_start(folder), recorder), document)
        beside = [*company.open_trackers(), *_watching(watch.shows(live), began)]
        sinks = [*needed, *company.open_monitor(live, None), *hiding(beside, document)]
        with held_to(plan.guards, control, folder.path):
            events = accompanied(folds.run(Around(control, live, subscribed(sinks))), company.companions)
            finished = pump(events, sinks, needed=needed)
        files.conclude(folds.folds)
        results = recorder.results()
        found = conclude(folder, plan, finished, summary_of(results))
        if finished.status == "completed":
            folder.checkpoints()  # freed of what workers that died left half-written
            folder.forget_progress()  # last: a run without a summary is not over
    notes = company.conclude(finished.status, summary_of(results)["metrics"], None)
    return Run(folder.path, results, finished, folds.error, found.units, found.requirements, notes)


def _log_from_the_start(folder: RunFolder) -> EventLog:
    """The log of a run of folds: one that goes on is told from its beginning, by the records of the folds."""
    log = folder.inside("events.jsonl")
    return EventLog(log, Mark(0, 0) if log.exists() else None)


def _watching(sinks: Sequence[Sink], began: float | None) -> Sequence[Sink]:
    """Who shows a run of folds is told what is new, where it goes on."""
    now = time.time()
    return sinks if began is None else [FromNowOn(sink, now) for sink in sinks]


def _needed(folder: RunFolder, log: EventLog, recorder: Recorder) -> list[Sink]:
    """What a run is recorded by, and cannot do without."""
    table, results = MetricsTable(folder.path), ResultsSink(recorder, batches=False)
    return [log, table, results, StatusSink(folder.status.update)]


def tell_again(told: Sequence[Stamped], kept: Sequence[Sink], shown: Sequence[Sink]) -> None:
    """Give the sinks that are kept what the run had told, and those that show it where it stands."""
    for stamped in told:
        for sink in kept:
            if type(stamped.event) in wanted(sink):
                sink.receive(stamped)
    begun = [stamped for stamped in told if isinstance(stamped.event, (PhaseStarted, PhaseFinished))][-1:]
    for stamped in begun:
        for sink in shown:
            if isinstance(stamped.event, PhaseStarted) and PhaseStarted in wanted(sink):
                sink.receive(stamped)


def _placed(found: Diagnostic, checked: Checked) -> Diagnostic:
    """What is known by its address alone, at the place that address was written; code may have told a secret."""
    found = replace(found, message=redacted_text(found.message, checked.document))
    if found.span is not None or not found.path or checked.document is None:
        return found
    return replace(found, span=checked.document.span_of(tuple(found.path.split("."))))
