"""A phase as it would run: what goes in, what computes, what is minimised, what moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from runexp.report.page import indented, named, styled, to_text
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
    shape: Shape | None  # None: not built yet, or several outputs, which stand below it
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

    `n_batches` and `n_steps_an_epoch` are an epoch's; `lanes`, `classes`, `metrics` and so on are a line each.
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
    lanes: tuple[str, ...] = ()
    inputs: tuple[InputFacts, ...] = ()
    classes: tuple[str, ...] = ()
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


def render_preview(facts: PreviewFacts, *, console_width: int = 100, color: bool = False, unicode: bool = True) -> str:
    """One page for the phase."""
    blocks = [list(_head(facts)), *_sections(facts, console_width)]
    parts = [part for block in blocks if block for part in ("", *block)]
    return to_text(parts[1:], console_width=console_width, color=color, unicode=unicode)


def _head(facts: PreviewFacts) -> Iterator[RenderableType]:
    device = f", on {plain(facts.device)}" if facts.device else ""
    rows = counted(facts.n_rows, "row")
    yield styled(named(facts.label), f"  {facts.kind} on {plain(facts.split)}, {rows}{device}")
    if facts.n_batches:
        epoch = " an epoch" if facts.kind == "train" else ""
        size = f" of up to {counted(facts.batch_size, 'row')}" if facts.batch_size else ""
        yield styled(f"{counted(facts.n_batches, 'batch')}{size}{epoch}")
    if facts.kind == "train":
        epochs = f"{counted(facts.n_epochs, 'epoch')} of " if facts.n_epochs else ""
        steps = f"{counted(facts.n_steps_an_epoch, 'step')}: " if facts.n_steps_an_epoch else ""
        yield styled(f"{epochs}{steps}{counted(facts.n_steps, 'step')} in all")


def _sections(facts: PreviewFacts, width: int) -> Iterator[list[RenderableType]]:
    inputs = [(item.name, _shape(item.shape), item.dtype) for item in facts.inputs]
    yield _lines("lanes", facts.lanes)
    yield _Section("inputs", ("name", "shape", "dtype"), inputs).drawn(width)
    yield _lines("classes", facts.classes)
    yield _nodes(facts.nodes).drawn(width)
    losses = [(loss.name, loss.call, ", ".join(loss.inputs), number(loss.weight)) for loss in facts.losses]
    yield _Section("losses", ("name", "computed by", "fed by", "weight"), losses, right=1).drawn(width)
    yield _lines("metrics", facts.metrics)
    yield _optimizer(facts, width)
    yield _lines("callbacks", facts.callbacks)
    yield _lines("checkpoints", [facts.checkpoints] if facts.checkpoints else [])
    yield _lines("notes", facts.notes)


def _nodes(nodes: Sequence[NodeFacts]) -> _Section:
    rows = [(n.name, n.kind, _output(n), f"{n.n_trainable:,}", f"{n.n_frozen:,}") for n in nodes]
    if len(rows) > 1:
        trainable, frozen = sum(n.n_trainable for n in nodes), sum(n.n_frozen for n in nodes)
        rows.append(("in all", "", "", f"{trainable:,}", f"{frozen:,}"))
    return _Section("nodes", ("name", "kind", "output", "trainable", "frozen"), rows, right=2)


def _optimizer(facts: PreviewFacts, width: int) -> list[RenderableType]:
    if not facts.optimizer:
        return []
    unnamed = "all" if len(facts.groups) == 1 else "all others"
    rows = [(group.name or unnamed, number(group.lr), f"{group.n_parameters:,}") for group in facts.groups]
    groups = _Section("", ("group", "lr", "parameters"), rows, right=2).drawn(width)
    lines: list[RenderableType] = [styled(named("optimizer"), "  ", plain(facts.optimizer)), *groups[1:]]
    if facts.schedule:
        rates = " → ".join(number(rate) for rate in (facts.schedule.start, facts.schedule.peak, facts.schedule.end))
        text = f"{plain(facts.schedule.curve)}, lr {rates} (start, peak, end)"
        lines.append(indented(styled(("schedule  ", "dim"), text)))
    if facts.clip:
        lines.append(indented(styled(("clip  ", "dim"), plain(facts.clip))))
    return lines


@dataclass(frozen=True, slots=True)
class _Section:
    """A titled table, the last `right` columns aligned to the right."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: int = 0

    def drawn(self, width: int) -> list[RenderableType]:
        """The table, or a paragraph for each row where it does not fit; nothing without rows."""
        if not self.rows:
            return []
        columns = zip(self.header, *self.rows, strict=True)
        needed = sum(max(len(plain(cell)) for cell in column) + 2 for column in columns)
        return [styled(named(self.title)), *([self._table()] if needed <= width else self._paragraphs())]

    def _table(self) -> RenderableType:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        for index, name in enumerate(self.header):
            table.add_column(name, justify="right" if index >= len(self.header) - self.right else "left")
        for row in self.rows:
            table.add_row(*(Text(plain(cell), overflow="fold") for cell in row))
        return Padding(table, (0, 0, 0, 2))

    def _paragraphs(self) -> Iterator[RenderableType]:
        for first, *rest in self.rows:
            yield indented(styled(plain(first)))
            cells = zip(self.header[1:], rest, strict=True)
            yield indented(styled(" · ".join(f"{name} {plain(cell)}" for name, cell in cells if cell)), 4)


def _lines(title: str, lines: Sequence[str]) -> list[RenderableType]:
    if not lines:
        return []
    return [styled(named(title)), *(indented(styled(plain(line))) for line in lines)]


def _output(node: NodeFacts) -> str:
    return "several" if node.shape is None and node.kind != "not built yet" else _shape(node.shape)


def _shape(shape: Shape | None) -> str:
    if shape is None:
        return "after the fit"
    lengths = ["batch" if length is None else str(length) for length in shape]
    return " x ".join(lengths) or "one value"
