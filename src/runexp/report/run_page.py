"""One run on a terminal: its results, then when and where it ran, its checkpoints, environment and data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from runexp.report.page import to_text
from runexp.report.results import render_results
from runexp.report.run_list import moment
from runexp.report.sizes import in_units
from runexp.report.wording import duration, plain
from runexp.results.phases import PhaseResults, TrainResults
from runexp.results.requirements import Verdict
from runexp.results.run import RunResults
from runexp.results.run_record import RunRecord, jsonable

_MOST_CHECKPOINTS = 6
_MOST_TABLES = 12


@dataclass(frozen=True, slots=True)
class CheckpointFacts:
    """A checkpoint that lies in a run folder; `role` is best, last, both or empty."""

    name: str
    role: str
    n_bytes: int


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table that a phase recorded: `predictions/test`."""

    name: str
    n_bytes: int


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a page of a run is made of; `problems` says what of its folder cannot be read, `told` what became of it."""

    record: RunRecord
    results: RunResults
    checkpoints: Sequence[CheckpointFacts]
    problems: Sequence[str]
    units: Mapping[str, Mapping[str, str]]
    tables: Sequence[TableFacts] = ()
    requirements: Sequence[Verdict] = ()
    lineage: Sequence[str] = ()
    told: Sequence[tuple[str, str]] = ()


def render_run(facts: RunFacts, *, console_width: int, color: bool, unicode: bool = True) -> str:
    """The page of one run."""
    results = render_results(
        facts.results,
        console_width=console_width,
        color=color,
        unicode=unicode,
        units=facts.units,
        requirements=facts.requirements,
    )
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, told in _details(facts):
        if told:
            table.add_row(label, Text(plain(told), overflow="fold"))
    return results + "\n" + to_text([table], console_width=console_width, color=color, unicode=unicode)


def _details(facts: RunFacts) -> Iterator[tuple[str, str]]:
    record = facts.record
    yield "run", record.id
    yield "", _state(record)
    yield "folder", str(record.folder)
    yield "when", _when(record)
    yield "tags", ", ".join(record.tags)
    yield "note", record.note
    yield from _under("checkpoints", _checkpoints(facts.checkpoints))
    yield from _under("lineage", facts.lineage)
    yield from _under("recorded", _tables(facts.tables))
    yield from facts.told
    yield "environment", _environment(record.lock)
    yield "git", _git(record.lock.get("git"))
    yield "data", ", ".join(f"{name} {str(digest)[:12]}" for name, digest in _items(record.lock.get("sources")))
    yield from _under("unreadable", facts.problems)


def _under(label: str, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines):
        yield ("" if number else label), line


def _state(record: RunRecord) -> str:
    at = f"{record.phase}, epoch {record.epoch}" if record.epoch is not None else record.phase
    match record.status:
        case "killed":
            seen = f"; last seen in {at}" if at else ""
            return f"killed: nobody holds it any more, and it never said how it ended{seen}"
        case "running":
            return f"running on {record.host}{', in ' + at if at else ''}"
        case "unknown":
            return "nobody knows how it ended"
    return ""


def _when(record: RunRecord) -> str:
    took = f", {duration(record.seconds)}" if record.seconds is not None else ""
    return f"{moment(record.started)}{took}{' on ' + record.host if record.host else ''}"


def _checkpoints(found: Sequence[CheckpointFacts]) -> list[str]:
    """The ones with a role first; the rest counted where there are many."""
    ordered = sorted(found, key=lambda item: not item.role)
    roles = [f" ({item.role})" if item.role else "" for item in ordered]
    lines = [f"{item.name}{role}, {in_units(item.n_bytes)}" for item, role in zip(ordered, roles, strict=True)]
    more = len(lines) - _MOST_CHECKPOINTS
    return [*lines[:_MOST_CHECKPOINTS], f"and {more} more"] if more > 0 else lines


def _tables(found: Sequence[TableFacts]) -> list[str]:
    lines = [f"{item.name}, {in_units(item.n_bytes)}" for item in found]
    more = len(lines) - _MOST_TABLES
    return [*lines[:_MOST_TABLES], f"and {more} more"] if more > 0 else lines


def _environment(lock: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in _items(lock.get("packages")))
    platform = " ".join(str(value) for _, value in _items(lock.get("platform")))
    python = f"python {lock['python']}" if lock.get("python") else ""
    return ", ".join(part for part in (python, packages, platform) if part)


def _git(git: Any) -> str:  # noqa: ANN401 - whatever the file holds
    if not isinstance(git, Mapping) or not git.get("commit"):
        return ""
    return f"{str(git['commit'])[:12]}{', with changes that were not committed' if git.get('dirty') else ''}"


def _items(found: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401 - whatever the file holds
    return list(found.items()) if isinstance(found, Mapping) else []


def phases_as_json(results: RunResults) -> list[dict[str, Any]]:
    """Each phase as plain data: how it ended, its final numbers, its best epoch, its curves by epoch."""
    return [_phase_as_json(phase) for phase in results.results.flatten().values()]


def _phase_as_json(phase: PhaseResults) -> dict[str, Any]:
    found: dict[str, Any] = {
        "label": phase.label,
        "kind": phase.facts.kind,
        "split": phase.split,
        "status": phase.status,
        "seconds": phase.facts.seconds,
        "numbers": jsonable(phase.numbers),
        "warnings": list(phase.warnings),
    }
    if isinstance(phase, TrainResults):
        best = phase.best._asdict() if phase.best else None
        curves = {name: phase.metrics.series(name).values() for name in phase.metrics.names()}
        found |= {"n_epochs": phase.n_epochs, "stopped_by": phase.stopped_by, "best": jsonable(best)}
        found |= {"curves": jsonable(curves)}
    return found
