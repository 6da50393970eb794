"""A run folder, or several → one HTML file. Runs nothing, imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from runexp.api.opening import StoredRun
from runexp.api.page_facts import alerts_in, committed_in, measured_in
from runexp.api.pictures import picture_of, targets_of
from runexp.api.redaction import redacted_text
from runexp.api.stored_sweep import BEST, require_sweep
from runexp.report.data import SetFacts, set_from_document
from runexp.report.html.facts import PageFacts, Span
from runexp.report.html.page import render_comparison_page, render_run_page, render_sweep_page
from runexp.report.html.sweep_facts import SweepFacts
from runexp.results.comparison import compare
from runexp.results.judged import Judged
from runexp.runtime.kept_predictions import judged_in
from runexp.store.atomic import write_atomically
from runexp.store.index import as_it_stands
from runexp.store.run_files import EVENTS, read_object, read_record
from runexp.store.run_spec import read_spec

REPORT = "report.html"
DATA = "data.json"
GRAPH = "graph.json"
TRACKING = "tracking.json"
REGISTERED = "registered.json"
_MOST_OF_A_LOG = 64 << 20
_LARGEST_SPEC = 1 << 20


def write_report(runs: Sequence[StoredRun], to: Path, *, interactive: bool = False) -> None:
    """Write the page of a run, or of several side by side; the file is whole or absent. `OSError` if it cannot be."""
    pages = [page_facts(run) for run in runs]
    if len(pages) == 1:
        text = render_run_page(pages[0], interactive=interactive)
    else:
        found = compare([page.record for page in pages])
        text = render_comparison_page(pages, found, interactive=interactive)
    write_atomically(to, text)


def write_sweep_report(folder: Path, to: Path, *, interactive: bool = False) -> None:
    """Write the page of a sweep, or of repeats. `OSError` if it cannot be; `NoTrials` where none has ended."""
    results = require_sweep(folder)
    record = as_it_stands(read_record(folder, ""))
    spec = read_spec(folder) or {}
    asked = spec.get("sweep") if results.objectives else None
    facts = SweepFacts(
        record=record,
        results=results,
        description=str(spec.get("description") or ""),
        spec=_spec(folder, "spec.yaml"),
        best=_spec(folder, BEST),
        asked=asked if isinstance(asked, Mapping) else {},
    )
    write_atomically(to, render_sweep_page(facts, interactive=interactive))


def page_facts(run: StoredRun) -> PageFacts:
    """All that a page tells of a run, as far as its folder has it."""
    plan = read_object(run.folder / "plan.json")
    picture = picture_of(read_object(run.folder / GRAPH))
    sets = tuple(_sets(run.folder))
    judged, gap = _judged(run.folder, targets_of(plan))
    gaps = {
        "graph": "" if picture else "The run folder has no graph that can be read (graph.json).",
        "data": "" if sets else "The run folder has no summary of the data (data.json): it was made without one.",
        "predictions": gap,
    }
    return PageFacts(
        record=run.record,
        results=run.results,
        description=str(plan.get("description") or ""),
        spec=_spec(run.folder, "spec.yaml"),
        picture=picture,
        spans=tuple(Span(*span) for span in run.spans()),
        sets=sets,
        judged=judged,
        checkpoints=run.checkpoints,
        units=run.units,
        problems=run.problems,
        gaps=gaps,
        requirements=run.requirements,
        per_batch=_size(run.folder / EVENTS) <= _MOST_OF_A_LOG,
        measured=measured_in(run.facts),
        alerts=alerts_in(run.facts),
        committed=committed_in(run.facts),
        tracked=read_object(run.folder / TRACKING),
        registered=read_object(run.folder / REGISTERED),
    )


def _judged(folder: Path, targets: Mapping[str, str]) -> tuple[list[Judged], str]:
    """What the predictions that were kept say, and in words what is missing."""
    files = sorted((folder / "predictions").glob("*.parquet"))
    if not files:
        advice = "An eval phase with “record: [predictions]” keeps them; a cross-validation keeps them by itself."
        return [], f"The run kept no predictions: no confusion matrix, no residuals. {advice}"
    found: list[Judged] = []
    unreadable = []
    for file in files:
        try:
            found += judged_in(file, targets)
        except (OSError, ValueError):
            unreadable.append(file.name)
    if unreadable:
        return found, f"Cannot be read: {', '.join(unreadable)}."
    return (
        found,
        "" if found else "The predictions that were kept have no target beside them that they could be held to.",
    )


def _sets(folder: Path) -> Iterator[SetFacts]:
    documents = read_object(folder / DATA).get("data")
    for document in documents if isinstance(documents, list) else ():
        try:
            yield set_from_document(document)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue


def _spec(folder: Path, name: str) -> str:
    """A spec, without the credentials of addresses; of a very long one the start."""
    try:
        with open(folder / name, encoding="utf-8", errors="replace") as file:
            text = file.read(_LARGEST_SPEC)
    except OSError:
        return ""
    return redacted_text(text, None)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
