"""From a table on disk to a commented spec that trains a small network on it."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import log2
from pathlib import Path

from runexp.api.table_roles import Named, Roles, roles_of
from runexp.api.templates import with_modeline
from runexp.api.yaml_text import quoted
from runexp.report.wording import counted, plain
from runexp.runtime.data.inspection import inspect_table

_WIDTH = 110
_MOST_LISTED = 30  # columns left out that are named one by one


@dataclass(frozen=True, slots=True)
class Division:
    """How rows are divided: the lines under `splits:`, and the names of its splits, empty for one there is not."""

    lines: tuple[str, ...]
    val: str
    test: str
    train: str = "train"


@dataclass(frozen=True, slots=True)
class Sizes:
    """The network and its training, by the size of the table."""

    width: int
    n_layers: int
    batch: int
    rate: str
    epochs: int
    patience: int


def draft_spec(table: Path, named: Named, *, folder: Path, name: str = "") -> str:
    """The text of a spec that will lie in `folder`. `SpecError` for a table that cannot be read or learnt from."""
    facts = inspect_table(table)
    roles = roles_of(facts, named, str(table))
    stem = re.sub(r"\.(csv|tsv|parquet|pq|gz)\b", "", table.name)
    title = name or re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:100] or "table"
    data = re.sub(r"[^A-Za-z0-9_]+", "_", stem).strip("_")[:60] or "table"
    data = data if data[0].isalpha() else f"table_{data}"
    source = Path(os.path.relpath(table.absolute(), folder.absolute())).as_posix()
    draft = _Draft(roles, data, source, _division(roles), _sizes(roles))
    return with_modeline("\n".join([*draft.head(title), *draft.body()]) + "\n", folder)


def _sizes(roles: Roles) -> Sizes:
    n_rows, n_features = roles.table.n_rows, len(roles.features)
    width = _power_of_two(4 * n_features, 16, 256 if n_rows >= 10_000 else 64)
    small = n_rows < 1_000
    return Sizes(
        width=width,
        n_layers=1 if small else 2,
        batch=_power_of_two(n_rows // 20, 8, 256),
        rate="3e-3" if small else "1e-3",
        epochs=100 if n_rows < 100_000 else 20,
        patience=15 if small else 8,
    )


def _power_of_two(wanted: int, least: int, most: int) -> int:
    return int(min(max(2 ** round(log2(max(wanted, 1))), least), most))


def _division(roles: Roles) -> Division:
    if roles.split is not None:
        split = roles.split
        comment = "# The table says which split each row is in."
        return Division((comment, f"splits: {{column: {quoted(split.column)}}}"), split.val, split.test, split.train)
    if roles.group:
        return _grouped(roles)
    shares = "train: 0.7, val: 0.15, test: 0.15"
    if roles.task == "regression":
        hint = "# For rows that follow each other in time add `order: COLUMN`: the last ones are tested."
        return Division((hint, f"splits: {{{shares}}}"), "val", "test")
    rarest = min(roles.target.counts, default=0)
    if rarest < 3:
        why = f"# No `stratify_by`: the rarest class has {counted(rarest, 'row')}, too few for three splits."
        return Division((why, f"splits: {{{shares}}}"), "val", "test")
    why = "# Every split keeps the proportions of the classes."
    return Division((why, f"splits: {{{shares}, stratify_by: {_key(roles.target.name)}}}"), "val", "test")


def _grouped(roles: Roles) -> Division:
    why = f"# Rows with the same `{plain(roles.group)}` stay together: what is tested is a group never seen."
    if roles.n_groups < 3:
        few = f"# There are {roles.n_groups} groups: enough to train and to test, none is left to validate on."
        return Division((why, few, f"splits: {{train: 0.7, test: 0.3, group_by: {quoted(roles.group)}}}"), "", "test")
    shares = "train: 0.7, val: 0.15, test: 0.15"
    return Division((why, f"splits: {{{shares}, group_by: {quoted(roles.group)}}}"), "val", "test")


@dataclass(frozen=True, slots=True)
class _Draft:
    """The sections of the spec, each as lines."""

    roles: Roles
    data: str
    source: str
    division: Division
    sizes: Sizes

    @property
    def _target(self) -> str:
        return _key(self.roles.target.name)

    @property
    def _is_classes(self) -> bool:
        return self.roles.task == "classification"

    @property
    def _loss(self) -> str:
        return "ce" if self._is_classes else "mse"

    @property
    def _metrics(self) -> str:
        return "accuracy, balanced_accuracy, f1_macro" if self._is_classes else "r2, mae, rmse"

    def head(self, title: str) -> Iterator[str]:
        """What the spec is, how it was decided, and what was left out."""
        table, target = self.roles.table, plain(self.roles.target.name)
        facts = f"{counted(table.n_rows, 'row')}, {counted(len(self.roles.features), 'feature')}"
        yield f"# Drafted from {plain(self.source)}: {facts}."
        yield from _comment(f"{self.roles.task} of `{target}`: {self.roles.why}.".capitalize())
        left_out = list(self.roles.left_out.items())
        if left_out:
            yield "#"
            yield "# Columns left out:"
            for name, reason in left_out[:_MOST_LISTED]:
                yield from _comment(f"{plain(name)}: {plain(reason)}", "#   ")
        if len(left_out) > _MOST_LISTED:
            yield f"#   and {len(left_out) - _MOST_LISTED} more"
        yield "runexp: 1"
        yield f"name: {quoted(title)}"
        yield "seed: 0"
        yield ""

    def body(self) -> Iterator[str]:
        """The sections, in the order of the language."""
        for section in (self._data, self._nodes, self._losses, self._callbacks, self._phases):
            lines = list(section())
            yield from (lines if section == self._phases or not lines else [*lines, ""])

    def _data(self) -> Iterator[str]:
        yield "data:"
        yield f"  {self.data}:"
        yield f"    source: {quoted(self.source)}"
        yield "    features:"
        yield from _listed("      inputs: ", self.roles.features)
        dtype = self._dtype()
        column = quoted(self.roles.target.name)
        written = f"{{columns: {column}, dtype: {dtype}}}" if dtype else column
        yield f"    targets: {{{self._target}: {written}}}"
        tags = {"id": self.roles.id, "group": self.roles.group}
        shown = ", ".join(f"{tag}: {quoted(name)}" for tag, name in tags.items() if name)
        if shown:
            yield f"    tags: {{{shown}}}"
        yield from (f"    {line}" for line in self.division.lines)
        yield "    transforms:"
        yield f"      # Fitted on `{self.division.train}` alone, applied to all rows."
        on = "inputs" if self._is_classes else f"[inputs, {self._target}]"
        fit_on = "" if self.division.train == "train" else f", fit_on: {quoted(self.division.train)}"
        yield f"      - {{on: {on}, use: sklearn.preprocessing.StandardScaler{fit_on}}}"

    def _dtype(self) -> str:
        """What the target's array must hold, where that does not follow from the column."""
        kind = self.roles.target.kind
        if self._is_classes:
            return "int64" if kind == "float" else ""
        return "" if kind == "float" else "float32"

    def _nodes(self) -> Iterator[str]:
        yield "nodes:"
        yield "  body:"
        yield f"    inputs: {self.data}.inputs"
        yield "    layers:"
        for _ in range(self.sizes.n_layers):
            yield f"      - torch.nn.Linear: {{out_features: {self.sizes.width}}}"
            yield "      - torch.nn.ReLU"
            yield "      - torch.nn.Dropout: {p: 0.1}"
        n_outputs = self.roles.n_outputs
        if self._is_classes and self.roles.target.kind != "text" and n_outputs > self.roles.target.n_distinct:
            yield f"  # Classes are numbers from 0: {n_outputs} outputs, though not every number occurs."
        yield f"  head: {{inputs: body, use: torch.nn.Linear, with: {{out_features: {n_outputs}}}}}"

    def _losses(self) -> Iterator[str]:
        use = "cross_entropy" if self._is_classes else "mse"
        yield "losses:"
        yield f"  {self._loss}: {{node: head, use: {use}, inputs: [outputs, targets.{self._target}]}}"

    def _callbacks(self) -> Iterator[str]:
        if not self.division.val:
            return
        prefix = "" if self.division.val == "val" else ", prefix: val"
        yield "callbacks:"
        yield f"  validate: {{use: evaluation, split: {quoted(self.division.val)}{prefix}, metrics: [{self._metrics}]}}"
        yield "  # Stops when val_loss no longer falls, and goes back to the best weights."
        yield f"  stop: {{use: early_stopping, monitor: val_loss, patience: {self.sizes.patience}, restore_best: true}}"

    def _phases(self) -> Iterator[str]:
        yield "phases:"
        yield "  train:"
        yield "    kind: train"
        yield f"    split: {quoted(self.division.train)}"
        yield f"    batches: {{size: {self.sizes.batch}}}"
        yield f"    epochs: {self.sizes.epochs}"
        yield f"    losses: [{self._loss}]"
        yield f"    optimizer: {{use: adamw, with: {{lr: {self.sizes.rate}, weight_decay: 0.01}}}}"
        if self.division.val:
            yield "    callbacks: [validate, stop]"
        if self.division.test:
            split = quoted(self.division.test)
            yield f"  test: {{kind: eval, split: {split}, losses: [{self._loss}], metrics: [{self._metrics}]}}"


def _key(column: str) -> str:
    """A name for a column's key: as the column is called, as far as names allow; `inputs` is taken."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", column).strip("_-")[:80] or "target"
    name = name if name[0].isalpha() else f"target_{name}"
    return f"target_{name}" if name in ("inputs", "id", "group") else name


def _comment(text: str, lead: str = "# ") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=lead, subsequent_indent=lead + ("  " if len(lead) > 2 else ""))


def _listed(lead: str, names: Iterable[str]) -> list[str]:
    """`key: [a, b, …]`, with the lines that follow below the first name."""
    items = [quoted(name) for name in names]
    lines, line = list[str](), lead + "["
    for index, item in enumerate(items):
        piece = item + ("," if index < len(items) - 1 else "]")
        if len(line) + len(piece) + 1 > _WIDTH and line.strip():
            lines.append(line)
            line = " " * (len(lead) + 1)
        line += piece if line.endswith(("[", "  ")) else f" {piece}"
    return [*lines, line]
