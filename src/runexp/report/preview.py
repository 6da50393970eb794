"""A phase as it would run: what goes in, what computes, what is minimised, what moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from runexp.report.page import named, styled, to_text
from runexp.report.wording import counted, number, plain

Shape = tuple[int | None, ...]
"""Lengths by axis; None where a length is not fixed, as that of the batch."""


@dataclass(frozen=True, slots=True)
class InputFacts:
    """One array that the phase draws, such as `digits.pixels`, with the shape of a batch."""

    name: str
    shape: Shape
    dtype: str


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One node that runs; parameters that the phase moves and those it holds still."""

    name: str
    kind: str
    shape: Shape
    n_trainable: int
    n_frozen: int


@dataclass(frozen=True, slots=True)
class LossFacts:
    """One loss; `inputs` as routes are written, such as `head.outputs`."""

    name: str
    call: str
    inputs: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """One group of an optimizer's parameters; `name` is empty for those of no group."""

    name: str
    lr: float
    n_parameters: int


@dataclass(frozen=True, slots=True)
class ScheduleFacts:
    """The learning rate at the first update, at its highest, and at the last."""

    curve: str
    start: float
    peak: float
    end: float


@dataclass(frozen=True, slots=True)
class PreviewFacts:
    """Everything the page shows; what a phase does not have stays empty.

    `n_batches` and `n_steps_an_epoch` are an epoch's. `metrics`, `callbacks` and `notes` are a line each.
    """

    label: str
    kind: Literal["train", "eval", "fit"]
    split: str
    n_rows: int
    device: str = ""
    batch_size: int = 0
    n_batches: int = 0
    n_epochs: int = 0
    n_steps_an_epoch: int = 0
    n_steps: int = 0
    inputs: tuple[InputFacts, ...] = ()
    nodes: tuple[NodeFacts, ...] = ()
    losses: tuple[LossFacts, ...] = ()
    metrics: tuple[str, ...] = ()
    optimizer: str = ""
    groups: tuple[GroupFacts, ...] = ()
    schedule: ScheduleFacts | None = None
    clip: str = ""
    callbacks: tuple[str, ...] = ()
    checkpoints: str = ""
    notes: tuple[str, ...] = ()


def render_preview(
    facts: PreviewFacts, *, console_width: int = 100, color: bool = False, unicode: bool = True
) -> str:
    """One page for the phase."""
    blocks = [list(_head(facts)), *_sections(facts)]
    parts = [part for block in blocks if block for part in ("", *block)]
    return to_text(parts[1:], console_width=console_width, color=color, unicode=unicode)


def _head(facts: PreviewFacts) -> Iterator[RenderableType]:
    device = f", on {plain(facts.device)}" if facts.device else ""
    rows = counted(facts.n_rows, "row")
    yield styled(named(facts.label), f"  {facts.kind} on {plain(facts.split)}, {rows}{device}")
    if facts.n_batches:
        epoch = " an epoch" if facts.kind == "train" else ""
        yield styled(
            f"{counted(facts.n_batches, 'batch')} of up to {counted(facts.batch_size, 'row')}{epoch}"
        )
    if facts.kind == "train":
        epochs = f"{counted(facts.n_epochs, 'epoch')} of " if facts.n_epochs else ""
        steps = f"{counted(facts.n_steps_an_epoch, 'step')}: " if facts.n_steps_an_epoch else ""
        yield styled(f"{epochs}{steps}{counted(facts.n_steps, 'step')} in all")


def _sections(facts: PreviewFacts) -> Iterator[list[RenderableType]]:
    yield _section(
        "inputs", ("name", "shape", "dtype"), [(i.name, _shape(i.shape), i.dtype) for i in facts.inputs]
    )
    yield _nodes(facts.nodes)
    losses = [(loss.name, loss.call, ", ".join(loss.inputs), number(loss.weight)) for loss in facts.losses]
    yield _section("losses", ("name", "computed by", "fed by", "weight"), losses, right=1)
    yield _lines("metrics", facts.metrics)
    yield _optimizer(facts)
    yield _lines("callbacks", facts.callbacks)
    yield _lines("checkpoints", [facts.checkpoints] if facts.checkpoints else [])
    yield _lines("notes", facts.notes)


def _nodes(nodes: Sequence[NodeFacts]) -> list[RenderableType]:
    rows = [(n.name, n.kind, _shape(n.shape), f"{n.n_trainable:,}", f"{n.n_frozen:,}") for n in nodes]
    if len(rows) > 1:
        trainable, frozen = sum(n.n_trainable for n in nodes), sum(n.n_frozen for n in nodes)
        rows.append(("in all", "", "", f"{trainable:,}", f"{frozen:,}"))
    return _section("nodes", ("name", "kind", "output", "trainable", "frozen"), rows, right=2)


def _optimizer(facts: PreviewFacts) -> list[RenderableType]:
    if not facts.optimizer:
        return []
    groups = [(g.name or "all others", number(g.lr), f"{g.n_parameters:,}") for g in facts.groups]
    if len(groups) == 1 and not facts.groups[0].name:
        groups = [("all", *groups[0][1:])]
    title = f"optimizer  {facts.optimizer}"
    lines = _section(title, ("group", "lr", "parameters"), groups, right=2) or _lines(title, ())
    if facts.schedule:
        rates = " → ".join(
            number(rate) for rate in (facts.schedule.start, facts.schedule.peak, facts.schedule.end)
        )
        lines.append(
            styled(("  schedule  ", "dim"), f"{plain(facts.schedule.curve)}, lr {rates} (start, peak, end)")
        )
    if facts.clip:
        lines.append(styled(("  clip  ", "dim"), plain(facts.clip)))
    return lines


def _section(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, right: int = 0
) -> list[RenderableType]:
    """A titled table, the last `right` columns aligned to the right; nothing without rows."""
    if not rows:
        return []
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("", width=0)
    for index, name in enumerate(header):
        at_right = index >= len(header) - right
        table.add_column(name, justify="right" if at_right else "left", no_wrap=at_right, overflow="fold")
    for row in rows:
        table.add_row("", *(Text(plain(cell), overflow="fold") for cell in row))
    return [styled(named(title)), table]


def _lines(title: str, lines: Sequence[str]) -> list[RenderableType]:
    if not lines:
        return []
    return [styled(named(title)), *(styled(f"  {plain(line)}") for line in lines)]


def _shape(shape: Shape) -> str:
    lengths = ["batch" if length is None else str(length) for length in shape]
    return " x ".join(lengths) or "one value"
