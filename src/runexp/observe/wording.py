"""What a person reads of an event, as one line of plain text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import singledispatch

from runexp.events import (
    CheckpointSaved,
    EpochFinished,
    EvaluationFinished,
    FoldFinished,
    FoldStarted,
    InnerTrialFinished,
    NodeFitted,
    NonFiniteLossMet,
    PhaseFinished,
    PhaseStarted,
    RefitFinished,
    RefitStarted,
    RunFinished,
    RunStarted,
    StopRequested,
    ValuesChosen,
    WarningRaised,
    WeightsRestored,
)
from runexp.results.trials import short_names


def printable(text: str) -> str:
    """`text` on one line and without anything a terminal would obey."""
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "?" for sign in text)


def number(value: float) -> str:
    """Four significant digits."""
    return f"{value:.4g}"


def numbers(metrics: Mapping[str, float], *, last: Iterable[str] = ("lr",)) -> str:
    """`name value` pairs, two spaces apart, in their order but for the names in `last`."""
    behind = [name for name in last if name in metrics]
    names = [*(name for name in metrics if name not in behind), *behind]
    return "  ".join(f"{name} {number(metrics[name])}" for name in names)


def changed(changes: Mapping[str, object]) -> str:
    """`name=value` pairs, each by the shortest end of its address that no other has."""
    short = short_names(changes)
    return " ".join(
        f"{short[address]}={number(value) if isinstance(value, float) else value}" for address, value in changes.items()
    )


def plural(count: int, noun: str, nouns: str = "") -> str:
    """`1 epoch`, `2 epochs`, `2 batches`."""
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"


@singledispatch
def sentence(event: object) -> str:
    """The line of an event; empty for those that say nothing to a person. Epochs count from 0, as in results."""
    return ""


@sentence.register
def _(event: RunStarted) -> str:
    return printable(f"run {event.name}: {plural(len(event.phases), 'phase')}, seed {event.seed}, {event.device}")


@sentence.register
def _(event: FoldStarted) -> str:
    name = f" ({event.name})" if event.name else ""
    rows = f"{plural(event.n_train, 'row')} to learn from, {event.n_held_out} held out"
    return printable(f"fold {event.fold} of {event.n_folds}{name}: {rows}")


@sentence.register
def _(event: FoldFinished) -> str:
    return _bad_end(f"fold {event.fold}", event)


@sentence.register
def _(event: InnerTrialFinished) -> str:
    told = f"{event.group}: inner trial {event.trial} of {event.n_trials}"
    error = f": {event.error}" if event.error else ""
    if event.status != "completed":
        return printable(f"{told} {event.status}{error}  {changed(event.changes)}")
    return printable(f"{told}  {numbers(event.metrics)}  {changed(event.changes)}")


@sentence.register
def _(event: ValuesChosen) -> str:
    of = f"the best of {plural(event.n_trials, 'trial')}" + (f", {event.n_failed} failed" if event.n_failed else "")
    return printable(f"{event.group}: chose {changed(event.changes)}  {event.objective} {number(event.value)} ({of})")


@sentence.register
def _(event: RefitStarted) -> str:
    return printable(f"refit: {plural(event.n_train, 'row')} to learn from, none held out")


@sentence.register
def _(event: RefitFinished) -> str:
    return _bad_end("refit", event)


@sentence.register
def _(event: PhaseStarted) -> str:
    return printable(f"phase {event.phase}: {event.kind} on {event.split}, {_extent(event)}")


@sentence.register
def _(event: EvaluationFinished) -> str:
    return printable(f"before training  {numbers(event.metrics)}") if event.epoch < 0 else ""


@sentence.register
def _(event: EpochFinished) -> str:
    return printable(f"epoch {event.epoch}  {numbers(event.metrics)}")


@sentence.register
def _(event: StopRequested) -> str:
    return printable(f"stop requested by {event.by} in epoch {event.epoch}: {event.reason}")


@sentence.register
def _(event: WeightsRestored) -> str:
    best = f"{event.monitor} {number(event.value)}"
    return printable(f"weights of epoch {event.epoch} restored by {event.by}  {best}")


@sentence.register
def _(event: CheckpointSaved) -> str:
    return printable(f"checkpoint {event.name} saved{' (best)' if event.is_best else ''}")


@sentence.register
def _(event: NodeFitted) -> str:
    return printable(f"fitted {event.node} on {plural(event.n_rows, 'row')}")


@sentence.register
def _(event: PhaseFinished) -> str:
    by = f" by {event.by}" if event.by else ""
    after = f" after {plural(event.n_epochs, 'epoch')}, {plural(event.n_steps, 'step')}" if event.n_steps else ""
    return printable(f"phase {event.phase} {event.status}{by}{after}  {numbers(event.metrics)}").rstrip()


@sentence.register
def _(event: WarningRaised) -> str:
    place = f" in phase {event.phase}" if event.phase else ""
    return printable(f"warning{place}: {event.message}")


@sentence.register
def _(event: NonFiniteLossMet) -> str:
    done = {"skip": "the step is left out", "warn": "the step is taken", "stop": ""}[event.action]
    rows = "; ".join(f"{name} {_few(ids)}" for name, ids in event.rows.items())
    where = f"epoch {event.epoch}, batch {event.batch} of {event.phase}" + (f" (rows: {rows})" if rows else "")
    return printable(f"warning: the loss {event.loss} is {event.value} in {where}: {done}")


@sentence.register
def _(event: RunFinished) -> str:
    return _end("run", event)


def _few(ids: Sequence[object], most: int = 8) -> str:
    listed = ", ".join(map(str, ids[:most]))
    return f"{listed}, … {len(ids)} in all" if len(ids) > most else listed


def _extent(event: PhaseStarted) -> str:
    rows = plural(event.n_rows, "row")
    batches = plural(event.n_batches, "batch", "batches")
    if event.n_epochs:
        return f"{rows}, {plural(event.n_epochs, 'epoch')} of {batches}"
    if event.n_steps:
        return f"{rows}, {plural(event.n_steps, 'step')}, {batches} an epoch"
    return rows


def _bad_end(what: str, event: FoldFinished | RefitFinished) -> str:
    return "" if event.status == "completed" else _end(what, event)


def _end(what: str, event: RunFinished | FoldFinished | RefitFinished) -> str:
    place = f" in phase {event.where}" if event.where else ""
    return printable(f"{what} {event.status}{place}" + (f": {event.error}" if event.error else ""))
