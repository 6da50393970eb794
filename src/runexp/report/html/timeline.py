"""The phases of a run as lines of a table, each with its place on the run's clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from runexp.report.html.facts import Span
from runexp.report.wording import counted, duration, plain
from runexp.results.phases import FitResults, PhaseResults, TrainResults
from runexp.results.run import RunResults

_LONG = 1000
_LEAST = 4


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """A phase; `left` and `width` are thousandths of the run."""

    label: str
    kind: str
    split: str
    status: str
    told: str
    took: str
    left: int
    width: int


def timeline(results: RunResults, spans: Sequence[Span]) -> list[TimelineRow]:
    """Every phase that began, in the order they did."""
    by_label = {span.label: span for span in spans}
    ends = [span.end if span.end is not None else span.start for span in spans]
    total = max([*ends, results.timings.run or 0.0, 1e-9])
    return [_row(phase, by_label.get(phase.label), total) for phase in results.results.flatten().values()]


def _row(phase: PhaseResults, span: Span | None, total: float) -> TimelineRow:
    start = span.start if span else 0.0
    end = total if span is None or span.end is None else span.end
    left = round(_LONG * start / total)
    width = max(_LEAST, round(_LONG * (end - start) / total))
    seconds = phase.facts.seconds
    return TimelineRow(
        plain(phase.label),
        phase.facts.kind,
        plain(phase.split),
        phase.status,
        " · ".join(_told(phase)),
        duration(seconds) if seconds is not None else "",
        min(left, _LONG - width),
        width,
    )


def _told(phase: PhaseResults) -> Iterator[str]:
    if isinstance(phase, TrainResults):
        done = counted(phase.n_epochs, "epoch")
        yield (
            f"{phase.n_epochs} of {counted(phase.n_planned_epochs, 'epoch')}"
            if phase.n_planned_epochs > phase.n_epochs
            else done
        )
        started = phase.facts.started
        if started and started.n_batches:
            yield f"{counted(started.n_batches, 'batch')} each"
        if phase.stopped_by:
            yield f"stopped by {plain(phase.stopped_by)}" + (
                f": {plain(phase.stop_reason)}" if phase.stop_reason else ""
            )
    elif isinstance(phase, FitResults):
        yield from _fitted(phase.nodes)
    elif phase.facts.started:
        yield counted(phase.facts.started.n_rows, "row")


def _fitted(nodes: Mapping[str, int]) -> Iterator[str]:
    for node, rows in nodes.items():
        yield f"fitted {plain(node)} on {counted(rows, 'row')}"
