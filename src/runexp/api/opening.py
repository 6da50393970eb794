"""A run opened from its folder: what it found out, without running anything. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from html import escape
from importlib import import_module
from math import nan
from pathlib import Path
from types import MappingProxyType
from typing import Any

from runexp.api.recorded import RecordedTable, recorded_files, recorded_table
from runexp.events import (
    BatchesRecorded,
    EpochFinished,
    EvaluationFinished,
    Event,
    PhaseFinished,
    PhaseStarted,
    RunStarted,
)
from runexp.observe.sink import Stamped
from runexp.observe.stored_log import StoredLog
from runexp.plan.values import FrozenMap
from runexp.report.aftermath import aftermath_of
from runexp.report.run_page import CheckpointFacts, TableFacts
from runexp.results import GroupResults, PhaseResults, Recorder, RunResults
from runexp.results.comparison import Comparison, compare
from runexp.results.requirements import Verdict, from_json
from runexp.results.run_record import RunRecord, as_json
from runexp.results.selection import Query, select
from runexp.results.tables import html_table
from runexp.store.checkpoints import MANIFEST, CheckpointFolder
from runexp.store.find import find_run
from runexp.store.index import as_it_stands, list_records
from runexp.store.run_files import EVENTS, read_object, read_record
from runexp.store.run_spec import read_spec

METRICS = "metrics.parquet"
_COLUMNS = ("phase", "kind", "epoch", "batch", "step", "name", "value")


class StoredRun:
    """A run in its folder. Everything is read when it is first asked for, and then kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name} {value:.6g}" for name, value in self.record.summary().items())
        return f"StoredRun({self.name!r}, {self.id!r}, {self.status}{': ' if numbers else ''}{numbers})"

    def _repr_html_(self) -> str:
        found = self.results
        return f"<p>{escape(self.name)} {escape(self.id)}: {self.status}</p>{(found.cv or found.results)._repr_html_()}"

    def __getitem__(self, label: str) -> PhaseResults | GroupResults:
        """The results of a phase or group by its label; `UnknownNameError` for another."""
        return self.results[label]

    @cached_property
    def record(self) -> RunRecord:
        """How it stands, its final numbers, its lock, and its spec as it was understood."""
        record = as_it_stands(read_record(self.folder, ""))
        return replace(record, spec=read_spec(self.folder))

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.record.id

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self.record.name

    @property
    def status(self) -> str:
        """completed, stopped, failed, interrupted, running; killed, unknown."""
        return self.record.status

    @property
    def spec(self) -> Mapping[str, Any]:
        """The spec as it was understood, as plain data."""
        return MappingProxyType(dict(self.record.spec or {}))

    @property
    def lock(self) -> Mapping[str, Any]:
        """What it was made with: versions, seed, fingerprints of the data, git."""
        return self.record.lock

    def summary(self) -> dict[str, dict[str, float]]:
        """The final numbers of each phase."""
        return {phase: dict(numbers) for phase, numbers in self.record.metrics.items()}

    @cached_property
    def results(self) -> RunResults:
        """What it found out, by phase; batches are read when they are asked for."""
        log = self._log
        recorder = Recorder(self._loss_nodes(), held=log.batches if log else None)
        if log is None or not log.facts:
            for event in _told_by(self.record):
                recorder.receive(event)
        for stamped in log.facts if log else ():
            recorder.receive(stamped.event, stamped.time)
        found = recorder.results()
        if found.status != "running":
            return found
        status = self.status
        return replace(
            found, status="running" if status == "running" else "killed" if status == "killed" else "unknown"
        )

    def spans(self) -> list[tuple[str, float, float | None]]:
        """When each phase began and ended, in seconds from the start of the run; None where it was cut short."""
        facts = self._log.facts if self._log else []
        begun = {one.event.phase: one.time for one in facts if isinstance(one.event, PhaseStarted)}
        ended = {one.event.phase: one.time for one in facts if isinstance(one.event, PhaseFinished)}
        origin = facts[0].time if facts else 0.0
        last = facts[-1].time if facts else 0.0
        return [
            (phase, time - origin, ended[phase] - origin if ended.get(phase, 0.0) >= time else last - origin)
            for phase, time in begun.items()
        ]

    @property
    def facts(self) -> Sequence[Stamped]:
        """Every event but the records of batches, with the time it happened, in order."""
        return self._log.facts if self._log else ()

    @property
    def problems(self) -> tuple[str, ...]:
        """What of the folder cannot be read."""
        return (*self.record.problems, *(self._log.problems if self._log else ()))

    @property
    def units(self) -> dict[str, dict[str, str]]:
        """By phase and number, whether it is in a target's own units; empty where nothing was transformed."""
        found = read_object(self.folder / "summary.json").get("units")
        return found if isinstance(found, dict) else {}

    @property
    def requirements(self) -> tuple[Verdict, ...]:
        """What came of the thresholds that its spec demands."""
        return from_json(read_object(self.folder / "summary.json").get("requirements"))

    @property
    def aftermath(self) -> tuple[tuple[str, str], ...]:
        """What became of it after its end: as what its model was registered, or why not; what trackers lack."""
        return aftermath_of(read_object(self.folder / "registered.json"), read_object(self.folder / "tracking.json"))

    @property
    def checkpoints(self) -> tuple[CheckpointFacts, ...]:
        """The checkpoints that lie in the folder, whole ones alone."""
        root = self.folder / "checkpoints"
        folder = CheckpointFolder(root)
        names = [path.parent.relative_to(root).as_posix() for path in sorted(root.rglob(MANIFEST))]
        phases = dict.fromkeys(name.rpartition("/")[0] for name in names)
        roles = [(role, name) for phase in phases for role, name in _pointers(folder, phase)]
        told = {name: ", ".join(sorted(role for role, meant in roles if meant == name)) for name in names}
        return tuple(CheckpointFacts(name, told[name], _size(root / name)) for name in names)

    def predictions(self, phase: str = "") -> RecordedTable:
        """What `record: [predictions]` kept of an eval phase, of all its folds together where it ran in folds.

        Without a label that of the only one; `out_of_fold` for those of a cross-validation. `UnknownNameError` for one
        that recorded none.
        """
        return recorded_table(self.folder, "predictions", phase)

    def outputs(self, phase: str = "") -> RecordedTable:
        """What `record: [outputs]` kept of a phase: what every node gave for each row."""
        return recorded_table(self.folder, "outputs", phase)

    def gradients(self, phase: str = "") -> RecordedTable:
        """What `record: [gradients]` kept of a train phase: the norm of every parameter's gradient at each update."""
        return recorded_table(self.folder, "gradients", phase)

    @property
    def graph(self) -> Mapping[str, Any]:
        """The graph as plain data, `nodes` with shapes and parameter counts and `edges`; empty where it is not told."""
        return MappingProxyType(read_object(self.folder / "graph.json"))

    @property
    def tables(self) -> tuple[TableFacts, ...]:
        """The tables that phases recorded, whole ones alone."""
        found = recorded_files(self.folder)
        return tuple(TableFacts(f"{kind}/{label}", path.stat().st_size) for kind, label, path in found)

    def to_dict(self) -> dict[str, list[Any]]:
        """Every recorded number as columns, as in metrics.csv; None where one does not apply."""
        columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        for row in self.rows():
            for name, value in zip(_COLUMNS, row, strict=True):
                columns[name].append(value)
        return columns

    def to_arrow(self) -> Any:  # noqa: ANN401 - pyarrow may be missing
        """The same as an Arrow table; `ImportError` without pyarrow."""
        if (self.folder / METRICS).is_file():
            return _library("pyarrow.parquet", "to_arrow").read_table(self.folder / METRICS)
        return _library("pyarrow", "to_arrow").table(self.to_dict())

    def to_pandas(self) -> Any:  # noqa: ANN401 - pandas may be missing
        """The same as a DataFrame; `ImportError` without pandas."""
        pandas = _library("pandas", "to_pandas")
        if (self.folder / METRICS).is_file():
            return pandas.read_parquet(self.folder / METRICS)
        return pandas.DataFrame(self.to_dict())

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Every recorded number from the event log: epochs, evaluations and ends in order, then batches by phase."""
        log = self._log
        if log is None:
            return
        for stamped in log.facts:
            yield from _rows_of(stamped.event)
        for read in log.batches.values():
            for event in read():
                yield from _rows_of_batches(event)

    @cached_property
    def _log(self) -> StoredLog | None:
        try:
            return StoredLog(self.folder / EVENTS)
        except OSError:
            return None

    def _loss_nodes(self) -> dict[str, dict[str, str]]:
        """By phase, the node of each loss, as the plan has it."""
        found: dict[str, dict[str, str]] = {}
        for phase in _phases(read_object(self.folder / "plan.json").get("phases")):
            losses = phase.get("losses") or ()
            nodes = {
                loss["name"]: loss.get("node", "") for loss in losses if isinstance(loss, Mapping) and "name" in loss
            }
            found[str(phase.get("label", ""))] = nodes
        return found


def open_run(reference: Path | str, *, runs: Path | str = "runs") -> StoredRun:
    """The run that is meant by its folder, id, the start of one, its name, or `last`. Runs nothing, imports no torch.

    `UnknownRun` or `AmbiguousRun` say what could have been meant.
    """
    return StoredRun(find_run(Path(runs), str(reference)))


class RunList(tuple[RunRecord, ...]):
    """The records of runs; a table in a notebook, a DataFrame by `to_pandas`."""

    def _repr_html_(self) -> str:
        rows = [[run.name, run.id, run.status, run.started[:16].replace("T", " "), _told(run)] for run in self]
        return html_table(f"{len(self)} runs", ["name", "id", "status", "started", "numbers"], rows)

    def to_dict(self) -> dict[str, list[Any]]:
        """Columns by name: the facts, then every final number as `<phase>.<number>`; None where a run has none."""
        facts = [as_json(record) for record in self]
        names = dict.fromkeys(
            (phase, name) for record in self for phase in record.metrics for name in record.metrics[phase]
        )
        columns = {name: [row[name] for row in facts] for name in (facts[0] if facts else ()) if name != "metrics"}
        return columns | {
            f"{phase}.{name}": [record.metrics.get(phase, {}).get(name, nan) for record in self]
            for phase, name in names
        }

    def to_pandas(self) -> Any:  # noqa: ANN401 - pandas may be missing
        """A DataFrame, a row a run; `ImportError` without pandas."""
        return _library("pandas", "to_pandas").DataFrame(self.to_dict())


def _told(run: RunRecord) -> str:
    """The numbers of the phase that ended last."""
    last = list(run.metrics.values())[-1] if run.metrics else {}
    return ", ".join(f"{name} {value:.6g}" for name, value in last.items())


def list_runs(
    *,
    where: str = "",
    sort: str = "",
    status: tuple[str, ...] = (),
    tags: tuple[str, ...] = (),
    runs: Path | str = "runs",
) -> RunList:
    """The runs below a folder, as `runexp list` finds them. `SelectionError` for a condition that means nothing."""
    query = Query(where=where, sort=sort, status=status, tags=tags)
    return RunList(select(query, list_records(Path(runs), read_spec=read_spec)))


def compare_runs(*references: Path | str, runs: Path | str = "runs") -> Comparison:
    """What differs between runs in spec, environment and data, and their numbers side by side."""
    return compare([open_run(reference, runs=runs).record for reference in references])


def _told_by(record: RunRecord) -> Iterator[Event]:
    """The end of each phase, from the summary alone, where there is no log to read."""
    yield RunStarted(record.name, record.seed or 0, "", record.device, tuple(record.metrics))
    for phase, numbers in record.metrics.items():
        yield PhaseStarted(phase, "eval", "", 0, 0, 0, 0)
        yield PhaseFinished(phase, "eval", "completed", "", 0, 0, FrozenMap(numbers))


def _rows_of(event: Event) -> Iterator[tuple[Any, ...]]:
    match event:
        case EpochFinished():
            kind, epoch, step = "epoch", event.epoch, event.step
        case EvaluationFinished():
            kind, epoch, step = "evaluation", event.epoch, event.step
        case PhaseFinished():
            yield from ((event.phase, "final", None, None, event.n_steps, *item) for item in event.metrics.items())
            return
        case _:
            return
    yield from ((event.phase, kind, epoch, None, step, *item) for item in event.metrics.items())


def _rows_of_batches(event: BatchesRecorded) -> Iterator[tuple[Any, ...]]:
    for name, values in event.columns.items():
        for batch, value in enumerate(values, event.first_batch):
            yield event.phase, "batch", event.epoch, batch, None, name, value


def _phases(found: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - whatever the file holds
    """The phases of a plan, those of groups too."""
    for phase in found if isinstance(found, list) else ():
        if isinstance(phase, Mapping):
            yield phase
            yield from _phases(phase.get("phases"))


def _pointers(folder: CheckpointFolder, phase: str) -> list[tuple[str, str]]:
    try:
        return list(folder.pointers(phase).items()) if phase else []
    except (OSError, ValueError, AttributeError):
        return []


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _library(name: str, verb: str) -> Any:  # noqa: ANN401 - a module that may be missing
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        message = f"`{verb}` needs {package}, which is not installed (`to_dict` gives plain columns)"
        raise ImportError(message, name=package) from error
