"""The results of a run on a terminal: the numbers side by side, and how each training went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType

from runexp.report.curves import curves_of
from runexp.report.folds import folds_of
from runexp.report.numbers import numbers_of
from runexp.report.page import indented, named, styled, to_text
from runexp.report.resources import resources_of
from runexp.report.wording import counted, duration, number, plain
from runexp.results.phases import FitResults, TrainResults
from runexp.results.requirements import Verdict
from runexp.results.run import RunResults

_STATUS = {
    "completed": "green",
    "stopped": "yellow",
    "interrupted": "yellow",
    "failed": "red",
    "running": "cyan",
    "killed": "red",
    "unknown": "magenta",
}

_VERDICT = {True: "green", False: "red"}


def render_results(
    results: RunResults,
    *,
    console_width: int,
    color: bool,
    unicode: bool = True,
    folder: str = "",
    units: Mapping[str, Mapping[str, str]] | None = None,
    requirements: Sequence[Verdict] = (),
) -> str:
    """One page: the numbers, best epochs, reasons of stops, curves; `folder` is where the run lies.

    `units` tells of numbers, by phase, whether they are in a target's own units; `requirements` are thresholds.
    """
    cv, summary = results.cv, results.cv.summary() if results.cv is not None else results.summary()
    blocks = [_head(results), *(folds_of(cv, console_width) if cv is not None else numbers_of(results, console_width))]
    blocks += [_units(label, numbers) for label, numbers in (units or {}).items() if label in summary]
    blocks += _phase_warnings(results) if cv is not None else _notes(results, console_width)
    blocks += [_warning(message) for message in results.warnings]
    blocks.append([styled(("required  ", "dim"), (plain(str(one)), _VERDICT[one.is_met])) for one in requirements])
    if folder:
        blocks.append([styled(("run folder  ", "dim"), plain(folder))])
    parts = [part for block in blocks if block for part in ("", *block)]
    return to_text(parts[1:], console_width=console_width, color=color, unicode=unicode)


def _head(results: RunResults) -> list[RenderableType]:
    took = f" in {duration(results.timings.run)}" if results.timings.run is not None else ""
    status = (results.status, f"bold {_STATUS[results.status]}")
    around = ", ".join([f"seed {results.seed}", *([plain(results.device)] if results.device else [])])
    head: list[RenderableType] = [styled(named(results.name or "run"), "  ", status, took, (f"  ({around})", "dim"))]
    if results.error:
        where = f"in {plain(results.where)}: " if results.where else ""
        head.append(styled((f"{where}{plain(results.error)}", _STATUS[results.status])))
    return head


def _units(label: str, numbers: Mapping[str, str]) -> list[RenderableType]:
    """Which numbers of a phase are in the target's own units, and which are not."""
    words = {"original": "in the target's own units", "transformed": "in transformed units"}
    named_so = {units: [name for name, found in numbers.items() if found == units] for units in words}
    told = [f"{plain(', '.join(names))} {words[units]}" for units, names in named_so.items() if names]
    return [styled(named(label), "  ", ("units  ", "dim"), " · ".join(told))]


def _notes(results: RunResults, width: int) -> Iterator[list[RenderableType]]:
    for phase in results.results.flatten().values():
        lines: list[RenderableType] = []
        if isinstance(phase, TrainResults):
            lines = [
                styled(named(phase.label), "  ", _ending(phase)),
                *_best(phase),
                *curves_of(phase, width),
                *resources_of(phase.facts),
            ]
        elif isinstance(phase, FitResults):
            lines = [styled(named(phase.label), "  ", _fitted(phase))]
        elif phase.status not in ("completed", "stopped"):
            lines = [styled(named(phase.label), f"  {phase.status}")]
        lines += [line for message in phase.warnings for line in _warning(message, indent=2)]
        if lines:
            yield lines


def _phase_warnings(results: RunResults) -> Iterator[list[RenderableType]]:
    """What a person should know of the phases of folds, which tell nothing else here."""
    for phase in results.results.flatten().values():
        if phase.warnings:
            lines = [line for message in phase.warnings for line in _warning(message, indent=2)]
            yield [styled(named(phase.label)), *lines]


def _ending(phase: TrainResults) -> str:
    took = f" in {duration(phase.facts.seconds)}" if phase.facts.seconds is not None else ""
    done, planned = counted(phase.n_epochs, "epoch"), phase.n_planned_epochs
    if planned > phase.n_epochs:
        done = f"{phase.n_epochs:,} of {counted(planned, 'epoch')}"
    by = f" by {plain(phase.stopped_by)}" if phase.stopped_by else ""
    why = f": {plain(phase.stop_reason)}" if by and phase.stop_reason else ""
    status = {"completed": "", "running": "so far "}.get(phase.status, f"{phase.status} after ")
    return f"{status}{done}{took}{by}{why}"


def _best(phase: TrainResults) -> list[RenderableType]:
    best = phase.best
    if best is None:
        return []
    value = f", {plain(best.monitor)} {number(best.value)}" if best.value is not None else f" by {plain(best.monitor)}"
    restored = ", its weights restored" if best.restored else ""
    return [indented(styled(("best  ", "dim"), f"epoch {best.epoch}{value}{restored}"))]


def _fitted(phase: FitResults) -> str:
    nodes = ", ".join(f"{plain(node)} on {counted(rows, 'row')}" for node, rows in phase.nodes.items())
    ended = "" if phase.status == "completed" else f"{phase.status}; "
    return f"{ended}fitted {nodes or 'nothing'}"


def _warning(message: str, *, indent: int = 0) -> list[RenderableType]:
    return [indented(styled(("warning", "yellow"), f": {plain(message)}"), indent)]
